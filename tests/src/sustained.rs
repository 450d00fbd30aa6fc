//! A load of tracked events on a real daemon for minutes, and whether the fold keeps up with it: what lands, what
//! is folded, how old the oldest landed row is, how large the tables and the daemon get.

mod load;
mod look;

use std::sync::Arc;
use std::time::Duration;

use daemon::clock::Stopwatch;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::installation::Installation;
use load::{Driver, Pace, Tally};
pub use look::Look;
use look::Watch;

/// What is sent, for how long.
#[derive(Debug, Clone)]
pub struct Load {
    /// How long.
    pub run: Duration,
    /// Units that were assigned before; events are of one of them, evenly.
    pub units: usize,
    /// Connections that send batches, each its next when the last is answered.
    pub connections: usize,
    /// Events of a batch.
    pub batch: usize,
    /// Of a hundred events, those that are the reward; the others are looked at by nobody.
    pub rewards: u32,
    /// Each event has an id of its sender's.
    pub ids: bool,
    /// Events a second, all connections together; `None`: as fast as they are taken.
    pub per_sec: Option<f64>,
    /// Connections that assign new units meanwhile.
    pub assigning: usize,
    /// How often to look.
    pub look_every: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Sustained {
    /// Events that were acknowledged, a second.
    pub accepted_per_sec: f64,
    /// Events that left the landing table, a second.
    pub folded_per_sec: f64,
    /// New units that were assigned, a second.
    pub assigned_per_sec: f64,
    /// Requests that were answered with 429 or 503.
    pub refused: u64,
    /// Age of the oldest landed row at its worst, in seconds.
    pub lag_worst_s: f64,
    /// The same, median of all looks.
    pub lag_median_s: f64,
    /// Time from the last answer until nothing was left to fold.
    pub caught_up_s: f64,
    /// The daemon's memory at its largest, MiB.
    pub rss_worst_mib: f64,
    /// Acknowledged events that are not in the ledger in the end.
    pub lost: i64,
    /// What was seen, look by look.
    pub looks: Vec<Look>,
}

/// One experiment that is as most are: a reward that few events are, a window longer than the run.
const EXPERIMENT: &str = r#"
[[experiment]]
key = "checkout"
state = "running"
reward = "purchase"
control = "green"
arms = ["green", "blue", "red"]
"#;

/// Runs `load` on an installation of its own, telling `seen` of every look.
pub async fn run(load: &Load, seen: impl FnMut(&Look)) -> anyhow::Result<Sustained> {
    run_on(&Installation::start().await?, load, seen).await
}

/// Runs `load` on `installation`, which is new.
pub async fn run_on(
    installation: &Installation,
    load: &Load,
    mut seen: impl FnMut(&Look),
) -> anyhow::Result<Sustained> {
    installation.apply(EXPERIMENT)?;
    let driver = Arc::new(Driver::new(installation.data_address(), load.clone()));
    driver.assign_units().await?;
    let mut watch = Watch::new(installation).await?;
    watch.settled().await?;

    let started = Stopwatch::start();
    let mut senders = JoinSet::new();
    for connection in 0..load.connections {
        let pace = Pace::new(load.per_sec.map(|all| all / load.connections as f64));
        let driver = Arc::clone(&driver);
        senders.spawn(async move { driver.track(connection, pace, started).await });
    }
    for connection in 0..load.assigning {
        let driver = Arc::clone(&driver);
        senders.spawn(async move { driver.assign(connection, started).await });
    }
    let mut looks = Vec::new();
    let mut ticks = tokio::time::interval(load.look_every);
    while started.elapsed() < load.run {
        ticks.tick().await;
        let look = watch.look(started.elapsed(), driver.accepted()).await?;
        seen(&look);
        looks.push(look);
    }
    let mut tally = Tally::default();
    for sent in senders.join_all().await {
        tally += sent?;
    }
    let elapsed = started.elapsed().as_secs_f64();
    let catching_up = Stopwatch::start();
    let left = watch.landed().await?;
    watch.settled().await?;
    let folded = tally.accepted as i64 - left;
    let mut lags: Vec<f64> = looks.iter().map(|look| look.lag_s).collect();
    lags.sort_by(f64::total_cmp);
    Ok(Sustained {
        accepted_per_sec: tally.accepted as f64 / elapsed,
        folded_per_sec: folded as f64 / elapsed,
        assigned_per_sec: tally.assigned as f64 / elapsed,
        refused: tally.refused,
        lag_worst_s: lags.last().copied().unwrap_or(0.0),
        lag_median_s: lags.get(lags.len() / 2).copied().unwrap_or(0.0),
        caught_up_s: catching_up.elapsed().as_secs_f64(),
        rss_worst_mib: looks.iter().map(|look| look.rss_mib).fold(0.0, f64::max),
        lost: tally.accepted as i64 - watch.ledger().await?,
        looks,
    })
}
