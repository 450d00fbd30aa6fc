//! How much may land: what is taken must be folded within seconds, so no more is taken than the fold keeps up with.
//!
//! Every half second the landing table's two ends tell how many rows wait and how fast the first one moves. What may
//! wait is what the fold does in three seconds; a sender of more is told to come back. After a time without a fold (its
//! daemon was killed, the next one has yet to be elected) events are taken as before, and later worked off beside half
//! of the traffic: a fold that hangs must not turn into an outage of the port.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Stopwatch;
use crate::store::front::Front;
use crate::store::landing::{self, Waiting};
use crate::store::{Store, StoreError};

/// Half a second: what lands in between is counted here, so a look only has to be as fast as the fold's pace changes.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// 3 s of folding may wait: lag stays under the 5 s that results promise, with room for a round of the fold and for two
/// daemons that look at the same time.
const WAIT: f64 = 3.0;

/// 50,000 rows may always wait: a burst is no overload, and an idle fold has no pace.
const LEAST: f64 = 50_000.0;

/// 5,000,000 rows, about 800 MiB: may wait while nothing is folded.
const STALLED: f64 = 5_000_000.0;

/// 2 s without progress is a stall: a round of the fold takes a tenth of that to half of it.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Of the fold's pace, what is taken while more waits than may: the rest works it off.
const BESIDE: f64 = 0.5;

/// What a look weighs in the pace: four looks, two seconds, are most of it.
const NEWEST: f64 = 0.3;

/// How much may land until the next look.
#[derive(Debug)]
pub struct Backlog {
    room: AtomicI64,
    /// Somebody was refused since the last look.
    full: AtomicBool,
}

impl Default for Backlog {
    /// Without limit, until somebody looks.
    fn default() -> Self {
        Self {
            room: AtomicI64::new(i64::MAX),
            full: AtomicBool::new(false),
        }
    }
}

impl Backlog {
    /// Whether somebody was refused since the last look: the next request is not worth reading. What a smaller one
    /// would have found is less than the refused one needed, and waits for half a second at most.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Takes room for `rows`; `false` if there is none.
    pub(super) fn admit(&self, rows: usize) -> bool {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let taken = |room: i64| (room >= rows).then(|| room - rows);
        let admitted = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken)
            .is_ok();
        if !admitted {
            self.full.store(true, Ordering::Relaxed);
        }
        admitted
    }

    /// So much may land until the next look.
    pub(crate) fn set_room(&self, room: i64) {
        self.room.store(room, Ordering::Relaxed);
        self.full.store(false, Ordering::Relaxed);
    }

    /// Looks until `stop`.
    pub async fn watch(self: Arc<Self>, store: Store, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pace = Pace::default();
        let mut front = Front::default();
        let mut since = Stopwatch::start();
        loop {
            // Both are cancel-safe.
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let seen = landing::waiting(&store, &mut front).await;
            let elapsed = since.elapsed();
            since = Stopwatch::start();
            let room = room(seen, &mut pace, elapsed);
            self.set_room(room);
        }
    }
}

/// What may land after a look. With the database away there is nothing to limit: what happens then is decided where it
/// is written.
fn room(seen: Result<Option<Waiting>, StoreError>, pace: &mut Pace, elapsed: Duration) -> i64 {
    let waiting = match seen {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::debug!(%error, "backlog of the fold unknown");
            *pace = Pace::default();
            return i64::MAX;
        }
    };
    let (rows, lag) = waiting.map_or((0, 0.0), |waiting| (waiting.rows(), waiting.lag_secs));
    metrics::gauge!("pitboss_fold_waiting_rows").set(rows as f64);
    metrics::gauge!("pitboss_fold_lag_seconds").set(lag);
    pace.room(waiting, elapsed)
}

/// How fast the fold is.
#[derive(Debug, Default)]
struct Pace {
    rows_per_sec: f64,
    first: Option<i64>,
    stalled_for: Duration,
}

