//! Whether a decision acts by itself, and if not, why.

use serde::{Deserialize, Serialize};

use super::{Choice, Decision, gates};
use crate::experiment::RunState;
use crate::spec::model::{AutoDecision, DecisionSpec};

/// What becomes of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acts {
    /// An operator follows it, or not.
    Never,
    /// It is carried out.
    Now,
    /// The file lets it act, and it does not meanwhile: why, in words.
    Waits(String),
}

/// What an experiment is like at the moment of acting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances<'a> {
    /// Where it is in its life.
    pub state: &'a RunState,
    /// What holds the experiment as a whole, in words.
    pub held: Option<&'a str>,
    /// Whether a person has opened the arm again that a decision had closed.
    pub opened_again: bool,
}

/// Whether the file lets such a decision act.
pub fn may_act(spec: &DecisionSpec, choice: Choice) -> bool {
    let auto = match choice {
        Choice::Ship { .. } => AutoDecision::Ship,
        Choice::Kill => AutoDecision::Kill,
        Choice::KillArm { .. } => AutoDecision::KillArm,
        Choice::KeepRunning | Choice::Iterate => return false,
    };
    spec.auto.contains(&auto)
}

/// Judges a decision by what the file lets act and by what is.
pub fn acts(decision: &Decision, spec: &DecisionSpec, now: &Circumstances<'_>) -> Acts {
    if !may_act(spec, decision.choice) {
        return Acts::Never;
    }
    if !matches!(now.state, RunState::Running { .. }) {
        let state = now.state.name().replace('_', " ");
        return Acts::Waits(format!("it is {state}"));
    }
    if let Some(held) = now.held {
        return Acts::Waits(format!("it is held ({held})"));
    }
    // Whoever watches the limits acts on them; a figure from a time when one was broken ends nothing for good.
    if let Some(gate) = gates::named(&decision.gates, gates::GUARDRAILS).filter(|it| !it.passes()) {
        return Acts::Waits(format!("its guardrails do not pass ({})", gate.text));
    }
    if now.opened_again {
        return Acts::Waits(
            "a person has opened the arm again after a decision closed it".to_owned(),
        );
    }
    Acts::Now
}
