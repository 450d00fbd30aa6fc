//! Builds the parts, each on top of the ones before.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{OnceCell, watch};

use super::AppError;
use super::control::{self, Ground};
use super::data_dir::{self, Addresses, DataDir};
use super::database::OpenDatabase;
use super::opening::{self, Opened, Start, Without};
use super::parts::Parts;
use crate::accept;
use crate::alerts;
use crate::breaker::{Breaker, Probe};
use crate::calls::Calls;
use crate::clock::Clock;
use crate::config::{Channel, Config};
use crate::http::admin::{self, Phase, Watched};
use crate::http::{DataPort, DataServer, Leaving};
use crate::ingest::{Ingest, Outage, Standing};
use crate::operations::{KillSwitch, Operations};
use crate::reading::Reading;
use crate::replica::Replica;
use crate::rpc::{DataRpc, TimeLimits};
use crate::spool::Replay;
use crate::sticky::Sticky;
use crate::store::{PoolSize, Store};
use crate::telemetry::metrics::Metrics;
use crate::unit_secret::UnitSecret;
use crate::workers::runner::LastRun;
use crate::workers::{Reports, Workers, sizes};
use crate::world::{Saver, WorldHandle};

/// How often recorded values are moved out of their buffers: what the exporter itself does when it runs its
/// own server.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// As many as there are places for readers, and one for who watches it.
const REPLICA_CONNECTIONS: PoolSize = PoolSize(9);

/// What the parts stand on, as far as it has been built; stopped after them.
#[derive(Debug, Default)]
pub(super) struct Base {
    pub(super) database: Option<OpenDatabase>,
    pub(super) store: Option<Store>,
    pub(super) leaving: Option<Leaving>,
}

/// Builds everything, in the order in which it depends on each other.
pub(super) async fn build(
    config: &Config,
    data_dir: &Arc<DataDir>,
    parts: &mut Parts,
    base: &mut Base,
    phase: watch::Receiver<Phase>,
    channels: watch::Receiver<Arc<[Channel]>>,
) -> Result<Addresses, AppError> {
    // The admin port comes first and goes last: it tells how the rest is doing.
    let watched = Watched {
        phase,
        cluster: Arc::new(OnceCell::new()),
        standing: Arc::new(OnceCell::new()),
        pool: Arc::new(OnceCell::new()),
        sticky: Arc::new(OnceCell::new()),
        metrics: Metrics::install().map_err(AppError::Metrics)?,
    };
    let admin = serve_admin(config, parts, watched.clone()).await?;

    let clock = Clock::system();
    let spool_dir = data_dir::spool(data_dir.path());
    let (outage, spool_ended) =
        Outage::prepare(&spool_dir, config.spool_bytes, clock.clone()).map_err(AppError::Spool)?;
    let standing = Standing::of(&outage);
    let _ = watched.standing.set(standing.clone());

    let (store, secret, world) =
        open(config, data_dir, parts, base, &watched, &outage.breaker).await?;
    let part = parts.add("saver");
    let saver = Saver::new(
        world.clone(),
        data_dir.path(),
        secret.fingerprint(),
        clock.clone(),
    );
    part.run(saver.map_err(AppError::Saver)?.run(part.stop()));
    let kill_switch = KillSwitch::open(
        data_dir.path(),
        &world,
        outage.breaker.clone(),
        clock.clone(),
    )
    .map_err(AppError::Saver)?;

    // Its thread ends when nobody can hand in any more: the data port and the replay are gone by then.
    parts.add("spool").run(spool_ended.wait());
    let sticky = Arc::new(Sticky::new(config.sticky_cache_bytes));
    let _ = watched.sticky.set(Arc::clone(&sticky));
    let part = parts.add("replay");
    let replay = Replay::new(&outage, store.clone(), Arc::clone(&sticky));
    part.run(replay.run(part.stop()));

    // Unique to this run: a daemon that was started again must not take itself for its predecessor.
    let holder = format!("pid {} {}", std::process::id(), uuid::Uuid::now_v7());
    let ground = (&store, &world, &clock, &standing);
    let reports = start_workers(config, parts, ground, &holder, channels);

    let breaker = outage.breaker.clone();
    let (ingest, writers) = Ingest::start(
        &store,
        world.clone(),
        clock.clone(),
        *secret.expose(),
        sticky,
        outage,
    );
    let part = parts.add("backlog");
    part.run(ingest.backlog().watch(store.clone(), part.stop()));
    // The writers end when nobody can hand in any more, which is when the data port has ended.
    parts.add("ingest").run(writers.finish());
    let mut reading = Reading::new(
        store.clone(),
        world.clone(),
        clock.clone(),
        *secret.expose(),
    )
    .with_breaker(breaker.clone());
    if let Some(options) = &config.replica {
        let options = options.expose().as_ref().clone();
        let replica = Store::connect_lazily(config.database_pooler, options, REPLICA_CONNECTIONS);
        let limit = config.replica_max_lag;
        let (replica, watcher) = Replica::new(store.clone(), replica, limit, clock.clone());
        let part = parts.add("replica");
        part.run(watcher.run(part.stop()));
        reading = reading.with_replica(replica);
    }
    let calls = Calls::new(ingest);
    let port = DataPort::new(Arc::clone(&calls), reading.clone());
    let (data, leaving) = serve_data(config, parts, port)?;
    let data_rpc = serve_data_rpc(config, parts, calls, &leaving)?;
    base.leaving = Some(leaving);
    let ground = Ground {
        config,
        store,
        world,
        clock,
        reading,
        reports,
        standing,
        breaker,
        kill_switch,
        run: &holder,
        data,
    };
    control::serve(ground, parts)?;

    Ok(Addresses {
        data,
        data_rpc,
        admin,
        control: config.control_socket.clone(),
        pid: std::process::id(),
    })
}

