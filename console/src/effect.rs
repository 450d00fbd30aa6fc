//! What the console wants done outside itself; the runtime does it and answers with a message.

use bandit::experiment::Verb;
use protocol::alerts::{AckRequest, AlertsQuery, SilenceRequest};
use protocol::control::{ArmRequest, AuditQuery, ReleaseRequest, VerbRequest};
use protocol::plans::{ApplyRequest, PlanRequest};
use serde::{Deserialize, Serialize};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Ask the daemon.
    Call {
        /// The number its answer carries.
        id: u64,
        /// The question.
        call: Box<Call>,
    },
    /// Do not wait for the next attempt to connect.
    RetryNow,
    /// Read a file for a plan.
    ReadFile {
        /// Its path as typed.
        path: String,
    },
    /// Send a text to the terminal's clipboard.
    Copy(String),
    /// Draw every cell again.
    Redraw,
    /// To the shell and back.
    Suspend,
    /// Leave.
    Quit,
}

/// A question to the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Call {
    /// `detail`
    Detail {
        /// Of which experiment.
        key: String,
    },
    /// A change of state.
    Verb {
        /// Which change.
        verb: Verb,
        /// The request.
        request: VerbRequest,
    },
    /// `quarantine`
    Quarantine(ArmRequest),
    /// `release`
    Release(ReleaseRequest),
    /// `ship`
    Ship(ArmRequest),
    /// `plan`
    Plan(PlanRequest),
    /// `apply`
    Apply(ApplyRequest),
    /// `audit`
    Audit(AuditQuery),
    /// `alerts`
    Alerts(AlertsQuery),
    /// `ack`
    Ack(AckRequest),
    /// `silence`
    Silence(SilenceRequest),
}

impl Call {
    /// Whether it changes the daemon's world; such a call may be sent again, its id makes it one.
    pub fn is_mutation(&self) -> bool {
        matches!(
            self,
            Self::Verb { .. }
                | Self::Quarantine(_)
                | Self::Release(_)
                | Self::Ship(_)
                | Self::Apply(_)
                | Self::Ack(_)
                | Self::Silence(_)
        )
    }
}
