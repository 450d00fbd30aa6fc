//! A flood of events: batches of about a hundred, sent by many services at a fixed rate whether or not the
//! daemon keeps up. A batch that is refused is sent again, so building batches costs only what is accepted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::issued::Event;
use super::oracle::Oracle;
use super::tally::{Asked, Tally, Went};

/// Units of a batch: about 100 events.
const UNITS: u64 = 29;

/// 100 ms: what a sender that has time waits after a refusal. Refusals then cost nothing that would show, and what
/// opens is taken soon.
const PAUSE: Duration = Duration::from_millis(100);

/// A flood.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    /// Connections, each with one batch in flight.
    pub services: usize,
    /// Batches a second that they send together; `None` is the next one at once.
    pub batches_per_sec: Option<f64>,
    /// Who is refused pauses: what is taken is then what the daemon takes when nobody pushes.
    pub pauses: bool,
    /// How long.
    pub for_: Duration,
}

impl Flood {
    /// Runs it against the daemon at `port`.
    pub async fn run(self, oracle: &Arc<Oracle>, port: SocketAddr) -> Tally {
        let over = CancellationToken::new();
        let mut services = JoinSet::new();
        for _ in 0..self.services {
            let sender = Sender {
                oracle: Arc::clone(oracle),
                client: Client::new(vec![port]),
                pauses: self.pauses,
                every: self.batches_per_sec.map(|rate| self.services as f64 / rate),
                tally: Tally::default(),
            };
            services.spawn(sender.run(over.clone()));
        }
        tokio::time::sleep(self.for_).await;
        over.cancel();
        let mut all = Tally::default();
        for tally in services.join_all().await {
            all.add(tally);
        }
        all
    }
}

struct Sender {
    oracle: Arc<Oracle>,
    client: Client,
    pauses: bool,
    every: Option<f64>,
    tally: Tally,
}

impl Sender {
    async fn run(mut self, over: CancellationToken) -> Tally {
        let mut turns = self.every.map(|every| {
            let mut turns = tokio::time::interval(Duration::from_secs_f64(every));
            // What is late is sent at once: the flood does not get thinner because the daemon is slow.
            turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
            turns
        });
        let mut batch = self.batch();
        while !over.is_cancelled() {
            if let Some(turns) = &mut turns {
                turns.tick().await;
            }
            let reply = self.client.post(0, "/api/track", batch.1.clone()).await;
            self.tally.note(Asked::TrackBatch, reply.went, reply.took);
            if self.pauses && reply.went == Went::Refused {
                tokio::time::sleep(PAUSE).await;
            }
            if reply.went == Went::Answered {
                match self.oracle.tracked_batch(&batch.0, &reply.json) {
                    Ok(taken) => self.tally.events += taken as u64,
                    Err(error) => self.tally.tell(|| error.to_string()),
                }
                batch = self.batch();
            }
        }
        self.tally
    }

    fn batch(&self) -> (Vec<Event>, Bytes) {
        let issued = self.oracle.issued;
        let units = self.oracle.issue(UNITS);
        let events: Vec<Event> = units.iter().flat_map(|unit| issued.events(*unit)).collect();
        let bodies: Vec<Value> = events
            .iter()
            .map(|event| issued.body(*event, true))
            .collect();
        (events, Bytes::from(Value::from(bodies).to_string()))
    }
}
