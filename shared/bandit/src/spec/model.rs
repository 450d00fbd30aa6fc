//! What an experiment file says, typed and valid: plain data that is stored, compared and served from.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::experiment::{ArmName, ExperimentKey, LaneName, Millis, Share};
use crate::spec::defaults;
use crate::targeting::Targeting;

/// One `[[experiment]]`, valid as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentSpec {
    /// Its public name.
    pub key: ExperimentKey,
    /// A title for people.
    pub name: Option<String>,
    /// What is being tried and why.
    pub description: Option<String>,
    /// The team to ask.
    pub owner: Option<String>,
    /// The state the file wants; `None` leaves it to the operators.
    pub state: Option<DeclaredState>,
    /// What the traffic, lane and arm draws hash with; the key unless declared. Settled at start.
    pub salt: String,
    /// The share of eligible units that take part.
    pub traffic: Share,
    /// The share of participants in the holdback lane: an even split that never learns.
    pub holdback: Share,
    /// What unknown units get while the database is away.
    pub on_outage: OnOutage,
    /// What units that are on a quarantined arm get. Left out where it is the default, so that an older daemon can read
    /// the specs that do not need it.
    #[serde(default, skip_serializing_if = "OnQuarantine::is_default")]
    pub on_quarantine: OnQuarantine,
    /// The arms, in the order of the file; exactly one is control.
    pub arms: Vec<ArmSpec>,
    /// Who is eligible.
    pub targeting: Targeting,
    /// How a learning lane that says nothing else turns posteriors into an allocation.
    pub policy: PolicySpec,
    /// The learning lanes, in the order of the file; none stands for one lane with everyone. Where there are any,
    /// their shares sum to 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneSpec>,
    /// What counts as success. Settled at start.
    pub reward: RewardSpec,
    /// Limits that protect users.
    pub guardrails: Vec<GuardrailSpec>,
    /// When to recommend an end.
    pub decision: Option<DecisionSpec>,
    /// When to start, ramp, stop and archive.
    pub schedule: Option<ScheduleSpec>,
}

/// A state that a file may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredState {
    /// Declared only.
    Draft,
    /// Taking traffic.
    Running,
    /// Started, but new units get control.
    Paused,
    /// Over.
    Stopped,
}

/// What a unit without an assignment gets while the database is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnOutage {
    /// Control, not recorded.
    #[default]
    Control,
    /// A draw from the last allocation, spooled.
    Frozen,
}

/// What a unit with an assignment gets while its arm is quarantined. New units never draw such an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnQuarantine {
    /// Its arm: nobody who is in moves.
    #[default]
    Keep,
    /// Control, until the quarantine is released; not a trial of either.
    Control,
}

impl OnQuarantine {
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands over a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One arm of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmSpec {
    /// Its name.
    pub name: ArmName,
    /// Whether it is the one control.
    pub control: bool,
    /// What callers who draw it are told; any JSON value, an empty object unless declared.
    pub config: serde_json::Value,
    /// Its part of a `fixed` split, relative to the other arms' weights; 1 unless declared.
    pub weight: f64,
}

/// One learning lane of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneSpec {
    /// Its name; never `holdback`.
    pub name: LaneName,
    /// Its share of the participants outside the holdback.
    pub share: Share,
    /// How it allocates; the experiment's policy unless declared.
    pub policy: PolicySpec,
}

/// How a lane allocates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// Which policy.
    pub kind: PolicyKind,
    /// Every open arm's least probability; `arms * floor` is below 1.
    pub floor: Share,
    /// The control's least probability where it is another; at least `floor`.
    #[serde(default)]
    pub control_floor: Option<Share>,
    /// Every arm's greatest probability.
    pub max_weight: Option<Share>,
    /// Which posterior the rewards give. Specs of before scaled rewards had their own say nothing, and keep theirs.
    #[serde(default)]
    pub posterior: PosteriorKind,
    /// Alpha and beta of the Beta prior, each above 0.
    pub prior: BetaPrior,
    /// How long the split stays even.
    pub burn_in: BurnIn,
    /// The least time between two policy versions.
    pub publish_every: Millis,
    /// How much of the past the allocation learns from; `None` is all of it. Decisions and results stay on all of it.
    #[serde(default)]
    pub memory: Option<Memory>,
}

/// How an allocation forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// It learns from units that were drawn within this long before the last that can have matured.
    Window(Millis),
    /// A unit that is older by this long counts half as much.
    HalfLife(Millis),
}

