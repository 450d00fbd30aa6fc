//! When to end an experiment: ship an arm, stop, close an arm, try something else, or keep running.
//!
//! A decision is a pure function of the [`Rules`] a file declares, the [`Evidence`] at one look and the [`Memory`] of
//! the looks before. It keeps all three and every number that was compared, so that it can be repeated from its row.
//! It recommends; [`acts`] says whether the file lets it act, and whether it does now.
//!
//! The evidence is that of the whole experiment: resolved units only, weighted by period (STATS 5.2), from the posteriors
//! that nothing has shortened or corrected. What an allocation learns from is not good enough to end an experiment with.

mod acts;
mod adjusted;
mod choose;
mod criteria;
mod evidence;
mod fail_fast;
mod gates;
mod memory;
mod projection;
mod rules;
mod weigh;
mod words;

use serde::{Deserialize, Serialize};

use crate::experiment::ArmId;
use crate::spec::model::DecisionPreset;

pub use acts::{Acts, Circumstances, acts, may_act};
pub use evidence::{
    ArmEvidence, Evidence, GuardrailEvidence, GuardrailStatus, LiftInterval, SampleRatio, Versus,
};
pub use memory::Memory;
pub use rules::{Band, FalseAlarms, Rules};
pub use weigh::{Weighed, WeighedArm, weigh};

/// What to do with an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Choice {
    /// Nothing yet.
    #[default]
    KeepRunning,
    /// Give everyone this arm.
    Ship {
        /// Which.
        arm: ArmId,
    },
    /// Stop: control stays.
    Kill,
    /// Close this arm: it is worse than control.
    KillArm {
        /// Which.
        arm: ArmId,
    },
    /// Stop and try something else: there is no difference worth having, or no time left to find one.
    Iterate,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// What it would take to tell is missing.
    Unknown,
}

/// One condition, the number that was compared and what it was compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its name, such as `runtime`.
    pub name: String,
    /// Whether it holds.
    pub status: Status,
    /// What was found and what is needed, in words.
    pub text: String,
    /// The arm it is about; `None` for the experiment.
    pub arm: Option<ArmId>,
    /// The number; `None` if it is not known.
    pub value: Option<f64>,
    /// What it is compared with.
    pub threshold: Option<f64>,
}

impl Check {
    /// Whether it holds for sure.
    pub fn passes(&self) -> bool {
        self.status == Status::Pass
    }
}

/// A decision with everything behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What to do.
    #[serde(flatten)]
    pub choice: Choice,
    /// The decision in a sentence, for operators.
    pub sentence: String,
    /// What is to be known about this rule before following it.
    pub caution: Option<String>,
    /// What spoke for the choice, or what is missing for another one.
    pub reasons: Vec<Check>,
    /// What must hold before anything is recommended.
    pub gates: Vec<Check>,
    /// Days until the leading arm could be shipped, if it stays as far ahead; `None` if that is not in sight.
    pub days_left: Option<f64>,
    /// The thresholds.
    pub rules: Rules,
    /// The figures.
    pub evidence: Evidence,
    /// What the next look has to know.
    pub memory: Memory,
}

impl Choice {
    /// The word in tables and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::KeepRunning => "keep_running",
            Self::Ship { .. } => "ship",
            Self::Kill => "kill",
            Self::KillArm { .. } => "kill_arm",
            Self::Iterate => "iterate",
        }
    }

    /// The arm it is about.
    pub fn arm(self) -> Option<ArmId> {
        match self {
            Self::Ship { arm } | Self::KillArm { arm } => Some(arm),
            Self::KeepRunning | Self::Kill | Self::Iterate => None,
        }
    }
}

/// Looks once.
///
/// `memory` is that of the look before, the default at the first. An experiment without a control or a treatment in
/// its evidence keeps running.
pub fn decide(rules: &Rules, evidence: &Evidence, memory: &Memory) -> Decision {
    let look = Look {
        rules,
        evidence,
        memory,
    };
    let gates = gates::all(&look);
    let (choice, reasons) = match rules.preset {
        DecisionPreset::Standard | DecisionPreset::Strict => choose::choose(&look, &gates),
        DecisionPreset::FailFast => fail_fast::choose(&look, &gates),
    };
    let days_left = match choice {
        Choice::KeepRunning | Choice::KillArm { .. } => projection::days_left(&look),
        Choice::Ship { .. } | Choice::Kill | Choice::Iterate => None,
    };
    Decision {
        choice,
        sentence: words::sentence(&look, choice, &reasons, &gates, days_left),
        caution: rules.caution(),
        memory: memory.after(rules, evidence, (choice, &reasons)),
        reasons,
        gates,
        days_left,
        rules: rules.clone(),
        evidence: evidence.clone(),
    }
}

/// What one look has before it.
#[derive(Clone, Copy)]
struct Look<'a> {
    rules: &'a Rules,
    evidence: &'a Evidence,
    memory: &'a Memory,
}