fn start_workers(
    config: &Config,
    parts: &mut Parts,
    (store, world, clock, standing): (&Store, &WorldHandle, &Clock, &Standing),
    holder: &str,
    channels: watch::Receiver<Arc<[Channel]>>,
) -> Reports {
    let part = parts.add("sizes");
    part.run(sizes::watch(store.clone(), part.stop()));
    let part = parts.add("workers");
    let keep = config.event_retention;
    let operations = Operations::new(store.clone(), world.clone());
    let stop = part.stop();
    let workers = Workers::start(store, world, operations, clock, holder, keep, &stop);
    let reports = workers.reports();
    part.run(workers.join());
    let ground = (store, clock, standing);
    start_alerts(config, parts, ground, holder, channels, reports)
}

/// Which daemon this is, of several on one database: the same after a restart.
fn place(config: &Config) -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().into_owned();
    format!("{host}:{}", config.data_listen.port())
}

/// The sending of alerts, with its report among the others, and what makes alerts of the platform itself.
fn start_alerts(
    config: &Config,
    parts: &mut Parts,
    (store, clock, standing): (&Store, &Clock, &Standing),
    holder: &str,
    channels: watch::Receiver<Arc<[Channel]>>,
    reports: Reports,
) -> Reports {
    let part = parts.add("alerts");
    let (report, newest) = watch::channel(LastRun::default());
    let alerts = alerts::Role {
        store: store.clone(),
        clock: clock.clone(),
        holder: holder.to_owned(),
        environment: config.environment.clone(),
        channels,
    };
    part.run(alerts.run(report, part.stop()));
    let reports = reports.with("alerts", newest);
    let part = parts.add("platform");
    let platform = alerts::Platform {
        store: store.clone(),
        clock: clock.clone(),
        reports: reports.clone(),
        standing: standing.clone(),
        spool_limit: config.spool_bytes,
        place: place(config),
    };
    part.run(platform.run(part.stop()));
    reports
}

/// The database and the world in it; or, while that is away, the world that was saved.
async fn open(
    config: &Config,
    data_dir: &Arc<DataDir>,
    parts: &mut Parts,
    base: &mut Base,
    watched: &Watched,
    breaker: &Breaker,
) -> Result<(Store, UnitSecret, WorldHandle), AppError> {
    let (secret, world, refresher) = match opening::start(config, data_dir).await? {
        Start::With(opened) => {
            let Opened {
                database,
                store,
                secret,
            } = *opened;
            let database = base.database.insert(database);
            if let Some(cluster) = &database.cluster {
                let _ = watched.cluster.set(cluster.state());
            }
            let store = base.store.insert(store);
            let (world, refresher) = WorldHandle::open(store.clone()).await?;
            let part = parts.add("database probe");
            let probe = Probe::new(breaker.clone(), database.options.clone());
            part.run(probe.run(part.stop()));
            (secret, world, refresher)
        }
        Start::Without(without) => {
            let Without {
                world,
                saved_at,
                secret,
                coming,
            } = *without;
            breaker.open_since(saved_at);
            let store = Store::of_no_database(config.database_pooler, config.database_connections);
            let store = base.store.insert(store);
            let (world, refresher) = WorldHandle::resume(store.clone(), world);
            let part = parts.add("database");
            part.run(coming.arrive(store.clone(), breaker.clone(), part.stop()));
            (secret, world, refresher)
        }
    };
    let store = base.store.clone().expect("both ways have put one there");
    let _ = watched.pool.set(store.pool.clone());
    let part = parts.add("world");
    part.run(refresher.run(part.stop()));
    Ok((store, secret, world))
}

async fn serve_admin(
    config: &Config,
    parts: &mut Parts,
    watched: Watched,
) -> Result<SocketAddr, AppError> {
    let failed = cannot_listen(config.admin_listen);
    let listener = TcpListener::bind(config.admin_listen)
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let part = parts.add("admin port");
    let metrics = watched.metrics.clone();
    part.run(admin::serve(listener, watched, part.stop()));
    part.run(keep_metrics_small(metrics, part.stop()));
    Ok(address)
}

fn serve_data(
    config: &Config,
    parts: &mut Parts,
    port: DataPort,
) -> Result<(SocketAddr, Leaving), AppError> {
    let failed = cannot_listen(config.data_listen);
    let server = DataServer::bind(config.data_listen, port).map_err(failed)?;
    let address = server.local_addr().map_err(failed)?;
    let leaving = server.leaving();
    let part = parts.add("data port");
    part.run(server.run(part.stop()));
    Ok((address, leaving))
}

/// Where it was asked for.
fn serve_data_rpc(
    config: &Config,
    parts: &mut Parts,
    calls: Arc<Calls>,
    leaving: &Leaving,
) -> Result<Option<SocketAddr>, AppError> {
    let Some(wanted) = config.data_rpc_listen else {
        return Ok(None);
    };
    let failed = cannot_listen(wanted);
    let listener = accept::listen(wanted).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let part = parts.add("data port over tarpc");
    let port = DataRpc::new(listener, calls, TimeLimits::SERVICE).telling(leaving.token());
    part.run(port.run(part.stop()));
    Ok(Some(address))
}

fn cannot_listen(on: SocketAddr) -> impl Fn(std::io::Error) -> AppError + Copy {
    move |source| AppError::Listen {
        on: on.to_string(),
        source,
    }
}

async fn keep_metrics_small(metrics: Metrics, stop: tokio_util::sync::CancellationToken) {
    let mut ticks = tokio::time::interval(METRICS_UPKEEP);
    // Both arms are cancel-safe.
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.upkeep();
    }
}