/// The policies of the brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PolicyKind {
    /// Probability matching, computed exactly.
    Thompson,
    /// Top-two Thompson sampling; `beta` is the probability of the first choice.
    TopTwoThompson {
        /// Probability of playing the first choice.
        beta: Share,
    },
    /// Greedy with a share of exploration.
    EpsilonGreedy {
        /// The share of exploration; of one that decays, at 1,000 rewards per arm.
        epsilon: Share,
        /// Whether it falls with the cube root of the rewards per arm.
        #[serde(default)]
        decay: bool,
    },
    /// Upper confidence bounds, rolled out inside a floor mixture.
    Ucb1,
    /// UCB1 with the arms' own variances.
    Ucb1Tuned,
    /// UCB with the bounds of coins, which are tight for small rates.
    KlUcb,
    /// The arms' weights, for ever.
    Fixed,
}

impl PolicyKind {
    /// The word in files and on screens.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Thompson => "thompson",
            Self::TopTwoThompson { .. } => "top_two_thompson",
            Self::EpsilonGreedy { .. } => "epsilon_greedy",
            Self::Ucb1 => "ucb1",
            Self::Ucb1Tuned => "ucb1_tuned",
            Self::KlUcb => "kl_ucb",
            Self::Fixed => "fixed",
        }
    }
}

/// What is believed of an arm's mean reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PosteriorKind {
    /// A Beta; of scaled rewards the fractional one, which is wider than it needs to be.
    #[default]
    Beta,
    /// A Student-t, from the rewards' own mean and variance.
    StudentT,
}

/// A Beta prior.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BetaPrior {
    /// Prior successes, above 0.
    pub alpha: f64,
    /// Prior failures, above 0.
    pub beta: f64,
}

/// An even split until all three are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BurnIn {
    /// Time since start.
    pub for_: Millis,
    /// Exposed units of the lane, per arm.
    pub exposures_per_arm: u64,
    /// Resolved rewards of the lane, per arm.
    pub rewards_per_arm: u64,
}

/// What counts as success, and until when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardSpec {
    /// How events become one outcome per unit.
    pub outcome: OutcomeSpec,
    /// Events that revoke a success inside the window.
    pub negative: Vec<String>,
    /// How long after exposure events count.
    pub window: Millis,
    /// How long after the window late arrivals are waited for.
    pub grace: Millis,
    /// When a unit counts.
    pub credit: Credit,
    /// Whether more is better.
    pub direction: Direction,
    /// Events of one unit that are looked at, at most; the rest is stored and not learned.
    pub max_events_per_unit: u32,
}

/// How a unit's events become its outcome in `0..=1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OutcomeSpec {
    /// 1 if any success event came, else 0.
    Binary {
        /// What counts as success; at least one.
        success: Vec<SuccessSpec>,
    },
    /// The aggregated value, clipped to `min..=max` and scaled to `0..=1`.
    Scaled {
        /// The event whose value counts.
        event: String,
        /// Which of a unit's values counts.
        aggregate: Aggregate,
        /// The value that becomes 0.
        min: f64,
        /// The value that becomes 1; above `min`.
        max: f64,
        /// The value of a unit that sent none; `min` unless declared.
        default: f64,
    },
}

/// An event that is a success, if its value reaches `min`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessSpec {
    /// The event's name.
    pub event: String,
    /// The least value that counts; `None` counts every such event, with or without a value.
    pub min: Option<f64>,
}

/// Which of several values counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The earliest by event time.
    First,
    /// The latest by event time.
    Last,
    /// The greatest.
    Max,
    /// All of them together.
    Sum,
}

/// When a unit counts towards its arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credit {
    /// When its window has closed: unbiased.
    #[default]
    Matured,
    /// Success at once, failure at close: biased upwards while the experiment is young.
    Immediate,
    /// Pending units as the fraction of conversions expected by their age.
    Corrected,
}

/// Whether more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    #[default]
    Increase,
    /// Less is better: the outcome is flipped.
    Decrease,
}

/// A limit that protects users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardrailSpec {
    /// Its name inside the experiment.
    pub name: String,
    /// What is measured against which limit.
    pub check: GuardrailCheck,
    /// What happens after `breaches` fails in a row.
    pub action: GuardrailAction,
    /// By which test, where the check leaves a choice.
    #[serde(default)]
    pub test: GuardrailTest,
    /// How much is judged at a time.
    pub window: Millis,
    /// How often it is judged.
    #[serde(default = "defaults::guardrail_cadence")]
    pub cadence: Millis,
    /// How long after the start it is `unknown` whatever comes.
    #[serde(default)]
    pub warm_up: Millis,
    /// Fails in a row that act; at least 1.
    pub breaches: u32,
    /// Fewer samples than this are `unknown`.
    pub min_samples: u64,
    /// What missing data means, after the grace.
    pub on_no_data: OnNoData,
    /// How long missing data is `unknown` before `on_no_data` speaks.
    pub grace: Millis,
    /// Report only.
    pub dry_run: bool,
}

