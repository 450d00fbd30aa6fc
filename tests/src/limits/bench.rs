//! The two sides that share the cores, each on a runtime of its own.

use std::net::SocketAddr;
use std::time::Duration;

use daemon::clock::Stopwatch;
use tokio::runtime::Runtime;

use super::Options;
use super::bare::{self, Bare};
use super::body::Body;
use super::load::Load;
use super::process::{Processor, SERVER_THREADS};
use super::site::Site;
use super::table::Cost;

/// Everything that is measured, and what it is measured with.
pub(super) struct Bench {
    pub(super) options: Options,
    /// Runs our server and the bare ones.
    pub(super) server: Runtime,
    /// Runs who asks them.
    pub(super) client: Runtime,
    pub(super) site: Site,
    pub(super) bare: Bare,
}

impl Bench {
    pub(super) fn open(options: Options) -> anyhow::Result<Self> {
        let server = runtime(SERVER_THREADS)?;
        let site = server.block_on(Site::open(1))?;
        let bare = server.block_on(bare::serve())?;
        Ok(Self {
            options,
            client: runtime("limits-client")?,
            server,
            site,
            bare,
        })
    }

    /// The same on another database, with so many experiments.
    pub(super) fn again(self, experiments: usize) -> anyhow::Result<Self> {
        let site = self.server.block_on(self.site.again(experiments))?;
        Ok(Self { site, ..self })
    }

    /// Items that were carried a second, and what each cost the servers.
    pub(super) fn load(&self, address: SocketAddr, connections: usize, body: &Body) -> Ran {
        let load = Load {
            address,
            connections,
            run: self.options.run(),
        };
        let ran = measured(|| {
            let per_sec = self.client.block_on(load.run(body));
            Ok(per_sec * body.items() as f64)
        });
        self.site.tidy();
        ran.expect("a load has no errors but panics")
    }

    /// `turn` as often as a figure is measured, with the number of the turn.
    pub(super) fn turns<T>(
        &self,
        mut turn: impl FnMut(usize) -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<T>> {
        (0..self.options.runs).map(&mut turn).collect()
    }
}

/// What came of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran {
    pub(super) per_sec: f64,
    /// What an item cost.
    pub(super) cost: Cost,
}

/// Runs what gives items a second.
pub(super) fn measured(run: impl FnOnce() -> anyhow::Result<f64>) -> anyhow::Result<Ran> {
    let (before, started) = (Processor::now(), Stopwatch::start());
    let per_sec = run()?;
    let items = per_sec * started.elapsed().as_secs_f64();
    let used = Processor::now().since(before);
    let each = |used: Duration| used.as_secs_f64() * 1e6 / items;
    Ok(Ran {
        per_sec,
        cost: Cost {
            server: each(used.server),
            database: each(used.database),
        },
    })
}

fn runtime(name: &str) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name(name)
        .enable_all()
        .build()
}
