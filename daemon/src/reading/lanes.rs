//! Which lane earns more, in a sentence.

use bandit::lanes::{Difference, Earned, differences};
use protocol::experiments::{LaneDifference, LaneResults, RewardScale};

use super::insights::FEW;
use super::row;

/// The learning lanes in force, with what they earned.
pub(super) struct Compared<'a> {
    lanes: Vec<(&'a LaneResults, Option<Earned>)>,
    /// The reward's own values, where it is not just yes or no.
    scale: Option<RewardScale>,
}

impl<'a> Compared<'a> {
    pub(super) fn new(
        lanes: Vec<(&'a LaneResults, Option<Earned>)>,
        scale: Option<RewardScale>,
    ) -> Self {
        Self { lanes, scale }
    }

    /// The best lane against each other one; empty where a lane has nothing to compare yet.
    pub(super) fn differences(&self) -> Vec<LaneDifference> {
        self.found()
            .into_iter()
            .map(|it| LaneDifference {
                ahead: self.name(it.ahead).to_owned(),
                behind: self.name(it.behind).to_owned(),
                by: it.by,
                low: it.interval.low,
                high: it.interval.high,
            })
            .collect()
    }

    fn found(&self) -> Vec<Difference> {
        let earned: Option<Vec<Earned>> = self.lanes.iter().map(|(_, earned)| *earned).collect();
        differences(&earned.unwrap_or_default())
    }

    fn name(&self, at: usize) -> &str {
        &self.lanes[at].0.lane
    }

    /// `None` with fewer than two lanes.
    pub(super) fn in_words(&self) -> Option<String> {
        if self.lanes.len() < 2 {
            return None;
        }
        let fewest = self.lanes.iter().map(|(lane, _)| *lane);
        if let Some(lane) = fewest.min_by_key(|lane| lane.resolved)
            && lane.resolved < FEW
        {
            return Some(format!(
                "too early to compare the lanes: {} has {} resolved units, {FEW} are the least worth reading",
                lane.lane, lane.resolved
            ));
        }
        let said: Vec<String> = self.found().iter().map(|it| self.sentence(it)).collect();
        Some(format!("{}{}", said.join("; "), self.burn_in()))
    }

    fn sentence(&self, found: &Difference) -> String {
        let mean = |at: usize| {
            let (_, earned) = self.lanes[at];
            self.value(earned.map_or(0.0, |earned| earned.mean))
        };
        let (ahead, behind) = (self.name(found.ahead), self.name(found.behind));
        let (one, two) = (mean(found.ahead), mean(found.behind));
        let margin = format!(
            "the difference is {:.2}{} (95% interval {:.2} to {:.2}, for one look)",
            self.points(found.by),
            if self.scale.is_none() { " points" } else { "" },
            self.points(found.interval.low),
            self.points(found.interval.high)
        );
        if found.interval.low > 0.0 {
            return format!(
                "{ahead} earns more a unit than {behind}: {one} against {two}, {margin}"
            );
        }
        format!(
            "{ahead} and {behind} are not to be told apart yet: {one} against {two} a unit, {margin}"
        )
    }

    /// A mean reward as people say it.
    fn value(&self, reward: f64) -> String {
        row::said(self.scale, reward)
    }

    /// A difference of mean rewards: above 0 is better, also where less is better.
    fn points(&self, reward: f64) -> f64 {
        let span = self
            .scale
            .map_or(100.0, |scale| (scale.at_one - scale.at_zero).abs());
        reward * span
    }

    /// Lanes that have not learned differ by chance, whatever their policies.
    fn burn_in(&self) -> String {
        let lanes = self.lanes.iter().map(|(lane, _)| *lane);
        let even: Vec<&str> = lanes
            .filter(|lane| lane.burn_in.is_some())
            .map(|lane| lane.lane.as_str())
            .collect();
        if even.is_empty() {
            return String::new();
        }
        if even.len() == self.lanes.len() {
            return "; all of them are in burn-in and split evenly, so their policies have decided nothing yet"
                .to_owned();
        }
        let are = if even.len() == 1 { "is" } else { "are" };
        format!(
            "; {} {are} still in burn-in, with an even split",
            even.join(" and ")
        )
    }
}

#[cfg(test)]
mod tests {
    use bandit::posterior::ArmStats;

    use super::*;

    fn lane(
        name: &str,
        resolved: u64,
        successes: i64,
        burn_in: bool,
    ) -> (LaneResults, Option<Earned>) {
        let earned = Earned::of(&ArmStats {
            resolved,
            reward_sum_micro: successes * 1_000_000,
            reward_sq_sum_micro: successes * 1_000_000,
            ..ArmStats::default()
        });
        let results = LaneResults {
            lane: name.to_owned(),
            policy: "thompson".to_owned(),
            version: 1,
            share: 0.5,
            assigned: resolved,
            exposed: resolved,
            resolved,
            earned: None,
            burn_in: burn_in.then(|| "burn-in: 1m of 1h".to_owned()),
            arms: Vec::new(),
            evidence: None,
            learns_from: None,
            in_flight: Vec::new(),
        };
        (results, earned)
    }

    fn words(lanes: &[(LaneResults, Option<Earned>)]) -> Option<String> {
        let lanes = lanes.iter().map(|(results, earned)| (results, *earned));
        Compared::new(lanes.collect(), None).in_words()
    }

    #[test]
    fn says_which_lane_earns_more_only_when_the_interval_does() {
        let apart = [
            lane("one", 4_000, 400, false),
            lane("two", 4_000, 520, false),
        ];
        assert_eq!(
            words(&apart).unwrap(),
            "two earns more a unit than one: 13.00% against 10.00%, the difference is 3.00 points (95% interval 1.60 to 4.40, for one look)"
        );
        let close = [lane("one", 400, 40, false), lane("two", 400, 44, true)];
        let said = words(&close).unwrap();
        assert!(
            said.starts_with(
                "two and one are not to be told apart yet: 11.00% against 10.00% a unit"
            ),
            "{said}"
        );
        assert!(
            said.ends_with("; two is still in burn-in, with an even split"),
            "{said}"
        );
    }

    #[test]
    fn is_honest_about_the_first_hours() {
        assert_eq!(words(&[lane("main", 500, 50, false)]), None);
        let early = [lane("one", 99, 9, true), lane("two", 400, 90, true)];
        let said = words(&early).unwrap();
        assert!(
            said.starts_with("too early to compare the lanes: one has 99 resolved units"),
            "{said}"
        );
        let even = [lane("one", 400, 10, true), lane("two", 400, 90, true)];
        let said = words(&even).unwrap();
        assert!(
            said.ends_with("so their policies have decided nothing yet"),
            "{said}"
        );
        assert!(words(&[lane("one", 0, 0, true), lane("two", 0, 0, true)]).is_some());
    }
}
