//! The data port as `pitbossd` builds it, on a private database with running experiments. The workers that learn do
//! not run.

use std::net::SocketAddr;
use std::sync::Arc;

use daemon::calls::Calls;
use daemon::clock::Clock;
use daemon::http::{DataPort, DataServer};
use daemon::ingest::{Ingest, Outage, Writers};
use daemon::operations::{Caller, Operations};
use daemon::reading::Reading;
use daemon::rpc::{DataRpc, TimeLimits};
use daemon::sticky::Sticky;
use daemon::telemetry::metrics::Metrics;
use daemon::testing::{TestDatabase, database};
use daemon::world::WorldHandle;
use protocol::plans::{ApplyRequest, PlanRequest};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::body::{Body, experiment};

/// Experiments of one file, so that it stays within the largest that is taken.
const OF_ONE_FILE: usize = 500;

/// 128 MiB: the default of the configuration.
const STICKY_BYTES: u64 = 128 * 1024 * 1024;

/// Never used here: the database stays.
const SPOOL_BYTES: u64 = 16 * 1024 * 1024;

/// What is measured.
pub(super) struct Site {
    /// The data port.
    pub(super) address: SocketAddr,
    /// The same calls over tarpc.
    pub(super) rpc: SocketAddr,
    /// The database under it.
    pub(super) database: TestDatabase,
    /// How many experiments it serves.
    pub(super) experiments: usize,
    ingest: Arc<Ingest>,
    metrics: Metrics,
    stop: CancellationToken,
    _writers: Writers,
}

impl Site {
    /// Builds it. The recorder of the metrics is installed, as in the daemon.
    pub(super) async fn open(experiments: usize) -> anyhow::Result<Self> {
        Self::with(Metrics::install()?, experiments).await
    }

    /// Another in its place, with another number of experiments.
    pub(super) async fn again(self, experiments: usize) -> anyhow::Result<Self> {
        let metrics = self.metrics.clone();
        drop(self);
        Self::with(metrics, experiments).await
    }

    async fn with(metrics: Metrics, experiments: usize) -> anyhow::Result<Self> {
        let database = database().await;
        let store = database.store.clone();
        let (world, refresher) = WorldHandle::open(store.clone()).await?;
        let stop = CancellationToken::new();
        tokio::spawn(refresher.run(stop.clone()));
        let operations = Operations::new(store.clone(), world.clone());
        for first in (0..experiments).step_by(OF_ONE_FILE) {
            let last = experiments.min(first + OF_ONE_FILE);
            apply(&operations, (first..last).map(declared).collect()).await?;
        }
        let clock = Clock::system();
        let secret = [7; 32];
        let spool = database.data_dir().join("spool");
        let (outage, _) = Outage::prepare(&spool, SPOOL_BYTES, clock.clone())?;
        let sticky = Arc::new(Sticky::new(STICKY_BYTES));
        let (ingest, writers) =
            Ingest::start(&store, world.clone(), clock.clone(), secret, sticky, outage);
        let reading = Reading::new(store, world, clock, secret);
        let calls = Calls::new(Arc::clone(&ingest));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let rpc = listener.local_addr()?;
        let data_rpc = DataRpc::new(listener, Arc::clone(&calls), TimeLimits::SERVICE);
        tokio::spawn(data_rpc.run(stop.clone()));
        let port = DataPort::new(calls, reading);
        let server = DataServer::bind(([127, 0, 0, 1], 0).into(), port)?;
        let address = server.local_addr()?;
        tokio::spawn(server.run(stop.clone()));
        Ok(Self {
            address,
            rpc,
            database,
            experiments,
            ingest,
            metrics,
            stop,
            _writers: writers,
        })
    }

    /// Assigns every unit that `body` names.
    pub(super) async fn assign_all(&self, body: &Body, units: usize) -> anyhow::Result<()> {
        let world = self.ingest.world().load();
        let attributes = [("country".to_owned(), serde_json::json!("SN"))].into();
        for chunk in (0..units).collect::<Vec<_>>().chunks(1_000) {
            let asked = chunk.iter().map(|&unit| {
                let live = world.get(&experiment(unit % self.experiments));
                let live = live.expect("the experiment was applied");
                let unit = self.ingest.unit_key(&body.known(unit));
                self.ingest.assign(live, unit, &attributes, true)
            });
            futures::future::try_join_all(asked).await?;
        }
        Ok(())
    }

    /// Between runs: what the daemon does every few seconds.
    pub(super) fn tidy(&self) {
        self.metrics.upkeep();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The `n`th experiment as a file declares it.
pub(super) fn declared(n: usize) -> String {
    let key = experiment(n);
    format!(
        r#"
[[experiment]]
key = "{key}"
state = "running"
reward = "purchase"
control = "green"
targeting = {{ country = "SN" }}

[[experiment.arm]]
name = "green"
config = {{ colour = "green" }}

[[experiment.arm]]
name = "blue"
config = {{ colour = "blue" }}
"#
    )
}

async fn apply(operations: &Operations, text: String) -> anyhow::Result<()> {
    let plan = PlanRequest {
        file: "limits.toml".into(),
        text,
        prune: false,
        release_holds: false,
    };
    let base_revision = operations.plan(&plan).await?.base_revision;
    let request = ApplyRequest {
        plan,
        base_revision,
        reason: "benchmark".into(),
        request_id: uuid::Uuid::now_v7(),
    };
    let caller = Caller {
        actor: "benchmark".into(),
        via: "benchmark".into(),
    };
    operations.apply(request, caller).await?;
    Ok(())
}
