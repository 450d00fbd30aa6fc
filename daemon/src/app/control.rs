//! The control port as a part of the daemon: what it passes calls on to, and how it asks after the others.

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use protocol::control::PartHealth;

use super::AppError;
use super::parts::Parts;
use crate::breaker::Breaker;
use crate::changes::{Feed, Feeder};
use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::Standing;
use crate::operations::{KillSwitch, Operations};
use crate::reading::Reading;
use crate::rpc::{About, ControlPort, Limits, PartCheck, Service};
use crate::spool::Usage;
use crate::store::Store;
use crate::workers::Reports;
use crate::world::WorldHandle;

/// What the port stands on.
pub(super) struct Ground<'a> {
    pub(super) config: &'a Config,
    pub(super) store: Store,
    pub(super) world: WorldHandle,
    pub(super) clock: Clock,
    pub(super) reading: Reading,
    pub(super) reports: Reports,
    /// Of the data path.
    pub(super) standing: Standing,
    /// Whether the database is there.
    pub(super) breaker: Breaker,
    /// What works while the database is away.
    pub(super) kill_switch: KillSwitch,
    /// This run of the daemon, as no other is called.
    pub(super) run: &'a str,
    pub(super) data: SocketAddr,
}

/// Opens the port.
pub(super) fn serve(ground: Ground<'_>, parts: &mut Parts) -> Result<(), AppError> {
    let Ground {
        config,
        store,
        world,
        clock,
        reading,
        reports,
        standing,
        breaker,
        kill_switch,
        run,
        data,
    } = ground;
    let port = ControlPort::bind(&config.control_socket, Limits::default())?;
    let feed = Feed::new(run);
    let feeder = Feeder::new(feed.clone(), world.clone(), store.clone(), breaker);
    let operations =
        Operations::new(store.clone(), world.clone()).with_kill_switch(kill_switch.clone());
    let service = Service {
        about: About {
            build: concat!("pitbossd ", env!("CARGO_PKG_VERSION")).to_owned(),
            environment: config.environment.clone(),
            production: config.production,
            data_address: data.to_string(),
            started_at: clock.now(),
        },
        operations: operations.clone(),
        health: health(store.clone(), world.clone(), reports, standing),
        clock,
        store,
        world,
        feed,
        reading,
    };
    let part = parts.add("control port");
    part.run(feeder.run(part.stop()));
    part.run(kill_switch.settle(operations, part.stop()));
    part.run(port.serve(service, part.stop()));
    Ok(())
}

fn health(store: Store, world: WorldHandle, reports: Reports, standing: Standing) -> PartCheck {
    PartCheck::new(move || {
        let (store, world, reports) = (store.clone(), world.clone(), reports.clone());
        let standing = standing.clone();
        async move {
            let database = match standing.away_since() {
                Some(since) => away(since),
                None => database(&store).await,
            };
            let mut parts = vec![database, served(&world), spooled(&standing.spool())];
            parts.extend(reports.newest().into_iter().map(|(name, run)| PartHealth {
                name: name.to_owned(),
                ok: run.is_well(),
                detail: run.detail().to_owned(),
                last_run: run.at,
            }));
            parts
        }
        .boxed()
    })
}

async fn database(store: &Store) -> PartHealth {
    let answer = store.ping().await;
    PartHealth {
        name: "database".to_owned(),
        ok: answer.is_ok(),
        detail: match answer {
            Ok(()) => format!(
                "answers; {} of {} connections idle",
                store.pool.num_idle(),
                store.pool.size()
            ),
            Err(error) => error.to_string(),
        },
        last_run: None,
    }
}

fn away(since: DateTime<Utc>) -> PartHealth {
    PartHealth {
        name: "database".to_owned(),
        ok: false,
        detail: format!(
            "away since {}; known units keep their arm, events are spooled, only rollback works",
            since.format("%H:%M:%S UTC")
        ),
        last_run: None,
    }
}

fn spooled(usage: &Usage) -> PartHealth {
    let mut detail = match usage.oldest() {
        None => "empty".to_owned(),
        Some(oldest) => format!(
            "{} records to be written, {} KiB, the oldest of {}",
            usage.records,
            usage.bytes.div_ceil(1024),
            oldest.format("%H:%M:%S UTC")
        ),
    };
    let found = usage.found;
    if !found.is_well() || found.failed > 0 {
        let damage = format!(
            "; {} damaged and {} unreadable kept aside, {} failed writes; look at it with:  pitbossd spool inspect",
            found.damaged, found.unreadable, found.failed
        );
        detail.push_str(&damage);
    }
    PartHealth {
        name: "spool".to_owned(),
        ok: found.is_well(),
        detail,
        last_run: None,
    }
}

fn served(world: &WorldHandle) -> PartHealth {
    let world = world.load();
    let running = world.experiments.values().filter(|it| it.is_running());
    PartHealth {
        name: "world".to_owned(),
        ok: true,
        detail: format!(
            "revision {}, {} experiments, {} running",
            world.revision,
            world.experiments.len(),
            running.count()
        ),
        last_run: None,
    }
}
