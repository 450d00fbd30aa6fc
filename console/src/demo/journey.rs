//! What a visitor does after having met an arm: events with delays, from the arm's truth alone.

use std::time::Duration;

use bandit::spec::model::{OutcomeSpec, RewardSpec};
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::visitor::cents;

/// Of those who buy, how many send it back within the window.
const REFUNDS: f64 = 0.04;

/// Of those who are shown a movie, how many rate it.
const RATES_IT: f64 = 0.7;

/// The mean delay of an event, as a part of the attribution window. With it one event in thirty comes after the
/// window: stored, flagged late, not learned.
const MEAN_DELAY: f64 = 0.3;

/// Nobody waits longer than this part of the window, so that the demo has an end.
const LONGEST_DELAY: f64 = 1.5;

/// One event to come.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// How long after the visit.
    pub after: Duration,
    /// What happens.
    pub event: String,
    /// How much.
    pub value: Option<f64>,
}

/// The events of one visitor whose arm has this truth: a probability where the reward is binary, a mean in
/// the unit of the values where it is scaled.
pub(super) fn journey(reward: &RewardSpec, truth: f64, rng: &mut StdRng) -> Vec<Step> {
    match &reward.outcome {
        OutcomeSpec::Binary { success } => purchase(reward, success.first(), truth, rng),
        OutcomeSpec::Scaled {
            event, min, max, ..
        } => rating(reward, event, *min, *max, truth, rng),
    }
}

fn purchase(
    reward: &RewardSpec,
    success: Option<&bandit::spec::model::SuccessSpec>,
    probability: f64,
    rng: &mut StdRng,
) -> Vec<Step> {
    // A valid binary reward has a success event.
    let Some(success) = success.filter(|_| rng.random_bool(probability.clamp(0.0, 1.0))) else {
        return Vec::new();
    };
    let bought = delay(reward, rng);
    let amount: f64 = rng.random_range(5.0..80.0);
    let mut steps = vec![Step {
        after: bought,
        event: success.event.clone(),
        value: Some(cents(success.min.unwrap_or(0.0) + amount)),
    }];
    if let Some(refund) = reward.negative.first()
        && rng.random_bool(REFUNDS)
    {
        steps.push(Step {
            after: bought + delay(reward, rng),
            event: refund.clone(),
            value: None,
        });
    }
    steps
}

/// A whole number from `min` to `max` with the given mean, as people give stars.
fn rating(
    reward: &RewardSpec,
    event: &str,
    min: f64,
    max: f64,
    mean: f64,
    rng: &mut StdRng,
) -> Vec<Step> {
    if !rng.random_bool(RATES_IT) {
        return Vec::new();
    }
    let stars = (max - min).round().max(1.0);
    let each = ((mean - min) / (max - min)).clamp(0.0, 1.0);
    let given = (0..stars as u32).filter(|_| rng.random_bool(each)).count() as f64;
    vec![Step {
        after: delay(reward, rng),
        event: event.to_owned(),
        value: Some((min + given).min(max)),
    }]
}

/// Exponential: most react at once, a few much later.
fn delay(reward: &RewardSpec, rng: &mut StdRng) -> Duration {
    let window = reward.window.to_std();
    let uniform: f64 = rng.random_range(f64::EPSILON..1.0);
    window.mul_f64((-uniform.ln() * MEAN_DELAY).min(LONGEST_DELAY))
}

#[cfg(test)]
mod tests {
    use bandit::reward::{UnitEvent, outcome};
    use bandit::spec::model::ExperimentSpec;
    use chrono::{DateTime, TimeDelta, Utc};

    use super::super::example;
    use super::super::service::Service;
    use super::super::visitor::{Purpose, rng};
    use super::*;

    const VISITORS: u64 = 20_000;

    fn spec(service: Service) -> ExperimentSpec {
        let experiments = example::experiments().unwrap();
        let mut experiments = experiments.into_iter();
        experiments
            .find(|spec| spec.key.as_str() == service.key())
            .unwrap()
    }

    fn journeys(service: Service, truth: f64) -> (RewardSpec, Vec<Vec<Step>>) {
        let reward = spec(service).reward;
        let of = |number| {
            let mut rng = rng(11, service, number, Purpose::What);
            journey(&reward, truth, &mut rng)
        };
        let all = (0..VISITORS).map(of).collect();
        (reward, all)
    }

    /// The mean outcome, in `0..=1`, as the daemon's own fold judges it.
    fn mean_outcome(service: Service, truth: f64) -> f64 {
        let exposed: DateTime<Utc> = DateTime::UNIX_EPOCH;
        let (reward, journeys) = journeys(service, truth);
        let judged = |steps: &Vec<Step>| {
            let events: Vec<UnitEvent<'_>> = steps
                .iter()
                .zip(1..)
                .map(|(step, event_id)| UnitEvent {
                    event: &step.event,
                    value: step.value,
                    at: exposed + TimeDelta::from_std(step.after).unwrap(),
                    event_id,
                })
                .collect();
            f64::from(outcome(&reward, exposed, &events).reward_micro) / 1e6
        };
        journeys.iter().map(judged).sum::<f64>() / journeys.len() as f64
    }

    #[test]
    fn the_same_visitor_does_the_same() {
        let (_, once) = journeys(Service::Checkout, 0.5);
        let (_, again) = journeys(Service::Checkout, 0.5);
        assert_eq!(once, again);
    }

    #[test]
    fn conversions_follow_the_truth_less_the_late_and_the_refunded() {
        // 3.6 % come after the window, 4 % of the rest are refunded, most of those in time.
        for truth in [0.045, 0.085] {
            let share = mean_outcome(Service::Checkout, truth) / truth;
            assert!((0.85..1.0).contains(&share), "{share} of {truth} count");
        }
    }

    #[test]
    fn some_conversions_are_late_and_some_are_refunded() {
        let (reward, journeys) = journeys(Service::Checkout, 0.085);
        let window = reward.window.to_std();
        let late = |steps: &&Vec<Step>| steps.first().is_some_and(|step| step.after > window);
        let bought = journeys.iter().filter(|steps| !steps.is_empty()).count() as f64;
        let late = journeys.iter().filter(late).count() as f64 / bought;
        let refunded = journeys.iter().filter(|steps| steps.len() == 2).count() as f64 / bought;
        assert!((0.01..0.08).contains(&late), "{late} late");
        assert!((0.02..0.06).contains(&refunded), "{refunded} refunded");
    }

    #[test]
    fn ratings_are_whole_stars_around_the_truth() {
        let (_, journeys) = journeys(Service::Movies, 4.1);
        let stars: Vec<f64> = journeys.iter().flatten().filter_map(|s| s.value).collect();
        assert!(
            stars
                .iter()
                .all(|s| (1.0..=5.0).contains(s) && s.fract() == 0.0)
        );
        let mean = stars.iter().sum::<f64>() / stars.len() as f64;
        // Three standard errors of 14,000 ratings with a deviation of 0.84.
        assert!((mean - 4.1).abs() < 0.022, "{mean}");
    }

    #[test]
    fn a_better_recommender_is_worth_more() {
        let means = [3.1, 3.4, 3.6, 4.1].map(|truth| mean_outcome(Service::Movies, truth));
        assert!(means.is_sorted(), "{means:?}");
    }
}
