//! Who is let in: so many requests of each kind at once, and no queue behind them.

use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Counter, Gauge};

use super::problem::{Code, Problem};

/// Assigns and exposes in flight: at 10,000 new units a second, each waiting 20 ms for its commit, 200 are
/// in flight; five times that is overload.
const UNITS: usize = 1_024;

/// Tracks in flight: each may hold a body of 1 MiB.
const TRACKS: usize = 256;

/// Reads in flight: each may hold a connection of the pool that mutations and workers need too.
const READS: usize = 8;

/// What a place is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An assign or an expose.
    Unit,
    /// One event or a batch.
    Track,
    /// A look.
    Read,
}

/// The doors. Assigns, tracks and reads do not take each other's places.
#[derive(Debug)]
pub(super) struct Admission {
    units: Door,
    tracks: Door,
    reads: Door,
}

struct Door {
    places: usize,
    /// A count and not a semaphore: giving a place back would take a lock that all cores share.
    taken: AtomicUsize,
    in_flight: Gauge,
    shed: Counter,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("places", &self.places)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

/// A place, taken until it is dropped.
pub(crate) struct Admitted<'a>(&'a Door);

impl Admission {
    pub(super) fn new() -> Self {
        Self {
            units: Door::new("assign", UNITS),
            tracks: Door::new("track", TRACKS),
            reads: Door::new("read", READS),
        }
    }

    /// A place, now or not at all: a caller that is told to come back in a second is better served than one
    /// that waits in a queue that does not get shorter.
    pub(super) fn admit(&self, kind: Kind) -> Result<Admitted<'_>, Problem> {
        let door = match kind {
            Kind::Unit => &self.units,
            Kind::Track => &self.tracks,
            Kind::Read => &self.reads,
        };
        door.admit()
    }
}

impl Door {
    fn new(kind: &'static str, places: usize) -> Self {
        Self {
            places,
            taken: AtomicUsize::new(0),
            in_flight: metrics::gauge!("pitboss_http_requests_in_flight", "kind" => kind),
            shed: metrics::counter!("pitboss_shed_total", "reason" => kind),
        }
    }

    fn admit(&self) -> Result<Admitted<'_>, Problem> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.places {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            self.shed.increment(1);
            return Err(Problem::new(
                Code::Overloaded,
                "too many requests at once; come back after Retry-After seconds",
            ));
        }
        self.in_flight.increment(1.0);
        Ok(Admitted(self))
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.in_flight.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_lets_in_as_many_as_it_has_places_and_one_more_when_one_leaves() {
        let door = Door::new("test", 2);
        let first = door.admit();
        let second = door.admit();
        assert!(first.is_ok() && second.is_ok());
        for _ in 0..3 {
            assert!(
                door.admit()
                    .is_err_and(|problem| problem.code == Code::Overloaded)
            );
        }
        drop(first);
        let third = door.admit();
        assert!(third.is_ok());
        assert!(door.admit().is_err());
    }
}
