//! The load: services that assign units, ask again elsewhere, and track what the units do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::client::{Client, Reply};
use super::issued::Event;
use super::oracle::{Oracle, Senseless};
use super::tally::{Asked, Tally, Went};

/// How much, and how stubbornly.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Services, each with one request in flight.
    pub services: usize,
    /// Visits a second that they make together, as far as the daemons let them.
    pub visits_per_sec: f64,
    /// The share of visits that bring ten units and track all their events in one batch.
    pub batches: f64,
    /// Tries of one request, each at another daemon.
    pub tries: usize,
}

impl Load {
    /// What two cores bear beside daemons that start again and again.
    pub const STEADY: Self = Self {
        services: 12,
        visits_per_sec: 60.0,
        batches: 0.2,
        tries: 12,
    };
}

/// 50 ms before the second try, doubled for each further one up to 1 s, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Units that a service remembers, to come back to them.
const REMEMBERED: usize = 256;

/// Which daemons take traffic, as a load balancer sees it.
pub type InRotation = watch::Receiver<Vec<bool>>;

/// The running load.
pub struct Driver {
    stop: CancellationToken,
    services: JoinSet<Tally>,
}

impl Driver {
    /// Starts it on `ports`. With `rotation` only daemons in it are asked.
    pub fn start(
        oracle: &Arc<Oracle>,
        ports: &[SocketAddr],
        load: Load,
        rotation: Option<&InRotation>,
    ) -> Self {
        let stop = CancellationToken::new();
        let mut services = JoinSet::new();
        for number in 0..load.services {
            let service = Service {
                oracle: Arc::clone(oracle),
                client: Client::new(ports.to_vec()),
                rng: StdRng::seed_from_u64(oracle.issued.seed ^ ((number as u64 + 1) << 32)),
                load,
                rotation: rotation.cloned(),
                tally: Tally::default(),
                known: Vec::new(),
                stop: stop.clone(),
            };
            services.spawn(service.run());
        }
        Self { stop, services }
    }

    /// Lets every visit end, and gives what was counted.
    pub async fn stop(self) -> Tally {
        self.stop.cancel();
        let mut all = Tally::default();
        for tally in self.services.join_all().await {
            all.add(tally);
        }
        all
    }
}

/// Fresh units through the daemon at `index`: assigned, and their events tracked. Whether all of it worked.
pub async fn fresh_visit(oracle: &Arc<Oracle>, ports: &[SocketAddr], index: usize) -> bool {
    let mut client = Client::new(ports.to_vec());
    let units = oracle.issue(4);
    let mut tally = Tally::default();
    for unit in units {
        let reply = client.assign(oracle, index, unit).await;
        if note_assign(oracle, unit, &reply, &mut tally) != Went::Answered {
            return false;
        }
        for event in oracle.issued.events(unit) {
            let reply = client.track(oracle, index, event).await;
            if note_track(oracle, event, &reply, &mut tally) != Went::Answered {
                return false;
            }
        }
    }
    true
}

/// Whether the daemon at `index` gives an early unit an arm: its own or, where it does not remember the unit and
/// has nobody to ask, control.
pub async fn known_unit_is_served(oracle: &Oracle, ports: &[SocketAddr], index: usize) -> bool {
    let mut client = Client::new(ports.to_vec());
    let reply = client.assign(oracle, index, 0).await;
    let went = note_assign(oracle, 0, &reply, &mut Tally::default());
    matches!(went, Went::Answered | Went::Fallback)
}

struct Service {
    oracle: Arc<Oracle>,
    client: Client,
    rng: StdRng,
    load: Load,
    rotation: Option<InRotation>,
    tally: Tally,
    known: Vec<u64>,
    stop: CancellationToken,
}

impl Service {
    async fn run(mut self) -> Tally {
        let pause = self.load.services as f64 / self.load.visits_per_sec;
        let mut turns = tokio::time::interval(Duration::from_secs_f64(pause));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        while stop.run_until_cancelled(turns.tick()).await.is_some() {
            self.visit().await;
        }
        self.tally
    }

    async fn visit(&mut self) {
        let batch = self.rng.random_bool(self.load.batches);
        let units = self.oracle.issue(if batch { 10 } else { 1 });
        for unit in &units {
            self.assign(*unit).await;
            if self.rng.random_bool(0.3) {
                self.assign(*unit).await;
            }
        }
        let issued = self.oracle.issued;
        let events: Vec<Event> = units.iter().flat_map(|unit| issued.events(*unit)).collect();
        if batch {
            self.track_batch(&events).await;
        } else {
            for event in events {
                self.track(event).await;
            }
        }
        self.come_back().await;
        for unit in units {
            if self.known.len() < REMEMBERED {
                self.known.push(unit);
            } else {
                let at = self.rng.random_range(0..REMEMBERED);
                self.known[at] = unit;
            }
        }
    }

