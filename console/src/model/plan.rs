//! A plan on screen: what was asked, what the daemon answered.

use protocol::plans::{ChangeKind, PlanReply, PlanRequest};
use protocol::refusal::Problem;
use serde::{Deserialize, Serialize};

use super::LocalMs;

/// The plan screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// What is planned.
    pub request: PlanRequest,
    /// Whether the form wrote it; else it is a file.
    pub from_form: bool,
    /// The answer.
    pub status: PlanStatus,
    /// First line shown.
    pub scroll: usize,
}

/// The daemon's answer to a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PlanStatus {
    /// The file is being read.
    Reading,
    /// Asked, not answered.
    Asking {
        /// Since when.
        since_ms: LocalMs,
    },
    /// Answered.
    Ready {
        /// The plan.
        reply: PlanReply,
        /// When it came.
        at_ms: LocalMs,
    },
    /// Carried out; the screen stays so that it can be read again.
    Applied {
        /// The plan.
        reply: PlanReply,
        /// The revision after it.
        revision: u64,
    },
    /// Refused.
    Failed {
        /// Why.
        message: String,
        /// All problems of the file.
        problems: Vec<Problem>,
    },
}

impl PlanView {
    /// The plan, if it can still be applied.
    pub fn reply(&self) -> Option<&PlanReply> {
        match &self.status {
            PlanStatus::Ready { reply, .. } => Some(reply),
            _ => None,
        }
    }
}

/// What must be typed before a plan is applied: the name of the one experiment that it stops, or their number.
pub fn proof(reply: &PlanReply) -> Option<String> {
    let mut stops = reply
        .changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Stop);
    let first = stops.next()?;
    match stops.count() {
        0 => Some(first.key.clone()),
        more => Some(format!("stop {}", more + 1)),
    }
}

/// How many of each kind: adds, changes, stops.
pub fn counts(reply: &PlanReply) -> (usize, usize, usize) {
    let count = |kind| reply.changes.iter().filter(|c| c.kind == kind).count();
    (
        count(ChangeKind::Add),
        count(ChangeKind::Change) + count(ChangeKind::Unknown),
        count(ChangeKind::Stop),
    )
}
