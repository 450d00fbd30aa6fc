//! The words of the house: names, numbers, shares and lengths of time, states, and which state may follow which.

mod millis;
mod names;
mod share;
mod state;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use millis::{InvalidDuration, Millis};
pub use names::{ArmName, ExperimentKey, InvalidName, LaneName, MAX_NAME_LEN};
pub use share::{InvalidShare, Share};
pub use state::{ArmVerb, IllegalTransition, RunState, Verb};

/// Fewest and most arms of an experiment.
pub const ARMS: std::ops::RangeInclusive<usize> = 2..=64;

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
