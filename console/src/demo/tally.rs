//! What the simulated services have done so far, counted where it happens.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Counters that every task adds to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub visits: Counter,
    pub new_units: Counter,
    pub sticky: Counter,
    pub unassigned: Counter,
    pub arm_changes: Counter,
    pub assign_errors: Counter,
    pub acknowledged: Counter,
    pub rejected: Counter,
    pub unanswered: Counter,
    pub track_errors: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters at one moment, as the summary shows them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Assign calls that were answered.
    pub visits: u64,
    /// Answers that drew an arm for the first time.
    pub new_units: u64,
    /// Answers that repeated an arm.
    pub sticky: u64,
    /// Answers without an arm of their own: not eligible, out of traffic, paused.
    pub unassigned: u64,
    /// Units that were told another arm than before; must be 0.
    pub arm_changes: u64,
    /// Assign calls that failed and were tried again.
    pub assign_errors: u64,
    /// Events that the data port took.
    pub acknowledged: u64,
    /// Events that the data port refused; must be 0.
    pub rejected: u64,
    /// Events that were sent and never answered; the ledger may have them or not.
    pub unanswered: u64,
    /// Batches that failed and were sent again.
    pub track_errors: u64,
}

impl Tally {
    pub(super) fn counts(&self) -> Counts {
        let Self {
            visits,
            new_units,
            sticky,
            unassigned,
            arm_changes,
            assign_errors,
            acknowledged,
            rejected,
            unanswered,
            track_errors,
        } = self;
        Counts {
            visits: visits.get(),
            new_units: new_units.get(),
            sticky: sticky.get(),
            unassigned: unassigned.get(),
            arm_changes: arm_changes.get(),
            assign_errors: assign_errors.get(),
            acknowledged: acknowledged.get(),
            rejected: rejected.get(),
            unanswered: unanswered.get(),
            track_errors: track_errors.get(),
        }
    }
}
