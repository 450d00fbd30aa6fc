//! Experiments as a console sees them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::decision::{Decision, DecisionLine};
use crate::evidence::LaneEvidence;
use crate::source::Source;

/// One experiment in the list, with all that its first screen needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its key.
    pub key: String,
    /// A title for people.
    #[serde(default)]
    pub name: Option<String>,
    /// The team to ask.
    #[serde(default)]
    pub owner: Option<String>,
    /// draft, running, paused, stopped, `rolled_back` or archived.
    pub state: String,
    /// When it got there.
    pub since: Option<DateTime<Utc>>,
    /// Who put it there and why; empty where nobody asked.
    #[serde(default)]
    pub state_by: String,
    /// Why.
    #[serde(default)]
    pub state_why: String,
    /// The learning lane's policy, or how many lanes there are, such as `2 lanes`.
    pub policy: String,
    /// The learning lane that version, floor, burn-in and arms are of: with several, the one with the largest share.
    #[serde(default)]
    pub lane: String,
    /// The revision of its last change.
    pub revision: u64,
    /// The share of eligible units that take part now: while a ramp runs, that of its step.
    pub traffic: f64,
    /// The share of participants in the holdback lane.
    pub holdback: f64,
    /// Every open arm's least probability.
    pub floor: f64,
    /// The reward in words, such as `conversion within 24h`.
    #[serde(default)]
    pub reward: String,
    /// The reward's own values, where it is not just yes or no.
    #[serde(default)]
    pub scale: Option<RewardScale>,
    /// New assignments a second, over the last minute.
    pub decisions_per_sec: f64,
    /// New assignments since the start.
    pub assigned: u64,
    /// The learning lane's newest policy version.
    pub version: u32,
    /// When that was published.
    pub published_at: Option<DateTime<Utc>>,
    /// Whether the split is still even, and why, such as `burn-in: 12 of 100 rewards on green`.
    #[serde(default)]
    pub burn_in: Option<String>,
    /// The learning lane's arms, in the order of the file, retired ones last.
    pub arms: Vec<ArmRow>,
    /// Declared guardrails.
    #[serde(default)]
    pub guardrails: Vec<GuardrailRow>,
    /// Parts that are declared but whose engine does not run yet.
    #[serde(default)]
    pub not_active: Vec<String>,
    /// Holds on it.
    #[serde(default)]
    pub holds: Vec<String>,
    /// What is recommended; `None` where the file does not ask, before the first look, and once it has ended.
    #[serde(default)]
    pub decision: Option<DecisionLine>,
    /// What comes by the calendar; `None` where nothing does. Since 1.2.
    #[serde(default)]
    pub schedule: Option<ScheduleRow>,
    /// Of when it is, while the database is away; `None`: of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
}

/// What comes by the calendar. Since 1.2.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScheduleRow {
    /// When the draft starts.
    #[serde(default)]
    pub starts_at: Option<DateTime<Utc>>,
    /// When it stops.
    #[serde(default)]
    pub stops_at: Option<DateTime<Utc>>,
    /// When what has stopped is archived.
    #[serde(default)]
    pub archives_at: Option<DateTime<Utc>>,
    /// Where the ramp stands; `None` once it is over.
    #[serde(default)]
    pub ramp: Option<RampRow>,
    /// Why something that is due does not happen.
    #[serde(default)]
    pub waits: Option<String>,
}

/// Where a ramp stands. Since 1.2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RampRow {
    /// Which step is served, from 1.
    pub step: u32,
    /// How many there are, the one with all of the declared traffic included.
    pub steps: u32,
    /// The traffic of this step, in `0..=1`.
    pub traffic: f64,
    /// The traffic of the next one.
    pub next: f64,
    /// The next one comes no sooner.
    pub held_until: DateTime<Utc>,
    /// Units exposed at this step.
    pub samples: u64,
    /// Units that are needed before the next one.
    pub min_samples: u64,
}

/// What the daemon knows of an experiment without the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// When the figures were read; without figures, when the database was last known to be there.
    pub as_of: DateTime<Utc>,
    /// Whether counts and probabilities are known; if not, state, policy version and shares are all there is.
    pub figures: bool,
}

/// The values between which scaled rewards lie; means are between 0 and 1 in every answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RewardScale {
    /// The value that counts as 0.
    pub at_zero: f64,
    /// The value that counts as 1; below the other where less is better.
    pub at_one: f64,
}

/// One arm of the learning lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmRow {
    /// Its name.
    pub name: String,
    /// Whether it is the control.
    pub control: bool,
    /// Whether it is no longer declared.
    #[serde(default)]
    pub retired: bool,
    /// Whether it is quarantined: no new units until that is released. Since 1.2.
    #[serde(default)]
    pub quarantined: bool,
    /// The probability with which a new unit of the lane draws it, in `0..=1`.
    pub share: f64,
    /// The posterior Beta's alpha; of scaled rewards, that of the Beta with the posterior's mean and variance.
    pub alpha: f64,
    /// The same posterior's beta.
    pub beta: f64,
    /// Units assigned.
    pub assigned: u64,
    /// Units exposed.
    pub exposed: u64,
    /// Units whose window has closed.
    pub resolved: u64,
    /// Sum of the resolved rewards, each in `0..=1`.
    pub reward_sum: f64,
    /// The probability that it is the best arm, in `0..=1`.
    pub p_best: f64,
    /// What choosing it now would lose against the best, in reward.
    pub expected_loss: f64,
    /// The posterior mean.
    pub mean: f64,
    /// The 95 % equal-tailed interval's lower end.
    pub low: f64,
    /// The 95 % equal-tailed interval's upper end.
    pub high: f64,
}