    /// A unit of earlier: it has its arm, and what it did may be told again without effect.
    async fn come_back(&mut self) {
        if self.known.is_empty() {
            return;
        }
        let unit = self.known[self.rng.random_range(0..self.known.len())];
        self.assign(unit).await;
        if self.rng.random_bool(0.2)
            && let Some(event) = self.oracle.issued.events(unit).next()
        {
            self.track(event).await;
        }
    }

    async fn assign(&mut self, unit: u64) {
        for attempt in 0..self.load.tries {
            let index = self.choose(attempt).await;
            let reply = self.client.assign(&self.oracle, index, unit).await;
            let went = note_assign(&self.oracle, unit, &reply, &mut self.tally);
            if matches!(went, Went::Answered | Went::Fallback) {
                return;
            }
        }
        self.tally.given_up += 1;
    }

    async fn track(&mut self, event: Event) {
        for attempt in 0..self.load.tries {
            let index = self.choose(attempt).await;
            let reply = self.client.track(&self.oracle, index, event).await;
            if note_track(&self.oracle, event, &reply, &mut self.tally) == Went::Answered {
                self.tally.events += 1;
                return;
            }
        }
        self.tally.given_up += 1;
    }

    async fn track_batch(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let bodies: Vec<_> = events
            .iter()
            .map(|event| self.oracle.issued.body(*event, true))
            .collect();
        let body = Bytes::from(json!(bodies).to_string());
        for attempt in 0..self.load.tries {
            let index = self.choose(attempt).await;
            let reply = self.client.post(index, "/api/track", body.clone()).await;
            let Reply { went, json, took } = &reply;
            self.tally.note(Asked::TrackBatch, *went, *took);
            if *went != Went::Answered {
                continue;
            }
            match self.oracle.tracked_batch(events, json) {
                Ok(taken) if taken == events.len() => self.tally.events += taken as u64,
                Ok(taken) => self
                    .tally
                    .tell(|| format!("{taken} of {} taken: {json}", events.len())),
                Err(error) => self.tally.tell(|| error.to_string()),
            }
            return;
        }
        self.tally.given_up += 1;
    }

    /// Another daemon for each try, after a pause that grows.
    async fn choose(&mut self, attempt: usize) -> usize {
        if attempt > 0 {
            let doubled = FIRST_PAUSE * 2_u32.saturating_pow(attempt as u32 - 1);
            let pause = doubled.min(LONGEST_PAUSE);
            tokio::time::sleep(pause.mul_f64(self.rng.random_range(0.5..1.0))).await;
        }
        let all = self.client.daemons();
        let Some(rotation) = &mut self.rotation else {
            return self.rng.random_range(0..all);
        };
        // With nobody in rotation a caller waits for the balancer, as it would in its queue.
        let anybody = rotation.wait_for(|ready| ready.contains(&true)).await;
        let ready: Vec<usize> = anybody.map_or_else(
            |_| (0..all).collect(),
            |ready| (0..all).filter(|index| ready[*index]).collect(),
        );
        ready[self.rng.random_range(0..ready.len())]
    }
}

impl Client {
    async fn assign(&mut self, oracle: &Oracle, index: usize, unit: u64) -> Reply {
        let path = format!("/api/experiments/{}/assign", oracle.issued.experiment(unit));
        let body = json!({ "unit": oracle.issued.unit_id(unit) });
        self.post(index, &path, Bytes::from(body.to_string())).await
    }

    async fn track(&mut self, oracle: &Oracle, index: usize, event: Event) -> Reply {
        let experiment = oracle.issued.experiment(event.unit);
        let path = format!("/api/experiments/{experiment}/track");
        let body = oracle.issued.body(event, false);
        self.post(index, &path, Bytes::from(body.to_string())).await
    }
}

fn note_assign(oracle: &Oracle, unit: u64, reply: &Reply, tally: &mut Tally) -> Went {
    let mut went = reply.went;
    if went == Went::Answered {
        went = match oracle.assigned(unit, &reply.json) {
            Ok(true) => Went::Answered,
            Ok(false) => Went::Fallback,
            Err(error) => senseless(tally, &error),
        };
    }
    note(tally, Asked::Assign, went, reply);
    went
}

fn note_track(oracle: &Oracle, event: Event, reply: &Reply, tally: &mut Tally) -> Went {
    let mut went = reply.went;
    if went == Went::Answered
        && let Err(error) = oracle.tracked(event, &reply.json)
    {
        went = senseless(tally, &error);
    }
    note(tally, Asked::Track, went, reply);
    went
}

fn note(tally: &mut Tally, asked: Asked, went: Went, reply: &Reply) {
    tally.note(asked, went, reply.took);
    if matches!(went, Went::Wrong | Went::RefusedBadly) {
        tally.tell(|| format!("{asked:?} {went:?}: {}", reply.json));
    }
}

fn senseless(tally: &mut Tally, error: &Senseless) -> Went {
    tally.tell(|| error.to_string());
    Went::Wrong
}
