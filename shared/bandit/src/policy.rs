//! Policies: what is known of the arms in, one probability per arm out.
//!
//! A policy is evaluated once per published version and never per request, so the probability it gives an arm is
//! the exact propensity of every unit that draws under that version.

mod burn_in;
mod epsilon_greedy;
mod fixed;
mod index;
mod kl_ucb;
mod thompson;
mod top_two_thompson;
mod ucb1;
mod ucb1_tuned;

use crate::allocation::{Allocation, InvalidAllocation, Limits};
use crate::experiment::{ArmId, Millis, Share};
use crate::posterior::{ArmStats, Family, Moments};
use crate::probability::QuadratureError;
use crate::spec::model::{PolicyKind, PolicySpec, PosteriorKind};
use kl_ucb::KlUcb;
use ucb1::Ucb1;
use ucb1_tuned::Ucb1Tuned;

/// A version is worth publishing at once when any arm's probability has moved by more than this: half a point,
/// which an operator sees on the screen.
pub const MOVED: f64 = 0.005;

/// 60 s: after this long, a version is published for any movement at all, so that a slow drift is not lost.
pub const AT_LAST: Millis = Millis(60_000);

/// The edition of the policies. It is raised when the same evidence under the same spec would give another
/// allocation, so that what an earlier edition published is not taken for a difference.
///
/// 0 only Thompson and fixed had an engine, all others split evenly; 1 every policy runs.
pub const EDITION: u16 = 1;

/// An open arm, as a policy sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmView {
    /// Its number.
    pub id: ArmId,
    /// Whether it is the one that the others are compared with.
    pub control: bool,
    /// Its declared weight, relative to the others'; only `fixed` looks at it.
    pub weight: f64,
    /// The lane's counts for it, all versions together: whole units, which burn-in waits for.
    pub stats: ArmStats,
    /// What the policy learns from: the same rewards after credit and memory, where they are fractions.
    pub learned: Moments,
}

/// What is known of an arm when its lane is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// Whole counts.
    pub stats: ArmStats,
    /// What the policy learns from, after credit and memory.
    pub learned: Moments,
}

impl From<ArmStats> for Evidence {
    /// Every unit counts once, when its window has closed, and is never forgotten.
    fn from(stats: ArmStats) -> Self {
        Self {
            stats,
            learned: Moments::from(&stats),
        }
    }
}

/// What to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// The probability of each open arm.
    pub allocation: Allocation,
    /// Why the split is still even, such as `burn-in: 12 of 100 rewards on green`.
    pub burn_in: Option<String>,
}

/// Why there is nothing to publish; the version in force stays.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// The arms cannot share the traffic.
    #[error("the open arms cannot be allocated")]
    Arms(#[from] InvalidAllocation),
    /// The probabilities of being best could not be told.
    #[error("the arms cannot be compared")]
    Quadrature(#[from] QuadratureError),
}

/// The allocation of a learning lane.
///
/// `arms` are the open ones by ascending number, `running_for` is the time since the experiment was started, and
/// `name` says what an arm is called in [`Publication::burn_in`]. Every arm keeps its floor, and none has more than
/// the cap, as far as the open arms can ([`Limits`]); that holds during burn-in, too.
pub fn allocate(
    policy: &PolicySpec,
    arms: &[ArmView],
    running_for: Millis,
    name: impl Fn(ArmId) -> String,
) -> Result<Publication, PolicyError> {
    if arms.is_empty() {
        return Err(InvalidAllocation::NoArms.into());
    }
    let limits = limits(policy, arms);
    let learns = policy.kind != PolicyKind::Fixed;
    let burn_in = learns
        .then(|| burn_in::unmet(policy.burn_in, arms, running_for, name))
        .flatten();
    let shares = if burn_in.is_some() {
        limits.project(&vec![1.0; arms.len()])
    } else {
        shares(policy, arms, &limits)?
    };
    let ids = arms.iter().map(|arm| arm.id);
    Ok(Publication {
        allocation: Allocation::new(ids.zip(shares).collect())?,
        burn_in,
    })
}

/// The bound by which an index policy ranks the arms, as of now; infinite for an arm without rewards, `None` for a
/// policy that has no index.
pub fn indices(kind: &PolicyKind, learned: &[Moments]) -> Option<Vec<f64>> {
    match kind {
        PolicyKind::Ucb1 => Some(index::bounds(learned, &Ucb1)),
        PolicyKind::Ucb1Tuned => Some(index::bounds(learned, &Ucb1Tuned)),
        PolicyKind::KlUcb => Some(index::bounds(learned, &KlUcb)),
        PolicyKind::Thompson
        | PolicyKind::TopTwoThompson { .. }
        | PolicyKind::EpsilonGreedy { .. }
        | PolicyKind::Fixed => None,
    }
}

/// The model of the rewards of a lane under this policy.
pub fn family(policy: &PolicySpec) -> Family {
    match policy.posterior {
        PosteriorKind::Beta => Family::Beta(policy.prior),
        PosteriorKind::StudentT => Family::Normal,
    }
}

fn shares(
    policy: &PolicySpec,
    arms: &[ArmView],
    limits: &Limits,
) -> Result<Vec<f64>, QuadratureError> {
    let learned: Vec<Moments> = arms.iter().map(|arm| arm.learned).collect();
    let posteriors = || family(policy).posteriors(&learned);
    Ok(match policy.kind {
        PolicyKind::Thompson => limits.mix(&thompson::weights(&posteriors())?),
        PolicyKind::TopTwoThompson { beta } => {
            limits.mix(&top_two_thompson::weights(&posteriors(), beta)?)
        }
        PolicyKind::EpsilonGreedy { epsilon, decay } => {
            epsilon_greedy::shares(&learned, epsilon, decay, limits)
        }
        PolicyKind::Ucb1 => limits.mix(&index::rolled_out(&learned, &Ucb1)),
        PolicyKind::Ucb1Tuned => limits.mix(&index::rolled_out(&learned, &Ucb1Tuned)),
        PolicyKind::KlUcb => limits.mix(&index::rolled_out(&learned, &KlUcb)),
        PolicyKind::Fixed => fixed::shares(arms, limits),
    })
}

fn limits(policy: &PolicySpec, arms: &[ArmView]) -> Limits {
    let of_control = policy.control_floor.unwrap_or(policy.floor);
    let floors: Vec<Share> = arms
        .iter()
        .map(|arm| {
            if arm.control {
                of_control
            } else {
                policy.floor
            }
        })
        .collect();
    Limits::new(&floors, policy.max_weight)
}

/// Whether `next` is worth a new version `since_last` after `current` was published: at once when an arm moved by
/// more than [`MOVED`] or the open arms differ, after [`AT_LAST`] for any movement, and never sooner than
/// `publish_every`.
pub fn should_publish(
    current: &Allocation,
    next: &Allocation,
    since_last: Millis,
    publish_every: Millis,
) -> bool {
    if since_last < publish_every {
        return false;
    }
    let moved = current.distance(next);
    let other_arms = current.arms().ne(next.arms());
    other_arms || moved > MOVED || (moved > 0.0 && since_last >= AT_LAST)
}