/// One declared guardrail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuardrailRow {
    /// Its name.
    pub name: String,
    /// What it limits, in words, such as `error_rate < 1%`.
    pub limit: String,
    /// What it does.
    pub action: String,
    /// pass, warn, fail or unknown; `not_active` of daemons before 1.2.
    pub status: String,
    /// What it says of the arm that it says worst of, in a sentence. Since 1.2.
    #[serde(default)]
    pub said: String,
}

/// One experiment's screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// The daemon's clock.
    pub now: DateTime<Utc>,
    /// What the list says of it.
    pub row: Row,
    /// The allocation of the row's lane over time, oldest first, at most 500 points.
    pub allocation: Vec<AllocationPoint>,
    /// All lanes in force, the row's own included; empty where there is one learning lane.
    #[serde(default)]
    pub lanes: Vec<LaneDetail>,
    /// What happened to it, newest first, at most 100: audit rows and policy milestones.
    pub events: Vec<TimelineEntry>,
    /// The spec in force, as TOML, for reading and for copying into a file.
    #[serde(default)]
    pub spec_toml: String,
    /// What is recommended, with its reasons.
    #[serde(default)]
    pub decision: Option<Decision>,
    /// Where the figures were read from; `None` where no replica is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// One lane of an experiment's screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaneDetail {
    /// Its name.
    pub lane: String,
    /// Its policy.
    pub policy: String,
    /// Its newest policy version.
    pub version: u32,
    /// When that was published.
    pub published_at: Option<DateTime<Utc>>,
    /// Every open arm's least probability.
    pub floor: f64,
    /// Whether the split is still even, and why.
    #[serde(default)]
    pub burn_in: Option<String>,
    /// The arms, in the order of the file, retired ones last.
    pub arms: Vec<ArmRow>,
    /// Its allocation over time, oldest first, at most 100 points.
    pub allocation: Vec<AllocationPoint>,
}

/// The allocation from one moment on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AllocationPoint {
    /// From when.
    pub at: DateTime<Utc>,
    /// The policy version.
    pub version: u32,
    /// Probabilities in the order of [`Row::arms`].
    pub shares: Vec<f64>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// policy, state, apply, ...
    pub kind: String,
    /// In words.
    pub text: String,
}

/// Counts, rates and posteriors of every lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The experiment.
    pub experiment: String,
    /// Its state.
    pub state: String,
    /// As of when: everything folded before this is in the figures.
    pub as_of: DateTime<Utc>,
    /// Units assigned, all lanes and arms.
    pub assignments: u64,
    /// Units exposed.
    pub exposures: u64,
    /// Events in the ledger, each once, whatever they became.
    pub events: u64,
    /// Events by name.
    pub events_by_name: Vec<(String, u64)>,
    /// Events that came twice under one id with the same body.
    pub duplicates: u64,
    /// Ids that came again with another body.
    pub conflicts: u64,
    /// Units that were shown another arm while the database was away than the one that they keep.
    #[serde(default)]
    pub frozen_conflicts: u64,
    /// Events that came after their unit's window, stored and not learned.
    pub late: u64,
    /// Events of units without an assignment, stored and not learned.
    pub unassigned: u64,
    /// Events over the cap of their unit, stored and not learned.
    #[serde(default)]
    pub over_cap: u64,
    /// Events from before their unit met its arm, stored and not learned.
    #[serde(default)]
    pub before_exposure: u64,
    /// Units whose window has closed.
    pub rewards: u64,
    /// Units whose window is open.
    pub pending: u64,
    /// Of these, units whose outcome so far is not that of a unit without events.
    #[serde(default)]
    pub early: u64,
    /// Received events that are not folded yet.
    pub unfolded: u64,
    /// Policy versions published.
    pub versions: u64,
    /// The lanes.
    pub lanes: Vec<LaneResults>,
    /// The reward's own values, where it is not just yes or no.
    #[serde(default)]
    pub scale: Option<RewardScale>,
    /// Which learning lane earns more, where there are several: the best against each other one.
    #[serde(default)]
    pub lane_differences: Vec<LaneDifference>,
    /// The same in a sentence, or why there is nothing to say yet; `None` with fewer than two learning lanes.
    #[serde(default)]
    pub lane_comparison: Option<String>,
    /// What is recommended, with its reasons.
    #[serde(default)]
    pub decision: Option<Decision>,
    /// Where the figures were read from; `None` where no replica is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// One lane's results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaneResults {
    /// holdback, main, or a declared name.
    pub lane: String,
    /// Its policy; `removed` for a lane that the spec in force does not have.
    pub policy: String,
    /// Its newest version; 0 for a removed lane.
    pub version: u32,
    /// The share of new participants that draw it, in `0..=1`.
    #[serde(default)]
    pub share: f64,
    /// Units assigned, counted so far.
    #[serde(default)]
    pub assigned: u64,
    /// Units exposed.
    #[serde(default)]
    pub exposed: u64,
    /// Units whose window has closed.
    #[serde(default)]
    pub resolved: u64,
    /// The mean reward of the resolved units, in `0..=1`: what its policy earned. `None` before the first.
    #[serde(default)]
    pub earned: Option<EarnedRow>,
    /// Why its split is still even, if it learns and is.
    #[serde(default)]
    pub burn_in: Option<String>,
    /// Its arms.
    pub arms: Vec<ArmRow>,
    /// What can be said of them at any look; `None` before the experiment has started.
    #[serde(default)]
    pub evidence: Option<LaneEvidence>,
    /// Where its allocation learns from more or less than the closed windows that `arms` are about: from what.
    #[serde(default)]
    pub learns_from: Option<String>,
    /// Its arms' open windows, in the order of `arms`.
    #[serde(default)]
    pub in_flight: Vec<ArmInFlight>,
}

