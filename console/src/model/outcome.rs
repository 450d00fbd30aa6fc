//! What was done and said: the line that stays.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Model;

/// Lines kept: a night's worth of an operator's acts.
const KEPT: usize = 200;

/// One thing that was done or said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// When, by the daemon's clock, if it was known.
    pub at: Option<DateTime<Utc>>,
    /// How it went.
    pub kind: OutcomeKind,
    /// In words.
    pub text: String,
    /// Whether a failure was read.
    pub read: bool,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// It was done.
    Done,
    /// It was not.
    Failed,
    /// Nobody asked: news.
    News,
}

impl Outcome {
    /// A failure that nobody has dismissed.
    pub fn unread_failure(&self) -> bool {
        self.kind == OutcomeKind::Failed && !self.read
    }
}

impl Model {
    /// Say something in the line that stays.
    pub fn say(&mut self, kind: OutcomeKind, text: impl Into<String>) {
        if self.outcomes.len() == KEPT {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back(Outcome {
            at: self.daemon_now(),
            kind,
            text: text.into(),
            read: false,
        });
    }

    /// Take the oldest unread failure as read; `false` if there was none.
    pub fn read_failure(&mut self) -> bool {
        match self.outcomes.iter_mut().find(|o| o.unread_failure()) {
            Some(outcome) => {
                outcome.read = true;
                true
            }
            None => false,
        }
    }
}
