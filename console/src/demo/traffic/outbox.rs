//! Events on their way: each waits for its time, then goes out in a batch, again and again until it is answered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::demo::http::Http;
use crate::demo::tally::Tally;

/// Events of one request: what a client library of a service would gather.
const BATCH: usize = 40;

/// How long it gathers.
const EVERY: Duration = Duration::from_millis(150);

/// Between two tries of the same batch.
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// How often a batch is tried once the traffic stops: about ten seconds for a daemon that is just restarting.
const LAST_TRIES: u32 = 20;

/// One event and when it happens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Planned {
    #[serde(skip)]
    pub due: Instant,
    pub experiment: &'static str,
    pub unit: String,
    pub event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The same on every try: one effect, however often it is sent.
    pub id: String,
}

/// By time, then by id.
#[derive(Debug, PartialEq)]
struct ByTime(Planned);

impl Eq for ByTime {}

impl Ord for ByTime {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (a, b) = (&self.0, &other.0);
        a.due.cmp(&b.due).then_with(|| a.id.cmp(&b.id))
    }
}

impl PartialOrd for ByTime {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What the data port says of a batch; the demo needs no more of it.
#[derive(Debug, Deserialize)]
struct Tracked {
    accepted: u64,
    rejected: u64,
}

pub(super) struct Outbox {
    http: Http,
    tally: Arc<Tally>,
    waiting: BinaryHeap<Reverse<ByTime>>,
}

impl Outbox {
    pub(super) fn new(data_address: &str, tally: Arc<Tally>) -> Self {
        Self {
            http: Http::new(data_address),
            tally,
            waiting: BinaryHeap::new(),
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Planned>, stop: CancellationToken) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // All three are cancel safe.
            tokio::select! {
                () = stop.cancelled() => return,
                Some(planned) = inbox.recv() => self.waiting.push(Reverse(ByTime(planned))),
                _ = tick.tick() => self.send_due(&stop).await,
            }
        }
    }

    /// Every batch whose time has come; between two of them the traffic may stop.
    async fn send_due(&mut self, stop: &CancellationToken) {
        loop {
            let batch = self.take_due(Instant::now());
            if batch.is_empty() || stop.is_cancelled() {
                return;
            }
            self.deliver(&batch, stop).await;
        }
    }

    fn take_due(&mut self, now: Instant) -> Vec<Planned> {
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(Reverse(first)) = self.waiting.peek()
            && first.0.due <= now
            && let Some(Reverse(ByTime(planned))) = self.waiting.pop()
        {
            batch.push(planned);
        }
        batch
    }

    /// Until it is answered: an event that may have been taken must not stay in doubt.
    async fn deliver(&mut self, batch: &[Planned], stop: &CancellationToken) {
        let body = serde_json::to_string(batch).expect("events are plain data");
        let mut tries_after_stop = 0;
        while tries_after_stop < LAST_TRIES {
            if let Ok((status, answer)) = self.http.post("/api/track", body.clone()).await
                && status.is_success()
                && let Ok(tracked) = serde_json::from_slice::<Tracked>(&answer)
            {
                self.tally.acknowledged.add(tracked.accepted);
                self.tally.rejected.add(tracked.rejected);
                return;
            }
            self.tally.track_errors.add(1);
            if stop.is_cancelled() {
                tries_after_stop += 1;
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        self.tally.unanswered.add(batch.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(due: Instant, id: &str) -> Planned {
        Planned {
            due,
            experiment: "pricing",
            unit: "u".into(),
            event: "subscribe".into(),
            value: None,
            id: id.into(),
        }
    }

    fn ids(batch: &[Planned]) -> Vec<&str> {
        batch.iter().map(|planned| planned.id.as_str()).collect()
    }

    #[test]
    fn events_go_out_when_their_time_has_come_and_in_its_order() {
        let now = Instant::now();
        let mut outbox = Outbox::new("127.0.0.1:1", Arc::default());
        for (seconds, id) in [(3, "late"), (1, "b"), (1, "a"), (0, "first")] {
            let due = now + Duration::from_secs(seconds);
            outbox.waiting.push(Reverse(ByTime(event(due, id))));
        }
        let soon = now + Duration::from_secs(2);
        assert_eq!(ids(&outbox.take_due(soon)), ["first", "a", "b"]);
        assert!(outbox.take_due(soon).is_empty());
    }

    #[test]
    fn a_batch_is_bounded() {
        let now = Instant::now();
        let mut outbox = Outbox::new("127.0.0.1:1", Arc::default());
        for number in 0..=BATCH {
            let planned = event(now, &number.to_string());
            outbox.waiting.push(Reverse(ByTime(planned)));
        }
        assert_eq!(outbox.take_due(now).len(), BATCH);
        assert_eq!(outbox.take_due(now).len(), 1);
    }

    #[test]
    fn an_event_is_sent_without_its_time() {
        // The data port stamps it on arrival, as it does for services without a clock of their own.
        let json = serde_json::to_value(event(Instant::now(), "a")).unwrap();
        let wanted = serde_json::json!({
            "experiment": "pricing", "unit": "u", "event": "subscribe", "id": "a"
        });
        assert_eq!(json, wanted);
    }
}
