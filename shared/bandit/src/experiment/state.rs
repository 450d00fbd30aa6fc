//! An experiment's life: its states, and which verb leads from one to the next.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ArmId;

/// Where an experiment is in its life, and how it got there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunState {
    /// Declared, never started; callers get control, unrecorded.
    Draft,
    /// Assigning and learning.
    Running {
        /// When it was started or resumed.
        since: DateTime<Utc>,
    },
    /// Sticky units keep their arm; new units get control, unrecorded.
    Paused {
        /// When it was paused.
        since: DateTime<Utc>,
        /// Who paused it.
        by: String,
        /// Why.
        why: String,
    },
    /// Everyone gets control, or the shipped arm; open windows still resolve.
    Stopped {
        /// When it was stopped.
        since: DateTime<Utc>,
        /// Who stopped it.
        by: String,
        /// Why.
        why: String,
        /// The arm everyone gets instead of control, if one was chosen.
        shipped: Option<ArmId>,
    },
    /// Everyone gets control at once.
    RolledBack {
        /// When it was rolled back.
        since: DateTime<Utc>,
        /// Who rolled it back.
        by: String,
        /// Why.
        why: String,
    },
    /// Out of sight; the ledger stays.
    Archived {
        /// When it was archived.
        since: DateTime<Utc>,
    },
}

/// What can be done to the state of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// draft -> running
    Start,
    /// running -> paused
    Pause,
    /// paused or rolled back -> running
    Resume,
    /// running, paused or rolled back -> stopped
    Stop,
    /// running or paused -> rolled back
    Rollback,
    /// draft or stopped -> archived
    Archive,
}

/// A verb that does not apply to the present state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {verb} an experiment that is {state}; {hint}")]
pub struct IllegalTransition {
    verb: &'static str,
    state: &'static str,
    hint: &'static str,
}

impl Verb {
    /// Every verb, in the order of an experiment's life.
    pub const ALL: [Self; 6] = [
        Self::Start,
        Self::Pause,
        Self::Resume,
        Self::Stop,
        Self::Rollback,
        Self::Archive,
    ];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Rollback => "rollback",
            Self::Archive => "archive",
        }
    }
}

/// What can be done to an arm of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArmVerb {
    /// No new units until it is released.
    Quarantine,
    /// Open to new units again.
    Release,
    /// For everyone, and the experiment is stopped.
    Ship,
}

impl ArmVerb {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Quarantine, Self::Release, Self::Ship];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Release => "release",
            Self::Ship => "ship",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl RunState {
    /// The word on screens, in JSON and in the database.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running { .. } => "running",
            Self::Paused { .. } => "paused",
            Self::Stopped { .. } => "stopped",
            Self::RolledBack { .. } => "rolled_back",
            Self::Archived { .. } => "archived",
        }
    }

    /// When this state was entered; `None` for a draft.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Draft => None,
            Self::Running { since }
            | Self::Paused { since, .. }
            | Self::Stopped { since, .. }
            | Self::RolledBack { since, .. }
            | Self::Archived { since } => Some(*since),
        }
    }

    /// Whether it has ever taken traffic: its reward, salt and arms' identities are then settled.
    pub fn has_started(&self) -> bool {
        !matches!(self, Self::Draft)
    }

    /// Whether `verb` is legal now; if not, why and what is.
    pub fn check(&self, verb: Verb) -> Result<(), IllegalTransition> {
        let legal = match verb {
            Verb::Start => matches!(self, Self::Draft),
            Verb::Pause => matches!(self, Self::Running { .. }),
            Verb::Resume => matches!(self, Self::Paused { .. } | Self::RolledBack { .. }),
            Verb::Stop => matches!(
                self,
                Self::Running { .. } | Self::Paused { .. } | Self::RolledBack { .. }
            ),
            Verb::Rollback => matches!(self, Self::Running { .. } | Self::Paused { .. }),
            Verb::Archive => matches!(self, Self::Draft | Self::Stopped { .. }),
        };
        self.allow(legal, verb.as_str())
    }

    /// Whether an arm may be quarantined now, or its quarantine released; if not, why and what is.
    pub fn check_quarantine(&self) -> Result<(), IllegalTransition> {
        self.allow(!self.is_over(), "quarantine an arm of")
    }

    /// Whether an arm may be chosen for everyone now: wherever a stop may be; if not, why and what is.
    pub fn check_ship(&self) -> Result<(), IllegalTransition> {
        self.allow(self.check(Verb::Stop).is_ok(), "ship an arm of")
    }

    /// Whether nobody will draw an arm any more.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Stopped { .. } | Self::Archived { .. })
    }

    fn allow(&self, legal: bool, verb: &'static str) -> Result<(), IllegalTransition> {
        if legal {
            return Ok(());
        }
        Err(IllegalTransition {
            verb,
            state: self.name(),
            hint: self.way_out(),
        })
    }

    /// What can be done from here, in words.
    fn way_out(&self) -> &'static str {
        match self {
            Self::Draft => "start or archive it",
            Self::Running { .. } => "pause, stop or roll it back",
            Self::Paused { .. } => "resume, stop or roll it back",
            Self::Stopped { .. } => {
                "it can only be archived; create a new experiment under another key"
            }
            Self::RolledBack { .. } => "resume it with a reason, or stop it",
            Self::Archived { .. } => "it is over; create a new experiment under another key",
        }
    }

    /// The state after `verb`, done by `by` at `at` because of `why`.
    pub fn after(
        &self,
        verb: Verb,
        at: DateTime<Utc>,
        by: &str,
        why: &str,
    ) -> Result<Self, IllegalTransition> {
        self.check(verb)?;
        let (by, why) = (by.to_owned(), why.to_owned());
        Ok(match verb {
            Verb::Start | Verb::Resume => Self::Running { since: at },
            Verb::Pause => Self::Paused { since: at, by, why },
            Verb::Stop => Self::Stopped {
                since: at,
                by,
                why,
                shipped: None,
            },
            Verb::Rollback => Self::RolledBack { since: at, by, why },
            Verb::Archive => Self::Archived { since: at },
        })
    }

    /// The state after `arm` was chosen for everyone, by `by` at `at` because of `why`.
    pub fn shipped(
        &self,
        arm: ArmId,
        at: DateTime<Utc>,
        by: &str,
        why: &str,
    ) -> Result<Self, IllegalTransition> {
        self.check_ship()?;
        Ok(Self::Stopped {
            since: at,
            by: by.to_owned(),
            why: why.to_owned(),
            shipped: Some(arm),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_legal_somewhere_and_refused_after_archiving() {
        let at = DateTime::<Utc>::UNIX_EPOCH;
        let archived = RunState::Archived { since: at };
        let states = [
            RunState::Draft,
            RunState::Running { since: at },
            RunState::Paused {
                since: at,
                by: "a".into(),
                why: "b".into(),
            },
            RunState::Stopped {
                since: at,
                by: "a".into(),
                why: "b".into(),
                shipped: None,
            },
            RunState::RolledBack {
                since: at,
                by: "a".into(),
                why: "b".into(),
            },
        ];
        for verb in Verb::ALL {
            assert!(
                states.iter().any(|state| state.check(verb).is_ok()),
                "{verb}"
            );
            assert!(archived.check(verb).is_err(), "{verb}");
        }
    }
}
