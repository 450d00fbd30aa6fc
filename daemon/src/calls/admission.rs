//! Who is let in: so many requests of each kind at once, so many events in them, and no queue behind them.

use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Counter, Gauge};

use super::problem::{Code, Problem};

/// Assigns and exposes in flight: at 10,000 new units a second, each waiting 20 ms for its commit, 200 are
/// in flight; five times that is overload.
const UNITS: usize = 1_024;

/// Tracks in flight: each may hold a body of 1 MiB.
const TRACKS: usize = 256;

/// Events in flight: as many as two writers of 2,000 rows have in the database, and as many again that gather
/// meanwhile. More would only wait: 25,000 at 70,000 a second make 0.4 s of every answer, and their parsing keeps those
/// waiting who are to be refused.
const EVENTS: usize = 8_000;

/// 128 bytes an event: what usual ones take, with an experiment, a unit, a name and an id.
const EVENT_BYTES: u64 = 128;

/// How many usual events `bytes` of them are. Few large ones count for more than they are, in the memory that they take
/// as well.
pub(crate) fn events_in(bytes: u64) -> usize {
    usize::try_from(bytes / EVENT_BYTES).unwrap_or(usize::MAX)
}

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
    /// Events that may be in flight together; of other kinds of requests each is one.
    events: usize,
    events_taken: AtomicUsize,
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
pub(crate) struct Admitted<'a> {
    door: &'a Door,
    events: usize,
}

impl Admission {
    pub(super) fn new() -> Self {
        Self {
            units: Door::new("assign", UNITS, UNITS),
            tracks: Door::new("track", TRACKS, EVENTS),
            reads: Door::new("read", READS, READS),
        }
    }

    /// A place, now or not at all: a caller that is told to come back in a second is better served than one
    /// that waits in a queue that does not get shorter. `events`: how many it brings, as far as is known; else 1.
    pub(super) fn admit(&self, kind: Kind, events: usize) -> Result<Admitted<'_>, Problem> {
        let door = match kind {
            Kind::Unit => &self.units,
            Kind::Track => &self.tracks,
            Kind::Read => &self.reads,
        };
        door.admit(events)
    }
}

impl Door {
    fn new(kind: &'static str, places: usize, events: usize) -> Self {
        Self {
            places,
            events,
            events_taken: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            in_flight: metrics::gauge!("pitboss_http_requests_in_flight", "kind" => kind),
            shed: metrics::counter!("pitboss_shed_total", "reason" => kind),
        }
    }

    fn admit(&self, events: usize) -> Result<Admitted<'_>, Problem> {
        let others = self.taken.fetch_add(1, Ordering::Relaxed);
        let before = self.events_taken.fetch_add(events, Ordering::Relaxed);
        // Who is alone gets in, whatever it brings.
        if others >= self.places || (others > 0 && before + events > self.events) {
            self.leave(events);
            self.shed.increment(1);
            return Err(Problem::new(
                Code::Overloaded,
                "too many requests at once; come back after Retry-After seconds",
            ));
        }
        self.in_flight.increment(1.0);
        Ok(Admitted { door: self, events })
    }

    fn leave(&self, events: usize) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        self.events_taken.fetch_sub(events, Ordering::Relaxed);
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.door.leave(self.events);
        self.door.in_flight.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_lets_in_as_many_as_it_has_places_and_one_more_when_one_leaves() {
        let door = Door::new("test", 2, 2);
        let first = door.admit(1);
        let second = door.admit(1);
        assert!(first.is_ok() && second.is_ok());
        for _ in 0..3 {
            assert!(
                door.admit(1)
                    .is_err_and(|problem| problem.code == Code::Overloaded)
            );
        }
        drop(first);
        let third = door.admit(1);
        assert!(third.is_ok());
        assert!(door.admit(1).is_err());
    }

    #[test]
    fn a_door_lets_in_as_many_events_as_fit_and_any_number_of_them_into_an_empty_house() {
        let door = Door::new("test", 10, 100);
        let large = door.admit(1_000);
        assert!(large.is_ok());
        assert!(door.admit(1).is_err());
        drop(large);
        let first = door.admit(60);
        assert!(first.is_ok());
        assert!(door.admit(41).is_err());
        let second = door.admit(40);
        assert!(second.is_ok());
        assert!(door.admit(1).is_err());
        drop(first);
        assert!(door.admit(60).is_ok());
    }
}
