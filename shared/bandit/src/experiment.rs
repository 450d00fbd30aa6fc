//! The words of the house: keys, ids, states, and which state may follow which.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Longest experiment key or arm name, in bytes.
pub const MAX_NAME_LEN: usize = 128;

/// Fewest and most arms of an experiment.
pub const ARMS: std::ops::RangeInclusive<usize> = 2..=64;

/// The public name of an experiment: `[a-z0-9][a-z0-9._-]{0,127}`, without `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExperimentKey(String);

/// The name of an arm inside its experiment, of the same form as an experiment key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArmName(String);

/// The name of a lane inside its experiment, of the same form as an experiment key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LaneName(String);

/// Why a text is not a key or the name of an arm or a lane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a valid name: use 1 to {MAX_NAME_LEN} of a-z 0-9 . _ - and start with a letter or digit"
)]
pub struct InvalidName {
    text: String,
}

fn check_name(text: &str) -> Result<(), InvalidName> {
    let mut bytes = text.bytes();
    let starts_well = bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let goes_on_well =
        bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if starts_well && goes_on_well && text.len() <= MAX_NAME_LEN && !text.contains("..") {
        return Ok(());
    }
    let shown: String = text.chars().take(MAX_NAME_LEN).collect();
    Err(InvalidName { text: shown })
}

macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check_name(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                check_name(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(ExperimentKey);
name_type!(ArmName);
name_type!(LaneName);

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id_type!(
    /// The small number an experiment has inside the database; never reused.
    ExperimentId(i32)
);
id_type!(
    /// An arm's number inside its experiment, given at first sight and kept for ever; never reused.
    ArmId(u16)
);
id_type!(
    /// A lane's number inside its experiment, given to its name at first sight and kept for ever; 0 is the holdback.
    LaneId(u16)
);
id_type!(
    /// The number of a published policy version of a lane, from 1.
    Version(u32)
);
id_type!(
    /// The number of a mutation of this installation, from 0; every applied change adds one.
    Revision(u64)
);

impl LaneId {
    /// The lane with an even, never-trained split.
    pub const HOLDBACK: Self = Self(0);
    /// The lane called `main`: the one learning lane, unless a file declares others.
    pub const MAIN: Self = Self(1);
}

/// A fraction in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

/// A number outside `0..=1` where a share is wanted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is not a share: use 0 to 1, or a percentage in quotes such as \"50%\"")]
pub struct InvalidShare(f64);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0.0);
    /// Everything.
    pub const ALL: Self = Self(1.0);

    /// `value` must be in `0..=1`.
    pub fn new(value: f64) -> Result<Self, InvalidShare> {
        if (0.0..=1.0).contains(&value) {
            return Ok(Self(value));
        }
        Err(InvalidShare(value))
    }

    /// The fraction, in `0..=1`.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = InvalidShare;

    fn try_from(value: f64) -> Result<Self, InvalidShare> {
        Self::new(value)
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> f64 {
        share.0
    }
}

/// A length of time in whole milliseconds, written by people as `90s`, `24h` or `1h 30m`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Millis(pub u64);

/// A text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a duration: use numbers with ms, s, m, h or d, such as \"90s\", \"24h\" or \"1h 30m\""
)]
pub struct InvalidDuration {
    text: String,
}

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl Millis {
    /// The same length as the standard library's type.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// The same length as chrono's type; lengths over 200 million years are cut.
    pub fn to_chrono(self) -> chrono::TimeDelta {
        chrono::TimeDelta::milliseconds(i64::try_from(self.0).unwrap_or(i64::MAX / 2))
    }
}

impl FromStr for Millis {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration {
            text: text.chars().take(40).collect(),
        };
        let mut rest = text.trim();
        let mut total: u64 = 0;
        if rest.is_empty() {
            return Err(invalid());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let amount: u64 = rest[..digits].parse().map_err(|_| invalid())?;
            rest = rest[digits..].trim_start();
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit = &rest[..letters];
            let (_, per_unit) = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or_else(invalid)?;
            let part = amount.checked_mul(*per_unit).ok_or_else(invalid)?;
            total = total.checked_add(part).ok_or_else(invalid)?;
            rest = rest[letters..].trim_start();
        }
        Ok(Self(total))
    }
}

impl TryFrom<String> for Millis {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl From<Millis> for String {
    fn from(length: Millis) -> String {
        length.to_string()
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        let mut separator = "";
        for (name, per_unit) in UNITS {
            let amount = rest / per_unit;
            rest %= per_unit;
            if amount > 0 {
                write!(f, "{separator}{amount}{name}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}

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

/// An arm as the database knows it: its number outlives its place in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Its number.
    pub id: ArmId,
    /// Its name.
    pub name: ArmName,
    /// Whether it is the one control.
    pub control: bool,
    /// What callers who draw it are told.
    pub config: serde_json::Value,
    /// No longer declared: gets no new units, and its units get control.
    pub retired: bool,
    /// Under a quarantine: gets no new units until that is released; what its units get, the spec says.
    #[serde(default)]
    pub quarantined: bool,
}

impl Arm {
    /// Whether new units may draw it.
    pub fn is_open(&self) -> bool {
        !self.retired && !self.quarantined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip_through_text() {
        for (text, millis) in [
            ("90s", 90_000),
            ("24h", 86_400_000),
            ("1h 30m", 5_400_000),
            ("250ms", 250),
            ("0s", 0),
            ("7d", 604_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Millis(millis)));
            assert_eq!(Millis(millis).to_string().parse(), Ok(Millis(millis)));
        }
        for text in ["", "5", "h", "-1s", "1w", "99999999999999999999s", "1.5h"] {
            assert!(text.parse::<Millis>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_keep_to_their_alphabet() {
        for good in ["a", "checkout_button", "9.lives", "a-b"] {
            assert!(good.parse::<ExperimentKey>().is_ok(), "{good}");
        }
        let long = "a".repeat(129);
        for bad in ["", ".", "..", "a..b", "A", "-a", "a/b", "ü", &long] {
            assert!(bad.parse::<ExperimentKey>().is_err(), "{bad}");
        }
    }

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
