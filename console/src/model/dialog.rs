//! A question before something costly: what will happen, why, and for what cannot be undone, its name.

use bandit::experiment::{ArmVerb, Verb};
use protocol::plans::PlanRequest;
use serde::{Deserialize, Serialize};

use super::field::TextField;

/// The question. Its target is frozen by key and revision when it opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dialog {
    /// What is done on yes.
    pub action: Action,
    /// What the frame says.
    pub title: String,
    /// What will happen, to what, how much traffic, whether it can be undone.
    pub lines: Vec<String>,
    /// Why; goes to the audit log.
    pub reason: TextField,
    /// What must be typed; `None` where it can be undone.
    pub proof: Option<String>,
    /// What was typed of it.
    pub typed: TextField,
    /// What Enter does.
    pub focus: Focus,
    /// The word on the button.
    pub yes: String,
}

/// What a dialog does on yes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Change the state of an experiment.
    Verb {
        /// Which change.
        verb: Verb,
        /// Of which experiment.
        key: String,
        /// The revision it was shown with.
        revision: u64,
        /// The state it was shown with.
        from: String,
    },
    /// Change what an arm gets.
    Arm(OnArm),
    /// Carry out a plan.
    Apply {
        /// The plan's file and options.
        request: PlanRequest,
        /// The revision it was made for.
        base_revision: u64,
    },
}

/// What is done to which arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnArm {
    /// What.
    pub verb: ArmVerb,
    /// Of which experiment.
    pub key: String,
    /// The arm's name; `None`: every hold.
    pub arm: Option<String>,
    /// The revision it was shown with.
    pub revision: u64,
}

/// The parts of a dialog, in the order of tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Focus {
    /// The reason.
    Reason,
    /// The name to be typed.
    Proof,
    /// No.
    Cancel,
    /// Yes.
    Yes,
}

impl Dialog {
    /// The parts this dialog has, in the order of tab.
    pub fn parts(&self) -> Vec<Focus> {
        let proof = self.proof.as_ref().map(|_| Focus::Proof);
        [Focus::Reason]
            .into_iter()
            .chain(proof)
            .chain([Focus::Cancel, Focus::Yes])
            .collect()
    }

    /// What is still missing before yes; `None` if nothing is.
    pub fn missing(&self) -> Option<String> {
        if let Some(proof) = &self.proof {
            let typed = self.typed.text();
            if typed != proof {
                return Some(not_yet(proof, typed));
            }
        }
        self.reason
            .is_blank()
            .then(|| "not yet: a reason is needed".to_owned())
    }

    /// The part `steps` further on, round and round.
    pub fn step(&mut self, forward: bool) {
        let parts = self.parts();
        let at = parts
            .iter()
            .position(|part| *part == self.focus)
            .unwrap_or(0);
        let by = if forward { 1 } else { parts.len() - 1 };
        self.focus = parts[(at + by) % parts.len()];
    }
}

fn not_yet(proof: &str, typed: &str) -> String {
    if !proof.starts_with(typed) {
        return "not yet: that is another name".to_owned();
    }
    let left = proof.chars().count() - typed.chars().count();
    let letters = if left == 1 { "letter" } else { "letters" };
    format!("not yet, {left} {letters}")
}
