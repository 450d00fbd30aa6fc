//! A spec in words, for screens and plans.

use std::fmt;

use crate::credit::Silence;
use crate::credit::delay::LEAST_CONVERSIONS;
use crate::experiment::{Millis, Share};
use crate::spec::model::{
    Aggregate, AutoDecision, Credit, DecisionPreset, DeclaredState, Direction, EventMeasure,
    ExperimentSpec, GuardrailAction, GuardrailCheck, GuardrailSpec, GuardrailTest, LaneSpec,
    Memory, OnNoData, OnOutage, OnQuarantine, OutcomeSpec, PosteriorKind, RewardSpec, SuccessSpec,
};
use crate::spec::{decision, experiment, guardrail, policy, reward};

/// What an allocation learns from that results and decisions do not, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearningNote {
    /// Whether it bends what is learned.
    pub warning: bool,
    /// In words.
    pub text: String,
}

/// The notes of all learning lanes; several lanes are named, and share their credit.
pub fn experiment_notes(spec: &ExperimentSpec) -> Vec<LearningNote> {
    let lanes = spec.learning_lanes();
    if let [lane] = lanes.as_slice() {
        return learning_notes(&spec.reward, lane.policy.memory);
    }
    let mut notes = learning_notes(&spec.reward, None);
    for lane in lanes {
        if let Some(memory) = lane.policy.memory {
            notes.push(LearningNote {
                warning: false,
                text: format!("lane {} learns from {}", lane.name, memory.describe()),
            });
        }
    }
    notes
}

/// Where the allocation learns from more or less than all closed windows; one sentence each, for `plan`, `check` and
/// results.
pub fn learning_notes(reward: &RewardSpec, memory: Option<Memory>) -> Vec<LearningNote> {
    let mut notes = Vec::new();
    let mut note = |warning, text: String| notes.push(LearningNote { warning, text });
    match (reward.credit, Silence::of(reward)) {
        (Credit::Matured, _) => {}
        (Credit::Immediate, _) => note(
            true,
            "credit \"immediate\": the split takes a success at once and a failure when its window closes; \
             while windows are young it learns from rates that are too high by 100% and more"
                .to_owned(),
        ),
        (Credit::Corrected, Some(_)) => note(
            false,
            format!(
                "credit \"corrected\": the split also learns from open windows, for as much as their age tells, \
                 once {LEAST_CONVERSIONS} conversions have shown how long one takes"
            ),
        ),
        (Credit::Corrected, None) => note(
            true,
            "credit \"corrected\": a default inside the range of values leaves open windows without meaning; \
             the split learns from closed ones"
                .to_owned(),
        ),
    }
    if let Some(memory) = memory {
        note(
            false,
            format!("memory: the split learns from {}", memory.describe()),
        );
    }
    notes
}

/// A share as a percentage with as many decimals as it needs.
pub(crate) struct Percent(pub f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Six decimals hide the last bits of a binary fraction; trailing zeros go.
        let text = format!("{:.6}", self.0 * 100.0);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{text}%")
    }
}

impl fmt::Display for Share {
    /// As a percentage, such as `12.5%`, or as a fraction where a percentage would be another number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = Percent(self.get()).to_string();
        let digits = percent.trim_end_matches('%');
        if format!("{digits}e-2").parse() == Ok(self.get()) {
            return f.write_str(&percent);
        }
        self.get().fmt(f)
    }
}

impl LaneSpec {
    /// Such as `50% under thompson`.
    pub fn describe(&self) -> String {
        format!("{} under {}", self.share, self.policy.kind.name())
    }
}

impl ExperimentSpec {
    /// Such as `thompson`, or with lanes `careful: 50% under thompson, steady: 50% under fixed`.
    pub fn describe_policies(&self) -> String {
        if self.lanes.is_empty() {
            return self.policy.kind.name().to_owned();
        }
        let lanes: Vec<String> = self
            .lanes
            .iter()
            .map(|lane| format!("{}: {}", lane.name, lane.describe()))
            .collect();
        lanes.join(", ")
    }
}

