//! What a driver counted: requests by how they went, and how long they took.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

/// How one request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Went {
    /// Answered with what was asked for.
    Answered,
    /// An assign that was answered with control instead of the unit's own arm.
    Fallback,
    /// 429 or 503, with whole seconds in `Retry-After`.
    Refused,
    /// 429 or 503 without that.
    RefusedBadly,
    /// Any other status.
    Wrong,
    /// No connection.
    NotConnected,
    /// The connection broke before the answer.
    Broken,
    /// No answer in time.
    TimedOut,
}

/// Which request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// An assign.
    Assign,
    /// One event.
    Track,
    /// Many events.
    TrackBatch,
}

/// The counts.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<(Asked, Went), u64>,
    latencies: Vec<u32>,
    refusals: Vec<u32>,
    /// Visits that were given up after all their tries.
    pub given_up: u64,
    /// Events in acknowledged requests.
    pub events: u64,
    /// The first few answers that should not have been.
    pub told: Vec<String>,
}

/// Examples that are kept.
const MOST_TOLD: usize = 10;

impl Tally {
    /// Counts one request.
    pub fn note(&mut self, asked: Asked, went: Went, took: Duration) {
        *self.counts.entry((asked, went)).or_default() += 1;
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        match went {
            Went::Answered | Went::Fallback => self.latencies.push(micros),
            Went::Refused | Went::RefusedBadly => self.refusals.push(micros),
            _ => {}
        }
    }

    /// Keeps an example.
    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.told.len() < MOST_TOLD {
            self.told.push(what());
        }
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: Self) {
        for (key, count) in other.counts {
            *self.counts.entry(key).or_default() += count;
        }
        self.latencies.extend(other.latencies);
        self.refusals.extend(other.refusals);
        self.given_up += other.given_up;
        self.events += other.events;
        self.told.extend(other.told);
        self.told.truncate(MOST_TOLD);
    }

    /// Requests that went like this, of one kind or of all.
    pub fn count(&self, asked: Option<Asked>, went: &[Went]) -> u64 {
        let wanted =
            |key: &(Asked, Went)| asked.is_none_or(|a| a == key.0) && went.contains(&key.1);
        let counts = self.counts.iter().filter(|(key, _)| wanted(key));
        counts.map(|(_, count)| count).sum()
    }

    /// All requests, of one kind or of all.
    pub fn all(&self, asked: Option<Asked>) -> u64 {
        let counts = self.counts.iter();
        counts
            .filter(|((kind, _), _)| asked.is_none_or(|asked| asked == *kind))
            .map(|(_, count)| count)
            .sum()
    }

    /// Requests that failed for a caller who does not try again.
    pub fn failed(&self) -> u64 {
        self.all(None) - self.count(None, &[Went::Answered, Went::Fallback])
    }

    /// The share of assigns that were answered with an arm, in `0..=1`.
    pub fn assigns_answered(&self) -> f64 {
        let asked = self.all(Some(Asked::Assign));
        let answered = self.count(Some(Asked::Assign), &[Went::Answered, Went::Fallback]);
        answered as f64 / (asked as f64).max(1.0)
    }

    /// The slowest answer, whatever it was.
    pub fn slowest(&self) -> Duration {
        let all = self.latencies.iter().chain(&self.refusals);
        Duration::from_micros(all.max().copied().unwrap_or(0).into())
    }

    /// The slowest but one in a hundred of the refusals.
    pub fn refusal_p99(&mut self) -> Duration {
        self.refusals.sort_unstable();
        Duration::from_micros(percentile(&self.refusals, 0.99).into())
    }

    /// As JSON: counts by kind, latencies in milliseconds.
    pub fn json(&mut self) -> Value {
        self.latencies.sort_unstable();
        self.refusals.sort_unstable();
        let mut requests: BTreeMap<Asked, BTreeMap<Went, u64>> = BTreeMap::new();
        for ((asked, went), count) in &self.counts {
            requests.entry(*asked).or_default().insert(*went, *count);
        }
        json!({
            "requests": requests,
            "given_up": self.given_up,
            "assigns_answered": self.assigns_answered(),
            "latency_ms": spread(&self.latencies),
            "refusal_ms": spread(&self.refusals),
            "told": self.told,
        })
    }
}

fn spread(sorted: &[u32]) -> Value {
    let millis = |share| f64::from(percentile(sorted, share)) / 1_000.0;
    json!({
        "p50": millis(0.5), "p95": millis(0.95), "p99": millis(0.99), "max": millis(1.0),
    })
}

fn percentile(sorted: &[u32], share: f64) -> u32 {
    let at = (sorted.len().saturating_sub(1) as f64 * share) as usize;
    sorted.get(at).copied().unwrap_or(0)
}
