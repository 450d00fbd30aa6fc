//! Who is let in: so many requests of each kind at once, and no queue behind them.

use metrics::{Counter, Gauge};
use tokio::sync::{Semaphore, SemaphorePermit};

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
    places: Semaphore,
    in_flight: Gauge,
    shed: Counter,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

/// A place, taken until it is dropped.
pub(crate) struct Admitted<'a> {
    _place: SemaphorePermit<'a>,
    in_flight: &'a Gauge,
}

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
            places: Semaphore::new(places),
            in_flight: metrics::gauge!("pitboss_http_requests_in_flight", "kind" => kind),
            shed: metrics::counter!("pitboss_shed_total", "reason" => kind),
        }
    }

    fn admit(&self) -> Result<Admitted<'_>, Problem> {
        let Ok(place) = self.places.try_acquire() else {
            self.shed.increment(1);
            return Err(Problem::new(
                Code::Overloaded,
                "too many requests at once; come back after Retry-After seconds",
            ));
        };
        self.in_flight.increment(1.0);
        Ok(Admitted {
            _place: place,
            in_flight: &self.in_flight,
        })
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.in_flight.decrement(1.0);
    }
}
