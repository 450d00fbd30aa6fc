//! The life of an alert, as a pure state machine: what it is, what happens, what it is then and what is to be told.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// 10 min: an alert that comes back sooner than that after it was resolved flaps.
const FLAP_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// From so many flaps in a row on nobody is told of another one before it has lasted.
const FLAPS_TOLD: u32 = 3;

/// 5 min: how long a flapping alert has to last to be told of.
const LASTS: TimeDelta = TimeDelta::minutes(5);

/// 1 h: users are hurt, or about to be, and nobody has said that they look at it.
const REMIND_CRITICAL: TimeDelta = TimeDelta::hours(1);

/// 4 h: twice in a working day.
const REMIND_WARNING: TimeDelta = TimeDelta::hours(4);

/// 30 d: whoever wants to hear nothing for longer should change the guardrail.
pub const LONGEST_SILENCE: Duration = Duration::from_hours(30 * 24);

/// 1 min: shorter ones would be over before they are read.
pub const SHORTEST_SILENCE: Duration = Duration::from_mins(1);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be looked at soon.
    Warning,
    /// To be looked at now.
    Critical,
}

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its condition holds, not long enough yet to tell anybody.
    Pending,
    /// It is told.
    Firing,
    /// Somebody looks after it: no reminders.
    Acked,
    /// Nobody wants to hear of it until then.
    Silenced {
        /// When it fires again if it is not over by then.
        until: DateTime<Utc>,
    },
    /// It is over.
    Resolved,
}

/// One alert from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Where it is.
    pub state: State,
    /// The worst it was.
    pub severity: Severity,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// When people were last told that it fires; `None`: never.
    pub told_at: Option<DateTime<Utc>>,
    /// How often in a row it came back soon after it was resolved.
    pub flaps: u32,
}

/// The episode before, of the same identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// When it ended.
    pub resolved_at: DateTime<Utc>,
    /// Its flaps.
    pub flaps: u32,
}

/// What happens to an open alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// Its condition was seen again, this bad.
    Reported {
        /// How bad.
        severity: Severity,
        /// Whether it has not lasted long enough yet.
        pending: bool,
    },
    /// Its condition is over.
    Over,
    /// Somebody says that they look after it.
    Acked,
    /// Somebody does not want to hear of it.
    Silenced {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// Time went by.
    Waited,
}

/// What people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// It fires.
    Firing,
    /// It still does.
    Reminder,
    /// It is over.
    Resolved,
    /// Many things at once.
    Digest,
}

/// What cannot happen to an alert as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// It has ended.
    #[error("it is resolved already")]
    Resolved,
    /// It has been acked.
    #[error("it is acked already")]
    Acked,
    /// A silence that is over before it begins.
    #[error("the silence would end before it begins")]
    SilenceOver,
}

impl Episode {
    /// One that begins at `at`, and what is told of it.
    pub fn open(
        severity: Severity,
        pending: bool,
        earlier: Option<Earlier>,
        at: DateTime<Utc>,
    ) -> (Self, Option<Notice>) {
        let flaps = match earlier {
            Some(earlier) if at - earlier.resolved_at < FLAP_WITHIN => {
                earlier.flaps.saturating_add(1)
            }
            _ => 0,
        };
        let opened = Self {
            state: State::Pending,
            severity,
            opened_at: at,
            told_at: None,
            flaps,
        };
        if pending {
            return (opened, None);
        }
        opened.firing(at)
    }

    /// What it is after `happening` at `at`, and what is told of that.
    pub fn after(
        &self,
        happening: Happening,
        at: DateTime<Utc>,
    ) -> Result<(Self, Option<Notice>), Illegal> {
        if self.state == State::Resolved {
            return Err(Illegal::Resolved);
        }
        match happening {
            Happening::Reported { severity, pending } => Ok(self.reported(severity, pending, at)),
            Happening::Over => Ok(self.over()),
            Happening::Acked if self.state == State::Acked => Err(Illegal::Acked),
            Happening::Acked => Ok((self.with(State::Acked), None)),
            Happening::Silenced { until } if until <= at => Err(Illegal::SilenceOver),
            Happening::Silenced { until } => Ok((self.with(State::Silenced { until }), None)),
            Happening::Waited => Ok(self.waited(at)),
        }
    }

    fn with(&self, state: State) -> Self {
        Self {
            state,
            ..self.clone()
        }
    }

    fn reported(
        &self,
        severity: Severity,
        pending: bool,
        at: DateTime<Utc>,
    ) -> (Self, Option<Notice>) {
        let worse = severity > self.severity;
        let seen = Self {
            severity: severity.max(self.severity),
            ..self.clone()
        };
        match self.state {
            State::Pending if pending => (seen, None),
            State::Pending => seen.firing(at),
            // It was acked for less than what it has become.
            State::Firing | State::Acked if worse => seen.firing(at),
            State::Firing | State::Silenced { .. } => seen.waited(at),
            State::Acked | State::Resolved => (seen, None),
        }
    }

    /// Whoever was told that it fires is told that it is over, also when it was silenced: a receiver that keeps
    /// state would have it open for ever.
    fn over(&self) -> (Self, Option<Notice>) {
        let told = self.told_at.map(|_| Notice::Resolved);
        (self.with(State::Resolved), told)
    }

    fn waited(&self, at: DateTime<Utc>) -> (Self, Option<Notice>) {
        match self.state {
            State::Silenced { until } if at >= until => self.firing(at),
            State::Firing => match self.told_at {
                None => self.firing(at),
                Some(told) if at - told >= self.reminded_after() => self.told(Notice::Reminder, at),
                Some(_) => (self.clone(), None),
            },
            _ => (self.clone(), None),
        }
    }

    fn reminded_after(&self) -> TimeDelta {
        match self.severity {
            Severity::Critical => REMIND_CRITICAL,
            Severity::Warning => REMIND_WARNING,
        }
    }

    /// Firing, and told, unless it flaps and has not lasted yet.
    fn firing(&self, at: DateTime<Utc>) -> (Self, Option<Notice>) {
        let flaps = self.flaps >= FLAPS_TOLD && self.told_at.is_none();
        if flaps && at - self.opened_at < LASTS {
            return (self.with(State::Firing), None);
        }
        self.told(Notice::Firing, at)
    }

    fn told(&self, notice: Notice, at: DateTime<Utc>) -> (Self, Option<Notice>) {
        let told = Self {
            told_at: Some(at),
            ..self.with(State::Firing)
        };
        (told, Some(notice))
    }
}

impl State {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Acked => "acked",
            Self::Silenced { .. } => "silenced",
            Self::Resolved => "resolved",
        }
    }
}

impl Severity {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Warning, Self::Critical]
            .into_iter()
            .find(|severity| severity.as_str() == name)
    }
}

impl Notice {
    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Reminder => "reminder",
            Self::Resolved => "resolved",
            Self::Digest => "digest",
        }
    }

    /// The notice of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Firing, Self::Reminder, Self::Resolved, Self::Digest]
            .into_iter()
            .find(|notice| notice.as_str() == name)
    }
}

#[cfg(test)]
mod tests;
