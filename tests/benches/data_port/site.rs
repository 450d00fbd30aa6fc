//! The data port as `pitbossd` builds it, on a private database with one running experiment.

use std::net::SocketAddr;
use std::sync::Arc;

use daemon::calls::Calls;
use daemon::clock::Clock;
use daemon::http::{DataPort, DataServer};
use daemon::ingest::{Ingest, Outage, Writers};
use daemon::operations::{Caller, Operations};
use daemon::reading::Reading;
use daemon::sticky::Sticky;
use daemon::telemetry::metrics::Metrics;
use daemon::testing::{TestDatabase, database};
use daemon::world::WorldHandle;
use protocol::plans::{ApplyRequest, PlanRequest};
use tokio_util::sync::CancellationToken;

use crate::load::Body;

const EXPERIMENT: &str = r#"
[[experiment]]
key = "checkout"
state = "running"
reward = "purchase"
control = "green"
targeting = { country = "SN" }

[[experiment.arm]]
name = "green"
config = { colour = "green" }

[[experiment.arm]]
name = "blue"
config = { colour = "blue" }
"#;

/// 128 MiB: the default of the configuration.
const STICKY_BYTES: u64 = 128 * 1024 * 1024;

/// Never used here: the database stays.
const SPOOL_BYTES: u64 = 16 * 1024 * 1024;

/// What is measured.
pub(crate) struct Site {
    /// The data port.
    pub(crate) address: SocketAddr,
    /// The database under it.
    pub(crate) database: TestDatabase,
    ingest: Arc<Ingest>,
    metrics: Metrics,
    _writers: Writers,
}

impl Site {
    /// Builds it. The recorder of the metrics is installed, as in the daemon.
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let metrics = Metrics::install()?;
        let database = database().await;
        let store = database.store.clone();
        let (world, refresher) = WorldHandle::open(store.clone()).await?;
        let stop = CancellationToken::new();
        tokio::spawn(refresher.run(stop.clone()));
        apply(&Operations::new(store.clone(), world.clone())).await?;
        let clock = Clock::system();
        let secret = [7; 32];
        let spool = database.data_dir().join("spool");
        let (outage, _) = Outage::prepare(&spool, SPOOL_BYTES, clock.clone())?;
        let sticky = Arc::new(Sticky::new(STICKY_BYTES));
        let (ingest, writers) =
            Ingest::start(&store, world.clone(), clock.clone(), secret, sticky, outage);
        let reading = Reading::new(store, world, clock, secret);
        let port = DataPort::new(Calls::new(Arc::clone(&ingest)), reading);
        let server = DataServer::bind(([127, 0, 0, 1], 0).into(), port).await?;
        let address = server.local_addr()?;
        tokio::spawn(server.run(stop));
        Ok(Self {
            address,
            database,
            ingest,
            metrics,
            _writers: writers,
        })
    }

    /// Assigns every unit that `body` names.
    pub(crate) async fn assign_all(&self, body: &Body, units: usize) {
        let live = self.ingest.world().load().get("checkout").cloned();
        let live = live.expect("the experiment was applied");
        let attributes = [("country".to_owned(), serde_json::json!("SN"))].into();
        for chunk in (0..units).collect::<Vec<_>>().chunks(1_000) {
            let asked = chunk.iter().map(|&n| {
                let unit = self.ingest.unit_key(&body.unit(0, n));
                self.ingest.assign(&live, unit, &attributes, true)
            });
            for assigned in futures::future::join_all(asked).await {
                assigned.expect("the queue has room for them");
            }
        }
    }

    /// Between runs: what the daemon does every few seconds.
    pub(crate) fn tidy(&self) {
        self.metrics.upkeep();
    }
}

async fn apply(operations: &Operations) -> anyhow::Result<()> {
    let plan = PlanRequest {
        file: "bench.toml".into(),
        text: EXPERIMENT.into(),
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