impl RewardSpec {
    /// Such as `purchase within 24h` or `rating (last, 1 to 5) within 24h`.
    pub fn describe(&self) -> String {
        let what = match &self.outcome {
            OutcomeSpec::Binary { success } => {
                let words: Vec<String> = success.iter().map(SuccessSpec::describe).collect();
                words.join(" or ")
            }
            OutcomeSpec::Scaled {
                event,
                aggregate,
                min,
                max,
                ..
            } => format!("{event} ({}, {min} to {max})", aggregate.word()),
        };
        let mut parts = vec![format!("{what} within {}", self.window)];
        if !self.negative.is_empty() {
            parts.push(format!("revoked by {}", self.negative.join(" or ")));
        }
        if self.direction == Direction::Decrease {
            parts.push("less is better".to_owned());
        }
        parts.join(", ")
    }

    /// From exposure to the moment a unit's outcome is settled: window and grace.
    pub fn closes_after(&self) -> Millis {
        Millis(self.window.0.saturating_add(self.grace.0))
    }

    /// The events that make a success or carry the value.
    pub fn events(&self) -> Vec<&str> {
        match &self.outcome {
            OutcomeSpec::Binary { success } => success
                .iter()
                .map(|success| success.event.as_str())
                .collect(),
            OutcomeSpec::Scaled { event, .. } => vec![event],
        }
    }
}

impl Memory {
    /// Such as `the last 14d` or `what is 7d older by half`.
    pub fn describe(self) -> String {
        match self {
            Self::Window(window) => format!("the last {window}"),
            Self::HalfLife(half_life) => format!("what is {half_life} older by half"),
        }
    }
}

impl SuccessSpec {
    fn describe(&self) -> String {
        match self.min {
            Some(min) => format!("{} of at least {min}", self.event),
            None => self.event.clone(),
        }
    }
}

impl GuardrailSpec {
    /// Such as `checkout_error rate < 1%`.
    pub fn describe_limit(&self) -> String {
        match &self.check {
            GuardrailCheck::ErrorRate { event, of, limit } => match of {
                Some(of) => format!("{event} per {of} < {limit}"),
                None => format!("{event} rate < {limit}"),
            },
            GuardrailCheck::Latency {
                event,
                quantile,
                limit_ms,
            } => format!(
                "{event} p{} < {limit_ms} ms",
                Percent(quantile.get()).to_string().trim_end_matches('%')
            ),
            GuardrailCheck::RewardDrop { limit } => format!("reward drop < {limit}"),
            GuardrailCheck::Concentration { limit } => format!("concentration < {limit}"),
            GuardrailCheck::Srm { p_value } => {
                format!("sample ratio p-value > {}", p_value.get())
            }
            GuardrailCheck::Event {
                event,
                measure,
                min,
                max,
            } => {
                let what = format!("{event} {}", measure.word());
                match (min, max) {
                    (Some(min), Some(max)) => format!("{min} <= {what} <= {max}"),
                    (Some(min), None) => format!("{what} >= {min}"),
                    (None, Some(max)) => format!("{what} <= {max}"),
                    (None, None) => what,
                }
            }
            GuardrailCheck::Staleness { limit } => format!("exposures in the last {limit}"),
        }
    }
}

impl GuardrailCheck {
    /// The word in files and on screens.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ErrorRate { .. } => "error_rate",
            Self::Latency { .. } => "latency",
            Self::RewardDrop { .. } => "reward_drop",
            Self::Concentration { .. } => "concentration",
            Self::Srm { .. } => "srm",
            Self::Event { .. } => "event",
            Self::Staleness { .. } => "staleness",
        }
    }
}

/// The word of a choice, from the very table that reads it.
fn word_of<T: PartialEq>(table: &'static [(&'static str, T)], choice: &T) -> &'static str {
    table
        .iter()
        .find(|(_, other)| other == choice)
        .map_or("", |(word, _)| *word)
}

macro_rules! words {
    ($($type:ty: $table:expr;)*) => {$(
        impl $type {
            /// The word in files and on screens.
            pub fn word(self) -> &'static str {
                word_of($table, &self)
            }
        }
    )*};
}

words! {
    DeclaredState: experiment::STATES;
    OnOutage: experiment::ON_OUTAGE;
    OnQuarantine: experiment::ON_QUARANTINE;
    Aggregate: reward::AGGREGATES;
    Credit: reward::CREDITS;
    Direction: reward::DIRECTIONS;
    PosteriorKind: policy::POSTERIORS;
    EventMeasure: guardrail::check::MEASURES;
    GuardrailAction: guardrail::ACTIONS;
    GuardrailTest: guardrail::TESTS;
    OnNoData: guardrail::ON_NO_DATA;
    DecisionPreset: decision::PRESETS;
    AutoDecision: decision::AUTO;
}
