//! What is known at a look, as plain numbers: the rules need no database and no posterior.

use serde::{Deserialize, Serialize};

use crate::experiment::{ArmId, Millis};
use crate::inference::{Period, srm};
use crate::scale::Scale;

/// The whole experiment at one instant. All numbers are finite, so that they can be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Time since the start.
    pub running_for: Millis,
    /// The span of exposures whose outcomes are all in: time since the start less window and grace.
    pub matured_for: Millis,
    /// The open arms by ascending number; one of them is control.
    pub arms: Vec<ArmEvidence>,
    /// The 95th percentile of what the best arm has over the leader, relative to the leader (STATS 6.3); at least 0,
    /// `None` if it could not be told.
    pub value_remaining: Option<f64>,
    /// Outcomes a day, all arms together, on average since the first.
    pub resolved_per_day: f64,
    /// Whether the observed shares agree with the allocation.
    pub sample_ratio: SampleRatio,
    /// The declared guardrails, and their arms.
    pub guardrails: Vec<GuardrailEvidence>,
    /// The part of the events that came too late to count, in `0..=1`.
    pub late_share: f64,
    /// What rewards are said in; `None` for rates, and in decisions of before there was this.
    #[serde(default)]
    pub scale: Option<Scale>,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmEvidence {
    /// Its number.
    pub arm: ArmId,
    /// Its name.
    pub name: String,
    /// Whether it is the control.
    pub control: bool,
    /// Whether the policy gives it no more than its least share.
    pub at_floor: bool,
    /// Units whose outcome is in.
    pub resolved: u64,
    /// The sum of their rewards, each in `0..=1`.
    pub reward_sum: f64,
    /// The posterior mean.
    pub mean: f64,
    /// The posterior standard deviation.
    pub sd: f64,
    /// The probability that it is the best of the open arms.
    pub p_best: f64,
    /// What choosing it now would lose against the best, in reward.
    pub expected_loss: f64,
    /// The probability that it is worse than the leader, the arm with the greatest mean; 0 for the leader.
    pub p_below_leader: f64,
    /// How it compares with control; `None` for control.
    pub versus: Option<Versus>,
}

/// A treatment against control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Versus {
    /// P(its mean is above control's).
    pub p_better: f64,
    /// P(its mean is above control's by the least effect worth having).
    pub p_worthwhile: f64,
    /// P(it differs from control by less than that), the region of practical equivalence (STATS 6.2).
    pub p_same: f64,
    /// Its weighted estimate; `None` where propensities are missing.
    pub lift: Option<LiftInterval>,
}

/// The AIPW estimate of a treatment's mean less control's, with its confidence sequence (STATS 5.3, 5.4): valid
/// however often it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LiftInterval {
    /// The estimate, in reward.
    pub estimate: f64,
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Whether the units were split as the allocation says (STATS 7.5).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SampleRatio {
    /// The p-value; `None` if there is nothing to test yet.
    pub p_value: Option<f64>,
    /// The value of the sequential test; above 1,000 the experiment is invalid.
    pub e_value: Option<f64>,
}

/// A guardrail, for one arm or for the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuardrailEvidence {
    /// Its name.
    pub name: String,
    /// The arm; `None` for the experiment as a whole.
    pub arm: Option<ArmId>,
    /// Its newest verdict.
    pub status: GuardrailStatus,
}

/// What a guardrail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailStatus {
    /// Fine.
    Pass,
    /// Close to its limit.
    Warn,
    /// Over its limit.
    Fail,
    /// There is not enough to tell.
    Unknown,
    /// Declared, and nothing watches it.
    NotWatched,
}

impl SampleRatio {
    /// Both tests over the assigned units of `periods`, at one look and at every look.
    pub fn of(periods: &[Period]) -> Self {
        let test = srm::changing_split(periods);
        let sequential = srm::sequential(periods, srm::CAUTION);
        Self {
            p_value: (test.df > 0).then_some(test.p_value),
            // Infinite where a closed arm has units; JSON knows no infinity.
            e_value: Some(sequential.ln_evidence.exp().min(f64::MAX)),
        }
    }
}

impl Evidence {
    /// The control, if it is there.
    pub fn control(&self) -> Option<&ArmEvidence> {
        self.arms.iter().find(|arm| arm.control)
    }

    /// The arms that are compared with control.
    pub fn treatments(&self) -> impl Iterator<Item = (&ArmEvidence, &Versus)> {
        self.arms
            .iter()
            .filter_map(|arm| arm.versus.as_ref().map(|versus| (arm, versus)))
    }

    /// An arm by its number.
    pub fn arm(&self, id: ArmId) -> Option<&ArmEvidence> {
        self.arms.iter().find(|arm| arm.arm == id)
    }

    /// The arm with the greatest mean.
    pub fn leader(&self) -> Option<&ArmEvidence> {
        self.arms.iter().max_by(|a, b| a.mean.total_cmp(&b.mean))
    }

    /// The treatment with the greatest mean.
    pub fn leading_treatment(&self) -> Option<(&ArmEvidence, &Versus)> {
        self.treatments()
            .max_by(|(a, _), (b, _)| a.mean.total_cmp(&b.mean))
    }

    /// The outcomes of all arms.
    pub fn resolved(&self) -> u64 {
        self.arms.iter().map(|arm| arm.resolved).sum()
    }
}

impl ArmEvidence {
    /// How many outcomes of the rarer kind there are: the conversions of a rate below a half, the failures of one
    /// above. It is these that an estimate's error goes by.
    pub fn rare(&self) -> f64 {
        self.reward_sum.min(self.resolved as f64 - self.reward_sum)
    }
}
