//! What a lane believes about its arms, computed once per change of its statistics and not per reader. The posteriors
//! are those that its policy would learn by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bandit::experiment::{ArmId, ExperimentId, LaneId};
use bandit::lanes::Lane;
use bandit::policy;
use bandit::posterior::{BetaPosterior, Family, Moments, Posterior};
use bandit::probability::{self, QuadratureError};
use protocol::experiments::ArmRow;

use crate::store::state::LaneStats;
use crate::world::Live;

/// The level of the intervals on screens.
const LEVEL: f64 = 0.95;

/// One arm's belief.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Belief {
    pub(super) posterior: Posterior,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) p_best: f64,
    pub(super) expected_loss: f64,
}

/// A lane's beliefs, by arm, or why P(best) could not be told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LaneBeliefs {
    by_arm: HashMap<ArmId, Belief>,
    pub(super) problem: Option<QuadratureError>,
}

type Question = Vec<(ArmId, bool, Posterior)>;

type Newest = HashMap<(ExperimentId, LaneId), (Question, Arc<LaneBeliefs>)>;

/// The newest beliefs of each lane. One entry a lane: bounded by the number of experiments.
#[derive(Debug, Default)]
pub(super) struct Beliefs(Mutex<Newest>);

impl Beliefs {
    /// The beliefs of `lane` with these statistics.
    pub(super) fn of(&self, live: &Live, lane: &Lane, stats: &LaneStats) -> Arc<LaneBeliefs> {
        let question = question(live, lane, stats);
        let place = (live.id, lane.id);
        let known = self.lock().get(&place).cloned();
        if let Some((asked, beliefs)) = known
            && asked == question
        {
            return beliefs;
        }
        let beliefs = Arc::new(answer(&question));
        self.lock().insert(place, (question, Arc::clone(&beliefs)));
        beliefs
    }

    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LaneBeliefs {
    /// An arm's belief. Every arm of the experiment has one.
    pub(super) fn get(&self, arm: ArmId) -> Belief {
        self.by_arm
            .get(&arm)
            .copied()
            .expect("beliefs are made for all arms of the serving")
    }
}

fn question(live: &Live, lane: &Lane, stats: &LaneStats) -> Question {
    let family = policy::family(&lane.policy);
    let arms = &live.serving.arms;
    let learned = |id: ArmId| Moments::from(&stats.get(&id).copied().unwrap_or_default());
    let open = arms.iter().filter(|arm| arm.is_open());
    let open: Vec<Moments> = open.map(|arm| learned(arm.id)).collect();
    let mut of_open = family.posteriors(&open).into_iter();
    arms.iter()
        .filter_map(|arm| {
            let posterior = if arm.is_open() {
                of_open.next()
            } else {
                of_closed(family, &open, learned(arm.id))
            };
            Some((arm.id, arm.is_open(), posterior?))
        })
        .collect()
}

/// Beside the open arms, whose pooled rewards make the prior of means.
fn of_closed(family: Family, open: &[Moments], closed: Moments) -> Option<Posterior> {
    family.posteriors(&[open, &[closed]].concat()).pop()
}

/// Only open arms can be best. Where the quadrature fails, no arm has a probability of being best.
fn answer(question: &Question) -> LaneBeliefs {
    let open: Vec<(ArmId, Posterior)> = question
        .iter()
        .filter(|(_, open, _)| *open)
        .map(|(arm, _, posterior)| (*arm, *posterior))
        .collect();
    let posteriors: Vec<Posterior> = open.iter().map(|(_, posterior)| *posterior).collect();
    let best = probability::best_arm(&posteriors);
    let by_arm = question
        .iter()
        .map(|(arm, _, posterior)| {
            let at = open.iter().position(|(open, _)| open == arm);
            let (p_best, expected_loss) = match (&best, at) {
                (Ok(best), Some(at)) => (best.p_best[at], best.expected_loss[at]),
                (Ok(_), None) => (0.0, loss_against(*posterior, &posteriors)),
                (Err(_), _) => (0.0, 0.0),
            };
            let (low, high) = posterior.interval(LEVEL);
            let belief = Belief {
                posterior: *posterior,
                // a reward has no mean outside, though a Student-t has tails there
                low: low.max(0.0),
                high: high.min(1.0),
                p_best,
                expected_loss,
            };
            (*arm, belief)
        })
        .collect();
    LaneBeliefs {
        by_arm,
        problem: best.err(),
    }
}

/// What going back to a closed arm would lose against the open ones.
fn loss_against(closed: Posterior, open: &[Posterior]) -> f64 {
    let mut all = open.to_vec();
    all.push(closed);
    probability::best_arm(&all)
        .ok()
        .and_then(|best| best.expected_loss.last().copied())
        .unwrap_or(0.0)
}

/// A Beta with this posterior's mean and variance, which is what screens draw; the uniform one where there is none.
fn drawn_as(posterior: &Posterior) -> BetaPosterior {
    if let Posterior::Beta(posterior) = *posterior {
        return posterior;
    }
    let (mean, sd) = (posterior.mean(), posterior.sd());
    let strength = mean * (1.0 - mean) / (sd * sd) - 1.0;
    if !(strength.is_finite() && strength > 0.0) {
        return BetaPosterior {
            alpha: 1.0,
            beta: 1.0,
        };
    }
    BetaPosterior {
        alpha: mean * strength,
        beta: (1.0 - mean) * strength,
    }
}

/// A lane's arms for a screen, in the order of the file, retired ones last.
pub(super) fn arm_rows(
    live: &Live,
    lane: LaneId,
    stats: &LaneStats,
    beliefs: &LaneBeliefs,
) -> Vec<ArmRow> {
    let allocation = live.serving.lane(lane).map(|lane| &lane.allocation);
    in_file_order(live)
        .into_iter()
        .map(|arm| {
            let of_arm = stats.get(&arm.id).copied().unwrap_or_default();
            let belief = beliefs.get(arm.id);
            let drawn = drawn_as(&belief.posterior);
            ArmRow {
                name: arm.name.to_string(),
                control: arm.control,
                retired: arm.retired,
                quarantined: arm.quarantined,
                share: allocation.map_or(0.0, |allocation| allocation.get(arm.id)),
                alpha: drawn.alpha,
                beta: drawn.beta,
                assigned: of_arm.assigned,
                exposed: of_arm.exposed,
                resolved: of_arm.resolved,
                reward_sum: of_arm.reward_sum(),
                p_best: belief.p_best,
                expected_loss: belief.expected_loss,
                mean: belief.posterior.mean(),
                low: belief.low,
                high: belief.high,
            }
        })
        .collect()
}

/// The arms in the order of the file, retired ones last by number.
pub(super) fn in_file_order(live: &Live) -> Vec<&bandit::experiment::Arm> {
    let place = |arm: &bandit::experiment::Arm| {
        let declared = live.spec.arms.iter().position(|spec| spec.name == arm.name);
        (arm.retired, declared.unwrap_or(usize::MAX), arm.id)
    };
    let mut arms: Vec<&bandit::experiment::Arm> = live.serving.arms.iter().collect();
    arms.sort_by_key(|arm| place(arm));
    arms
}
