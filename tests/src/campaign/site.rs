//! Everything a campaign plays with: a database, daemons on it, an oracle; and the judgement at the end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use daemon::clock::Stopwatch;
use tempfile::TempDir;

use super::database::Database;
use super::driver::fresh_visit;
use super::fleet::Fleet;
use super::issued::EXPERIMENTS;
use super::judge::{self, Judgement};
use super::ledger;
use super::oracle::Oracle;

/// What every daemon of a campaign keys units with.
const SECRET: [u8; 32] = [0x51; 32];

/// I7: a fresh visit works so soon after the faults have stopped.
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);

/// How long the fold may take for everything that was acknowledged; what is not there then is lost.
const SETTLES_WITHIN: Duration = Duration::from_mins(3);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The place.
pub struct Site {
    /// The daemons.
    pub fleet: Fleet,
    /// The database.
    pub database: Database,
    /// The oracle.
    pub oracle: Arc<Oracle>,
    home: TempDir,
}

/// What is known when all is over.
pub struct Verdict {
    /// The journal against the ledgers.
    pub judgement: Judgement,
    /// I3 and I6: what `pitbossd verify` says.
    pub verified: serde_json::Value,
}

impl Site {
    /// `daemons` daemons on one database, with the experiments running.
    pub async fn open(seed: u64, daemons: usize) -> anyhow::Result<Self> {
        let home = daemon::testing::stopped_cluster().await;
        let url = Database::in_home(home.path())?.url();
        Self::in_home(home, seed, vec![url; daemons]).await
    }

    /// The same on the cluster in `home`; each of `urls` leads a daemon to it.
    pub async fn in_home(home: TempDir, seed: u64, urls: Vec<String>) -> anyhow::Result<Self> {
        let mut database = Database::in_home(home.path())?;
        database.start().await?;
        let mut fleet = Fleet::in_home(home.path(), SECRET, urls)?;
        fleet.start().await?;
        let oracle = Arc::new(Oracle::new(seed, &home.path().join("journal"))?);
        let site = Self {
            fleet,
            database,
            oracle,
            home,
        };
        site.apply().await?;
        Ok(site)
    }

    async fn apply(&self) -> anyhow::Result<()> {
        let file = self.home().join("experiments.toml");
        std::fs::write(&file, EXPERIMENTS)?;
        let file = file.to_str().context("temporary paths are text")?;
        let arguments = ["apply", "-f", file, "--yes", "--reason", "a campaign"];
        let first = &self.fleet.daemons[0];
        let output = first.pitboss(&arguments, Duration::from_mins(1)).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "apply failed: {said}");
        // The others hear of it a moment later.
        let served = self.recovery().await.is_some();
        ensure!(served, "not every daemon serves what was applied");
        Ok(())
    }

    /// Where everything is.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Keeps the directory, for a look at what went wrong.
    pub fn keep(mut self) -> PathBuf {
        self.home.disable_cleanup(true);
        self.home.path().to_owned()
    }

    /// Everything runs again: the end of all faults.
    pub async fn heal(&mut self) -> anyhow::Result<()> {
        self.database.start().await?;
        self.fleet.start().await
    }

    /// I7: how long until a fresh visit works at every daemon; `None` if it takes too long.
    pub async fn recovery(&self) -> Option<Duration> {
        let healed = Stopwatch::start();
        let ports = self.fleet.data_ports();
        let visited = (0..ports.len()).map(|index| self.visited(&ports, index));
        let all = futures::future::join_all(visited);
        let done = tokio::time::timeout(RECOVERS_WITHIN, all).await;
        done.ok().map(|_| healed.elapsed())
    }

    async fn visited(&self, ports: &[SocketAddr], index: usize) {
        while !fresh_visit(&self.oracle, ports, index).await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the fold has taken what was acknowledged. What is not there after that is lost.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let wanted = judge::acknowledged_events(self.oracle.journal())?;
        let mut connection = self.database.connect().await?;
        let waited = Stopwatch::start();
        while waited.elapsed() < SETTLES_WITHIN {
            let there = ledger::event_count(&mut connection).await?;
            // As many rows as promises does not mean that each promise has its row yet.
            if there.cast_unsigned() >= wanted && self.look().await?.events.lost == 0 {
                break;
            }
            tokio::time::sleep(LOOK_EVERY * 5).await;
        }
        Ok(())
    }

    /// The journal against the ledgers, as they are now.
    pub async fn look(&self) -> anyhow::Result<Judgement> {
        let mut connection = self.database.connect().await?;
        judge::judge(self.oracle.journal(), &SECRET, &mut connection).await
    }

    /// The whole judgement.
    pub async fn judge(&self) -> anyhow::Result<Verdict> {
        Ok(Verdict {
            judgement: self.look().await?,
            verified: self.fleet.daemons[0].verify().await?,
        })
    }
}

impl Verdict {
    /// I3: whether every sum of the bandit's state is what the ledgers give.
    pub fn state_is_as_the_ledgers_say(&self) -> bool {
        let experiments = self.verified["experiments"].as_array();
        experiments.is_some_and(|all| all.iter().all(|one| one["differences"] == 0))
    }

    /// I6: whether the audit chain is whole.
    pub fn audit_is_whole(&self) -> bool {
        self.verified["audit_fault"].is_null() && self.verified["audit_rows"].is_u64()
    }
}