/// What a guardrail measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GuardrailCheck {
    /// The share that failed stays below `limit`: of the exposed units, or of the events `of`.
    ErrorRate {
        /// The event that is an error.
        event: String,
        /// The event that is tracked for every try, failed or not; `None`: exposed units are counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// The greatest share.
        limit: Share,
    },
    /// The `quantile` of the event's value stays below `limit_ms`.
    Latency {
        /// The event whose value is a latency in milliseconds.
        event: String,
        /// Which quantile.
        quantile: Share,
        /// The greatest latency.
        limit_ms: f64,
    },
    /// Reward falls at most by `limit` against concurrent control, relatively.
    RewardDrop {
        /// The greatest relative drop.
        limit: Share,
    },
    /// No single unit, and no arm before `min_rewards`, has more than `limit`.
    Concentration {
        /// The greatest share.
        limit: Share,
    },
    /// Observed shares agree with the allocation.
    Srm {
        /// The p-value below which they do not.
        p_value: Share,
    },
    /// The rate or mean of an event stays within `min..=max`.
    Event {
        /// The event.
        event: String,
        /// Rate per exposed unit, or mean of the values.
        measure: EventMeasure,
        /// The least value.
        min: Option<f64>,
        /// The greatest value.
        max: Option<f64>,
    },
    /// Exposures keep coming.
    Staleness {
        /// The longest silence.
        limit: Millis,
    },
}

/// What is measured of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventMeasure {
    /// Units with the event, per exposed unit.
    Rate,
    /// The mean of its values.
    Mean,
}

/// How a guardrail tells chance from harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailTest {
    /// Evidence that adds up over windows and survives looking at every instant (e-CUSUM).
    #[default]
    Sequential,
    /// Each window by itself: is it over the limit with a probability of 99 %?
    Posterior,
    /// Each window by itself: is its figure over the limit? Trips on healthy traffic near the limit.
    Threshold,
}

/// What a guardrail does, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailAction {
    /// Tell people.
    Alert,
    /// The arm gets no new units.
    Quarantine,
    /// New units get control.
    Pause,
    /// Everyone gets control.
    Rollback,
}

/// What missing data means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNoData {
    /// Stay as it was.
    #[default]
    Hold,
    /// Fine.
    Pass,
    /// A fail.
    Fail,
}

/// When to recommend an end, and what may happen by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionSpec {
    /// A named set of thresholds.
    pub preset: DecisionPreset,
    /// The least time since start.
    pub min_runtime: Millis,
    /// Resolved rewards per arm.
    pub min_samples: u64,
    /// The longest time since start.
    pub max_runtime: Option<Millis>,
    /// The smallest relative effect worth having.
    pub min_effect: Share,
    /// Decisions that act by themselves.
    pub auto: Vec<AutoDecision>,
}

/// A named set of decision thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionPreset {
    /// The defaults of the house.
    #[default]
    Standard,
    /// Evidence that survives looking at every instant.
    Strict,
    /// The brief's rule: P(worse) > 0.95 with 100 samples.
    FailFast,
}

/// A decision that a file may let act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoDecision {
    /// Give everyone the winner.
    Ship,
    /// Stop the experiment.
    Kill,
    /// Close one arm.
    KillArm,
}

/// When things happen by the calendar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSpec {
    /// Start then.
    pub start: Option<DateTime<Utc>>,
    /// Stop then; after `start`.
    pub stop: Option<DateTime<Utc>>,
    /// Traffic steps, rising.
    pub ramp: Vec<RampStep>,
    /// Archive this long after the stop.
    pub archive_after: Option<Millis>,
}

/// One step of a traffic ramp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RampStep {
    /// The traffic of this step.
    pub traffic: Share,
    /// How long it is held.
    pub hold: Millis,
    /// Exposures needed before the next.
    pub min_samples: u64,
}

impl ExperimentSpec {
    /// The control arm.
    pub fn control(&self) -> &ArmSpec {
        self.arms
            .iter()
            .find(|arm| arm.control)
            .expect("a valid spec has exactly one control")
    }
}

/// The attributes a caller sends about a unit: text, numbers and flags by name.
pub type Attributes = BTreeMap<String, serde_json::Value>;
