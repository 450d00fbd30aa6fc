//! What the data path counts, with its handles made once: looking a metric up by name for every request
//! would cost more than the decision.

use metrics::{Counter, counter};

use super::Durability;

/// The counters of one experiment.
#[derive(Clone)]
pub struct Meters {
    /// Units drawn and recorded now.
    pub policy: Counter,
    /// Units that kept their arm.
    pub sticky: Counter,
    /// Control, unrecorded.
    pub fallback: Counter,
    /// Events taken.
    accepted: Counter,
    /// Events that are spooled.
    spooled: Counter,
    /// Events that could not be taken.
    rejected: Counter,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

impl Meters {
    /// Experiments that have series of their own, 6 each; all others share [`Meters::OTHERS`].
    pub const MAX_LABELLED: usize = 200;

    /// What the others share.
    pub const OTHERS: &str = "_other";

    /// The counters labelled with `experiment`. They are there from now on, at 0.
    pub fn new(experiment: &str) -> Self {
        let assignments = |source: &'static str| counter!("pitboss_assignments_total", "experiment" => experiment.to_owned(), "source" => source);
        let events = |outcome: &'static str| counter!("pitboss_events_total", "experiment" => experiment.to_owned(), "outcome" => outcome);
        Self {
            policy: assignments("policy"),
            sticky: assignments("sticky"),
            fallback: assignments("fallback"),
            accepted: events("accepted"),
            spooled: events("spooled"),
            rejected: events("rejected"),
        }
    }

    /// Events that were taken, by where they are, or that could not be.
    pub fn events(&self, taken: Option<Durability>) -> &Counter {
        match taken {
            Some(Durability::Db) => &self.accepted,
            Some(Durability::Spool) => &self.spooled,
            None => &self.rejected,
        }
    }
}
