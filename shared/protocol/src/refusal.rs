//! Why a call was refused, and what the caller can do about it.

use serde::{Deserialize, Serialize};

/// A refusal: what failed, on what, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind; callers decide by this.
    pub code: Code,
    /// For people: lower case, no full stop.
    pub message: String,
    /// All problems, where there are several (of a file).
    #[serde(default)]
    pub problems: Vec<Problem>,
}

/// One code per thing the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Correct the request.
    Invalid,
    /// No such experiment: look at the list.
    NotFound,
    /// The world moved: plan again.
    Stale,
    /// Not legal in the present state.
    IllegalState,
    /// A hold is in the way: release it with a reason.
    Held,
    /// Not for this caller.
    Forbidden,
    /// The versions do not fit.
    Version,
    /// Later: the database is away or the daemon is draining.
    Unavailable,
    /// Our fault; the daemon's log has more.
    Internal,
    /// A code this build does not know.
    #[serde(other)]
    Unknown,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will be refused again.
    Never,
    /// The same request may succeed later.
    Later,
    /// Look at the new state and ask again.
    AfterReplan,
}

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub fix: String,
}

impl Refusal {
    /// A refusal without a list of problems.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            problems: Vec::new(),
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self.code {
            Code::Stale => Retry::AfterReplan,
            Code::Unavailable | Code::Internal => Retry::Later,
            Code::Invalid
            | Code::NotFound
            | Code::IllegalState
            | Code::Held
            | Code::Forbidden
            | Code::Version
            | Code::Unknown => Retry::Never,
        }
    }
}
