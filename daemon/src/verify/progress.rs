//! How far verification has come, for whoever waits for it.

use std::fmt;

/// What has been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Blocks of the events ledger, of so many.
    Events {
        /// Seen.
        blocks: i64,
        /// All.
        of: i64,
    },
    /// Units of an experiment.
    Units {
        /// Its key.
        experiment: &'a str,
        /// Seen.
        units: u64,
    },
}

/// Is told every step.
pub type Watch<'a> = &'a mut (dyn FnMut(Step<'_>) + Send);

/// For nobody.
pub fn unwatched(_: Step<'_>) {}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Events { blocks, of } => {
                write!(f, "events ledger: {} %", blocks * 100 / of.max(1))
            }
            Self::Units { experiment, units } => write!(f, "{experiment}: {units} units"),
        }
    }
}
