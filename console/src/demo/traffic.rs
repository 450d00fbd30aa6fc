//! Simulated services, calling the real data port.
//!
//! Every service has a few workers that let visitors arrive, ask for their arm and hand what the visitors will
//! do to one outbox, which sends events when their time comes. Worker and outbox have a connection each, kept
//! alive, as a service's client library would have it.

mod outbox;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use bandit::experiment::ArmName;
use bandit::spec::model::{ExperimentSpec, RewardSpec};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::breakage::Breakage;
use super::service::Service;
use super::tally::{Counts, Tally};
use crate::cli::Break;
use outbox::Outbox;
use worker::Worker;

/// Connections a service asks over: a slow answer does not hold up the other visitors.
const WORKERS: u64 = 3;

/// Events that may wait for their time before workers wait for the outbox: a minute at twenty times the usual
/// rate.
const OUTBOX_CAPACITY: usize = 65_536;

/// What a simulated service knows about its experiment, and what is true about it.
#[derive(Debug)]
pub(super) struct Scene {
    pub service: Service,
    pub reward: RewardSpec,
    pub truth: BTreeMap<ArmName, f64>,
    pub breakage: Option<Breakage>,
}

impl Scene {
    /// The scene of an experiment of the example file; `None` for others.
    pub(super) fn of(spec: &ExperimentSpec, broken: Option<Break>) -> Option<Self> {
        let service = Service::ALL
            .into_iter()
            .find(|service| service.key() == spec.key.as_str())?;
        Some(Self {
            service,
            reward: spec.reward.clone(),
            truth: service.truth_of(spec),
            breakage: broken.and_then(|what| Breakage::of(what, spec)),
        })
    }
}

/// All services at work; dropping it stops them where they are.
#[derive(Debug)]
pub(super) struct Traffic {
    tally: Arc<Tally>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Traffic {
    /// Let visitors arrive at `rate` times the usual pace.
    pub(super) fn start(scenes: Vec<Scene>, data_address: &str, seed: u64, rate: f64) -> Self {
        let tally = Arc::new(Tally::default());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (events, inbox) = mpsc::channel(OUTBOX_CAPACITY);
        tasks.spawn(Outbox::new(data_address, Arc::clone(&tally)).run(inbox, stop.clone()));
        for scene in scenes.into_iter().map(Arc::new) {
            for number in 0..WORKERS {
                let worker = Worker {
                    scene: Arc::clone(&scene),
                    number,
                    workers: WORKERS,
                    seed,
                    visits_per_sec: scene.service.visits_per_sec() * rate / WORKERS as f64,
                    tally: Arc::clone(&tally),
                    events: events.clone(),
                };
                tasks.spawn(worker.run(data_address.to_owned(), stop.clone()));
            }
        }
        Self { tally, stop, tasks }
    }

    /// What has been done so far.
    pub(super) fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// No new visitor, no new batch; what is on its way is answered first. Events whose time has not come are
    /// never sent.
    pub(super) async fn finish(mut self) -> Counts {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.tally.counts()
    }
}
