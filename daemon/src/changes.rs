//! What changed since a console looked last: the feed behind `watch`.
//!
//! The feed keeps, per experiment, the number of its newest change and nothing else: what an experiment
//! looks like is read when the answer is built. So changes coalesce by themselves, a slow console costs
//! nothing, and the memory is bounded by the number of experiments.

mod feeder;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bandit::experiment::ExperimentKey;
use protocol::control::Cursor;
use tokio::sync::watch;

pub use feeder::Feeder;

/// Experiments whose newest change is remembered. Beyond that the oldest are forgotten, and a console
/// that has not watched since then takes a snapshot.
const REMEMBERED: usize = 20_000;

/// The changes of one run of the daemon. Cheap to clone; clones share one feed.
#[derive(Debug, Clone)]
pub struct Feed {
    run: Arc<str>,
    newest: Arc<Mutex<Newest>>,
    bell: watch::Sender<u64>,
}

#[derive(Debug)]
struct Newest {
    capacity: usize,
    seq: u64,
    forgotten: u64,
    by_seq: BTreeMap<u64, ExperimentKey>,
    by_key: HashMap<ExperimentKey, u64>,
}

/// What changed after a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// These, the longest unchanged first; none if there were none.
    Since(Batch),
    /// The cursor is of another run, or from too long ago.
    Unknown,
}

/// Changed experiments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Where to go on.
    pub cursor: Cursor,
    /// Which experiments.
    pub keys: Vec<ExperimentKey>,
    /// Changes that were merged into later ones of the same experiment.
    pub coalesced: u64,
    /// There are more after the cursor.
    pub more: bool,
}

impl Feed {
    /// An empty feed. `run` tells this run of the daemon from every other.
    pub fn new(run: &str) -> Self {
        Self::remembering(run, REMEMBERED)
    }

    fn remembering(run: &str, capacity: usize) -> Self {
        Self {
            run: run.into(),
            newest: Arc::new(Mutex::new(Newest {
                capacity,
                seq: 0,
                forgotten: 0,
                by_seq: BTreeMap::new(),
                by_key: HashMap::new(),
            })),
            bell: watch::Sender::new(0),
        }
    }

    /// These experiments are not what they were.
    pub fn changed(&self, keys: impl IntoIterator<Item = ExperimentKey>) {
        let mut newest = self.newest();
        let before = newest.seq;
        for key in keys {
            newest.put(key);
        }
        let seq = newest.seq;
        drop(newest);
        if seq != before {
            self.bell.send_replace(seq);
        }
    }

    /// Where the feed is now.
    pub fn cursor(&self) -> Cursor {
        self.cursor_at(self.newest().seq)
    }

    /// What changed after `cursor`, at most `limit` experiments.
    pub fn since(&self, cursor: &Cursor, limit: usize) -> Changes {
        let newest = self.newest();
        let known =
            cursor.run == *self.run && (newest.forgotten..=newest.seq).contains(&cursor.seq);
        if !known {
            return Changes::Unknown;
        }
        let mut after = newest.by_seq.range(cursor.seq + 1..);
        let batch: Vec<_> = after.by_ref().take(limit).collect();
        let more = after.next().is_some();
        let upto = match batch.last() {
            Some((seq, _)) if more => **seq,
            _ => newest.seq,
        };
        Changes::Since(Batch {
            cursor: self.cursor_at(upto),
            coalesced: upto - cursor.seq - batch.len() as u64,
            keys: batch.into_iter().map(|(_, key)| key.clone()).collect(),
            more,
        })
    }

    /// Rings at every change.
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Whether anyone waits for changes.
    pub fn is_watched(&self) -> bool {
        self.bell.receiver_count() > 0
    }

    fn cursor_at(&self, seq: u64) -> Cursor {
        Cursor {
            run: self.run.to_string(),
            seq,
        }
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Newest {
    fn put(&mut self, key: ExperimentKey) {
        self.seq += 1;
        if let Some(older) = self.by_key.insert(key.clone(), self.seq) {
            self.by_seq.remove(&older);
        }
        self.by_seq.insert(self.seq, key);
        if self.by_seq.len() > self.capacity {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((seq, key)) = self.by_seq.pop_first() {
            self.by_key.remove(&key);
            self.forgotten = seq;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ExperimentKey {
        name.parse().unwrap()
    }

    fn batch(feed: &Feed, cursor: &Cursor, limit: usize) -> Batch {
        match feed.since(cursor, limit) {
            Changes::Since(batch) => batch,
            Changes::Unknown => panic!("the cursor is known"),
        }
    }

    #[test]
    fn changes_of_one_experiment_coalesce() {
        let feed = Feed::new("run");
        let start = feed.cursor();
        feed.changed(["a", "b", "a", "a"].map(key));
        let seen = batch(&feed, &start, 10);
        assert_eq!(seen.keys, [key("b"), key("a")]);
        assert_eq!((seen.coalesced, seen.more), (2, false));
        let again = batch(&feed, &seen.cursor, 10);
        assert_eq!((again.keys.len(), again.coalesced), (0, 0));
    }

    #[test]
    fn pages_lose_nothing() {
        let feed = Feed::new("run");
        let mut cursor = feed.cursor();
        feed.changed(["a", "b", "c", "d", "b"].map(key));
        let mut seen = Vec::new();
        let mut coalesced = 0;
        loop {
            let page = batch(&feed, &cursor, 2);
            seen.extend(page.keys);
            coalesced += page.coalesced;
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        assert_eq!(seen, ["a", "c", "d", "b"].map(key));
        assert_eq!(coalesced, 1);
        assert_eq!(cursor, feed.cursor());
    }

    #[test]
    fn cursors_of_another_run_or_from_too_long_ago_are_unknown() {
        let feed = Feed::remembering("run", 2);
        let start = feed.cursor();
        let foreign = Cursor {
            run: "other".into(),
            seq: 0,
        };
        let future = Cursor {
            run: "run".into(),
            seq: 9,
        };
        assert_eq!(feed.since(&foreign, 10), Changes::Unknown);
        assert_eq!(feed.since(&future, 10), Changes::Unknown);
        feed.changed(["a", "b"].map(key));
        assert_eq!(batch(&feed, &start, 10).keys.len(), 2);
        feed.changed([key("c")]);
        assert_eq!(feed.since(&start, 10), Changes::Unknown);
    }

    #[test]
    fn the_bell_rings_only_when_something_changed() {
        let feed = Feed::new("run");
        assert!(!feed.is_watched());
        let mut bell = feed.bell();
        assert!(feed.is_watched());
        feed.changed([]);
        assert!(!bell.has_changed().unwrap());
        feed.changed([key("a")]);
        assert!(bell.has_changed().unwrap());
        bell.mark_unchanged();
    }
}