/// One arm's units whose window is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmInFlight {
    /// The arm.
    pub arm: String,
    /// All of them.
    pub pending: u64,
    /// Of these, units whose outcome so far is not that of a unit without events.
    pub early: u64,
    /// Sum of the early units' outcomes so far, each in `0..=1`.
    pub early_sum: f64,
    /// What is expected of them by their age: conversions that are still to come. Only with corrected credit, and when
    /// enough closed windows have told how long one takes.
    pub to_come: Option<f64>,
}

/// The mean reward of a lane's resolved units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EarnedRow {
    /// The mean, in `0..=1`.
    pub mean: f64,
    /// The 95 % score interval's lower end.
    pub low: f64,
    /// The 95 % score interval's upper end.
    pub high: f64,
}

/// How much more one lane earned a unit than another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaneDifference {
    /// The lane that earned most.
    pub ahead: String,
    /// Another one.
    pub behind: String,
    /// The difference of their mean rewards; at least 0.
    pub by: f64,
    /// The lower end of the interval that holds, with all others of the list, with 95 %.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The reading of the results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Insights {
    /// The experiment.
    pub experiment: String,
    /// As of when.
    pub as_of: DateTime<Utc>,
    /// One sentence.
    pub summary: String,
    /// The learning lane's arms, best first.
    pub arms: Vec<ArmInsight>,
    /// What to keep in mind, such as a burn-in that is not over.
    pub caveats: Vec<String>,
    /// What can be said of the learning lane at any look; `None` before the experiment has started.
    #[serde(default)]
    pub evidence: Option<LaneEvidence>,
    /// The reward's own values, where it is not just yes or no.
    #[serde(default)]
    pub scale: Option<RewardScale>,
    /// What is recommended, with its reasons.
    #[serde(default)]
    pub decision: Option<Decision>,
    /// Where the figures were read from; `None` where no replica is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// One arm's reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmInsight {
    /// Its name.
    pub arm: String,
    /// Resolved units.
    pub samples: u64,
    /// Exposed units.
    #[serde(default)]
    pub exposed: u64,
    /// Exposed units whose window is open.
    #[serde(default)]
    pub pending: u64,
    /// The mean of the resolved rewards; `None` without one.
    #[serde(default)]
    pub observed: Option<f64>,
    /// The posterior mean, which is the prior's where there are no samples.
    pub rate: f64,
    /// The 95 % interval's lower end.
    pub low: f64,
    /// The 95 % interval's upper end.
    pub high: f64,
    /// The probability that it is the best arm.
    pub p_best: f64,
    /// The probability that it beats control; `None` for control.
    pub p_beats_control: Option<f64>,
    /// What choosing it now would lose.
    pub expected_loss: f64,
    /// In words.
    pub recommendation: String,
}

/// Why a unit has its arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The experiment.
    pub experiment: String,
    /// The unit's key, in hex; the raw id is never kept.
    pub unit_key: String,
    /// What is stored; `None` if the unit was never assigned.
    pub stored: Option<StoredAssignment>,
    /// The arm that the recomputation gives.
    pub recomputed_arm: Option<String>,
    /// Whether both agree; `None` where nothing is stored.
    pub agrees: Option<bool>,
    /// Every step, in order.
    pub steps: Vec<ExplainStep>,
}

/// A stored assignment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredAssignment {
    /// The lane.
    pub lane: String,
    /// The arm.
    pub arm: String,
    /// The policy version.
    pub version: u32,
    /// The probability with which the arm was drawn, in `0..=1`.
    pub propensity: f64,
    /// When it was assigned.
    pub at: DateTime<Utc>,
    /// When it was exposed.
    pub exposed_at: Option<DateTime<Utc>>,
    /// The outcome, once its window has closed.
    pub reward: Option<f64>,
}

/// One step of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainStep {
    /// Such as `traffic`.
    pub step: String,
    /// What was looked at, with figures.
    pub detail: String,
    /// What came of it.
    pub outcome: String,
}
