//! How runs would have ended: what the decision rules recommended, how often and after how long.

use crate::decision::Choice;
use crate::experiment::{ArmId, Millis};
use crate::simulate::{Ended, Mean};

/// One day, in milliseconds.
const DAY: f64 = 86_400_000.0;

/// The ends of the runs so far; of every run exactly one of `ship`, `kill`, `iterate` and `keep_running`.
#[derive(Debug, Clone, PartialEq)]
pub struct Endings {
    /// Everyone gets this arm; arm by arm, in the order of the file.
    pub ship: Vec<Outcome>,
    /// Stopped: control stays.
    pub kill: Outcome,
    /// Stopped, to try something else.
    pub iterate: Outcome,
    /// Not ended when the time was over.
    pub keep_running: Outcome,
    /// This arm was the first that was to be closed; arm by arm. May happen in any run.
    pub close: Vec<Outcome>,
}

/// Something that happens in some of the runs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// The share of the runs in which it did.
    pub share: Mean,
    /// In those, after how many days.
    pub days: Mean,
}

impl Endings {
    pub(super) fn new(arms: usize) -> Self {
        Self {
            ship: vec![Outcome::default(); arms],
            kill: Outcome::default(),
            iterate: Outcome::default(),
            keep_running: Outcome::default(),
            close: vec![Outcome::default(); arms],
        }
    }

    pub(super) fn add(&mut self, ended: Ended) {
        let at_end = |choice: Choice| ended.end.filter(|(it, _)| *it == choice).map(|(_, at)| at);
        for (outcome, arm) in self.ship.iter_mut().zip(0..) {
            outcome.add(at_end(Choice::Ship { arm: ArmId(arm) }));
        }
        self.kill.add(at_end(Choice::Kill));
        self.iterate.add(at_end(Choice::Iterate));
        let never = ended.end.is_none();
        self.keep_running.share.add(f64::from(u8::from(never)));
        for (outcome, arm) in self.close.iter_mut().zip(0..) {
            let closed = ended.closed.filter(|(closed, _)| closed.0 == arm);
            outcome.add(closed.map(|(_, at)| at));
        }
    }
}

impl Outcome {
    fn add(&mut self, at: Option<Millis>) {
        self.share.add(f64::from(u8::from(at.is_some())));
        if let Some(at) = at {
            self.days.add(at.0 as f64 / DAY);
        }
    }
}
