//! What another policy would have earned on an experiment's own log, from the counts of its policy versions.
//!
//! Within a version the propensities are the same for every unit, so counts, sums and sums of squares per arm say all
//! that the units would (STATS 0, decision 1).

use super::candidate::{Candidate, InvalidCandidate};
use super::estimate::{Evaluation, RewardRange};
use super::evaluator::{Evaluator, Segment, Settings};
use super::outcome::Outcomes;
use super::row::InvalidRow;
use crate::experiment::{ArmId, Millis};
use crate::inference::Period;
use crate::policy::{ArmView, PolicyError, allocate};
use crate::spec::defaults;
use crate::spec::model::PolicySpec;

/// A policy that learns is asked anew when a hundredth more units have resolved: of ten million that is 1,600 times,
/// and between two of them no probability moves by what an evaluation could tell.
const GROWN: f64 = 1.01;

/// What was known when a policy version was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The arms that were open, by ascending number, with what was known of them then.
    pub open: Vec<ArmView>,
    /// How long the experiment had run.
    pub running_for: Millis,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WhatIfError {
    /// The policy in question does not fit the arms.
    #[error(transparent)]
    Candidate(#[from] InvalidCandidate),
    /// It cannot allocate.
    #[error("the policy cannot allocate")]
    Policy(#[from] PolicyError),
    /// The counts do not fit the propensities.
    #[error("the counts do not fit their policy version")]
    Counts(#[from] InvalidRow),
}

/// What `candidate` would have published at each version, one probability per arm of `arms` and version.
///
/// A policy that learns gets what the log had shown by then: its targets are the sequence of splits that it would have
/// published on this log, with floor, prior, cap and burn-in of `base`. An even split is one over the arms that were open.
pub fn targets(
    candidate: &Candidate,
    base: &PolicySpec,
    arms: &[(ArmId, &str)],
    versions: &[Known],
) -> Result<Vec<Vec<f64>>, WhatIfError> {
    let names: Vec<&str> = arms.iter().map(|(_, name)| *name).collect();
    let kind = match candidate {
        Candidate::Learning(kind) => kind.clone(),
        Candidate::Uniform => return Ok(versions.iter().map(|known| even(arms, known)).collect()),
        Candidate::Arm(_) | Candidate::Weights(_) => {
            let target = candidate.target(&names, 1)?;
            let probabilities = target.map(|target| target.probabilities(0).to_vec());
            return Ok(vec![probabilities.unwrap_or_default(); versions.len()]);
        }
    };
    let policy = PolicySpec {
        // A fixed split has no floor, and a learning one without is no policy (DESIGN 5).
        floor: if base.floor.get() > 0.0 {
            base.floor
        } else {
            defaults::floor(&kind)
        },
        kind,
        ..base.clone()
    };
    let mut course = Course {
        policy,
        arms,
        last: None,
    };
    versions.iter().map(|known| course.next(known)).collect()
}

/// Evaluate on the resolved units of these periods; `targets` is the policy in question in each of them.
pub fn what_if(periods: &[Period], targets: &[Vec<f64>]) -> Result<Evaluation, InvalidRow> {
    let lived = || {
        let pairs = periods.iter().zip(targets);
        pairs.filter(|(period, _)| period.resolved() > 0)
    };
    let settings = Settings {
        rewards: Some(RewardRange::UNIT),
        planned_rows: periods.iter().map(Period::resolved).sum(),
        tuning: Settings::TUNING,
        outcomes: Outcomes::LeaveOneOut,
    };
    let segments = lived().map(|(period, target)| Segment {
        cell: 0,
        target: target.clone(),
        least_propensity: period.arms.iter().map(|arm| arm.propensity).collect(),
    });
    let mut evaluator = Evaluator::new(settings, segments.collect());
    for (number, (period, _)) in lived().enumerate() {
        for (arm, counts) in period.arms.iter().enumerate() {
            if counts.n > 0 {
                let sums = (counts.n, counts.sum, counts.sum_sq);
                evaluator.add_many(number, arm, counts.propensity, sums)?;
            }
        }
        evaluator.close_batch();
    }
    Ok(evaluator.finish())
}

fn even(arms: &[(ArmId, &str)], known: &Known) -> Vec<f64> {
    let share = 1.0 / known.open.len().max(1) as f64;
    let open = |id: ArmId| known.open.iter().any(|view| view.id == id);
    let shares = arms
        .iter()
        .map(|(id, _)| if open(*id) { share } else { 0.0 });
    shares.collect()
}

/// A policy that learns, on its way through the versions.
struct Course<'a> {
    policy: PolicySpec,
    arms: &'a [(ArmId, &'a str)],
    last: Option<Split>,
}

/// What it published last, and on what.
struct Split {
    open: Vec<ArmId>,
    resolved: u64,
    burning_in: bool,
    target: Vec<f64>,
}

impl Course<'_> {
    fn next(&mut self, known: &Known) -> Result<Vec<f64>, WhatIfError> {
        let open: Vec<ArmId> = known.open.iter().map(|view| view.id).collect();
        let resolved: u64 = known.open.iter().map(|view| view.stats.resolved).sum();
        if let Some(last) = &self.last
            && last.open == open
            && !last.burning_in
            && (resolved as f64) < GROWN * last.resolved as f64 + 1.0
        {
            return Ok(last.target.clone());
        }
        let name = |id: ArmId| id.to_string();
        let published = allocate(&self.policy, &known.open, known.running_for, name)?;
        let shares = self
            .arms
            .iter()
            .map(|(id, _)| published.allocation.get(*id));
        let target: Vec<f64> = shares.collect();
        self.last = Some(Split {
            open,
            resolved,
            burning_in: published.burn_in.is_some(),
            target: target.clone(),
        });
        Ok(target)
    }
}
