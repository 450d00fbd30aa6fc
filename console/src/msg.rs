//! Everything that can happen to the console.

use protocol::alerts::{AlertDone, AlertsPage};
use protocol::control::{AuditPage, Delta, Done, Snapshot, Welcome};
use protocol::experiments::Detail;
use protocol::plans::{Applied, PlanReply};
use protocol::refusal::Refusal;
use serde::{Deserialize, Serialize};

use crate::keymap::Key;
use crate::model::LocalMs;
use crate::model::link::Failure;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Msg {
    /// Time went by: milliseconds since the start.
    Clock(LocalMs),
    /// A key was pressed.
    Key(Key),
    /// A text was pasted.
    Paste(String),
    /// The terminal has another size.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// Something about the link.
    Link(Box<LinkEvent>),
    /// A call was answered.
    Reply {
        /// Its number.
        id: u64,
        /// The answer.
        reply: Box<Result<Reply, CallFailure>>,
    },
    /// A file was read for a plan.
    FileRead {
        /// Its path.
        path: String,
        /// Its text, or why not.
        text: Result<String, String>,
    },
    /// A text was sent to the clipboard, or why not.
    Copied(Result<String, String>),
    /// The process was told to end.
    Terminate,
}

/// What the link task says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LinkEvent {
    /// It tries to connect, for the n-th time since it last worked.
    Connecting {
        /// From 1.
        attempt: u32,
    },
    /// Versions fit.
    Welcome(Welcome),
    /// A page of a snapshot.
    Page {
        /// Whether it is the first.
        first: bool,
        /// The page.
        page: Snapshot,
    },
    /// Changes, or the heartbeat.
    Delta(Delta),
    /// It failed and waits.
    Waiting {
        /// Attempts that failed.
        attempt: u32,
        /// For how long it waits.
        for_ms: u64,
        /// Why it failed.
        failure: Failure,
    },
}

/// An answer to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// To `detail`.
    Detail(Box<Detail>),
    /// To a verb.
    Done(Done),
    /// To `plan`.
    Plan(PlanReply),
    /// To `apply`.
    Applied(Applied),
    /// To `audit`.
    Audit(AuditPage),
    /// To `alerts`.
    Alerts(AlertsPage),
    /// To what is done about an alert.
    Answered(AlertDone),
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CallFailure {
    /// The daemon said no.
    Refused(Refusal),
    /// The daemon could not be asked, or did not answer: it may or may not have happened.
    NoAnswer(String),
}

impl CallFailure {
    /// In words.
    pub fn sentence(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.message.clone(),
            Self::NoAnswer(why) => why.clone(),
        }
    }
}