impl Pace {
    /// What may land until the next look, given what waits now, `elapsed` after the last look.
    fn room(&mut self, waiting: Option<Waiting>, elapsed: Duration) -> i64 {
        let Some(waiting) = waiting else {
            // The fold is faster than what comes: its pace is at least what it was.
            self.first = None;
            self.stalled_for = Duration::ZERO;
            return self.may_wait() as i64;
        };
        if let Some(first) = self.first {
            let folded = (waiting.first - first).max(0) as f64;
            // A round leaves the table at its end: what left took all the time since the last one did.
            let pace = folded / (self.stalled_for + elapsed).as_secs_f64().max(1e-3);
            if folded > 0.0 {
                self.stalled_for = Duration::ZERO;
                self.rows_per_sec += (pace - self.rows_per_sec) * NEWEST;
            } else {
                self.stalled_for += elapsed;
            }
        }
        self.first = Some(waiting.first);
        let rows = waiting.rows() as f64;
        let beside = self.rows_per_sec * BESIDE * LOOK_EVERY.as_secs_f64();
        if self.stalled_for >= STALLED_AFTER {
            return (STALLED - rows).max(0.0) as i64;
        }
        (self.may_wait() - rows).max(beside).max(0.0) as i64
    }

    fn may_wait(&self) -> f64 {
        (self.rows_per_sec * WAIT).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(first: i64, rows: i64) -> Waiting {
        Waiting {
            first,
            last: first + rows - 1,
            lag_secs: 0.0,
        }
    }

    /// Looks, half a second apart; gives the room after the last one.
    fn after(looks: &[Option<Waiting>]) -> i64 {
        let mut pace = Pace::default();
        let rooms = looks.iter().map(|look| pace.room(*look, LOOK_EVERY));
        rooms.last().expect("somebody looked")
    }

    #[test]
    fn a_burst_is_taken_and_a_sea_is_not() {
        assert_eq!(after(&[None]), 50_000);
        assert_eq!(after(&[Some(waiting(1, 20_000))]), 30_000);
        assert_eq!(after(&[Some(waiting(1, 60_000))]), 0);
    }

    #[test]
    fn three_seconds_of_folding_may_wait() {
        // 20,000 rows in each half second.
        let looks: Vec<_> = (0..40)
            .map(|n| Some(waiting(1 + n * 20_000, 90_000)))
            .collect();
        let room = after(&looks);
        assert!((29_900..=30_000).contains(&room), "{room}");
    }

    #[test]
    fn a_round_that_takes_several_looks_is_as_slow_as_it_is() {
        // 20,000 rows in a second and a half.
        let looks: Vec<_> = (0..60)
            .map(|n| Some(waiting(1 + n / 3 * 20_000, 30_000)))
            .collect();
        let room = after(&looks);
        assert_eq!(
            room, 20_000,
            "three seconds are less than what may always wait"
        );
    }

    #[test]
    fn more_than_may_wait_is_worked_off_beside_half_of_the_pace() {
        let looks: Vec<_> = (0..40)
            .map(|n| Some(waiting(1 + n * 20_000, 900_000)))
            .collect();
        let room = after(&looks);
        assert!((9_900..=10_000).contains(&room), "{room}");
    }

    #[test]
    fn nothing_is_refused_while_nobody_folds_until_far_more_waits() {
        let stalled: Vec<_> = (0..5).map(|n| Some(waiting(7, 60_000 * (n + 1)))).collect();
        assert_eq!(after(&stalled[..3]), 0, "it may be a long round");
        assert_eq!(after(&stalled), 5_000_000 - 300_000);
        assert_eq!(after(&[Some(waiting(7, 9_000_000)); 6]), 0);
    }

    #[test]
    fn room_is_taken_by_the_row() {
        let backlog = Backlog::default();
        assert!(backlog.admit(usize::MAX));
        backlog.set_room(1_500);
        assert!(!backlog.is_full());
        assert!(backlog.admit(1_000));
        assert!(!backlog.admit(1_000));
        assert!(backlog.admit(500));
        assert!(!backlog.admit(1));
        assert!(backlog.admit(0));
    }

    #[test]
    fn who_is_refused_closes_the_door_until_the_next_look() {
        let backlog = Backlog::default();
        backlog.set_room(100);
        assert!(backlog.admit(99));
        assert!(!backlog.is_full());
        assert!(!backlog.admit(2));
        assert!(backlog.is_full());
        backlog.set_room(100);
        assert!(!backlog.is_full());
    }
}
