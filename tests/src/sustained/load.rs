//! The senders.

use std::fmt::Write as _;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use daemon::clock::Stopwatch;
use futures::future::try_join_all;
use hyper::{Method, StatusCode};

use super::Load;
use crate::http::{Answer, Http};

/// Connections that assign the units before the load: as many as keep both writers of the daemon busy.
const ASSIGNING: usize = 64;

/// What was answered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) accepted: u64,
    pub(super) assigned: u64,
    pub(super) refused: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.assigned += other.assigned;
        self.refused += other.refused;
    }
}

/// When a sender sends next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace(Option<f64>);

impl Pace {
    /// So many events a second.
    pub(super) fn new(per_sec: Option<f64>) -> Self {
        Self(per_sec)
    }

    async fn wait(self, sent: u64, started: Stopwatch) {
        let Some(per_sec) = self.0 else { return };
        let due = Duration::from_secs_f64(sent as f64 / per_sec);
        tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
    }
}

/// All senders of a run.
pub(super) struct Driver {
    address: String,
    load: Load,
    accepted: AtomicU64,
}

impl Driver {
    pub(super) fn new(address: String, load: Load) -> Self {
        Self {
            address,
            load,
            accepted: AtomicU64::new(0),
        }
    }

    /// Events that have been acknowledged so far.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Assigns every unit once.
    pub(super) async fn assign_units(&self) -> anyhow::Result<()> {
        let assigned = (0..ASSIGNING).map(|connection| async move {
            let mut http = Http::connect(&self.address).await?;
            for unit in (connection..self.load.units).step_by(ASSIGNING) {
                let answer = assign(&mut http, &format!("u{unit}")).await?;
                ensure!(answer.status == StatusCode::OK, "{}", answer.text);
            }
            anyhow::Ok(())
        });
        try_join_all(assigned).await?;
        Ok(())
    }

    /// Sends batches until the run is over.
    pub(super) async fn track(
        &self,
        connection: usize,
        pace: Pace,
        started: Stopwatch,
    ) -> anyhow::Result<Tally> {
        let mut http = Http::connect(&self.address).await?;
        let mut tally = Tally::default();
        let mut draw = Draw(connection as u64 + 1);
        while started.elapsed() < self.load.run {
            pace.wait(tally.accepted, started).await;
            let body = self.batch(&mut draw);
            let answer = http
                .send(Method::POST, "/api/track", Bytes::from(body))
                .await?;
            if taken(&answer, &mut tally).await? {
                tally.accepted += self.load.batch as u64;
                self.accepted
                    .fetch_add(self.load.batch as u64, Ordering::Relaxed);
            }
        }
        Ok(tally)
    }

    /// Assigns new units until the run is over.
    pub(super) async fn assign(
        &self,
        connection: usize,
        started: Stopwatch,
    ) -> anyhow::Result<Tally> {
        let mut http = Http::connect(&self.address).await?;
        let mut tally = Tally::default();
        while started.elapsed() < self.load.run {
            let unit = format!("new-{connection}-{}", tally.assigned);
            let answer = assign(&mut http, &unit).await?;
            if taken(&answer, &mut tally).await? {
                tally.assigned += 1;
            }
        }
        Ok(tally)
    }

    fn batch(&self, draw: &mut Draw) -> String {
        let mut body = String::with_capacity(self.load.batch * 96);
        for item in 0..self.load.batch {
            let unit = draw.below(self.load.units as u64);
            let reward = draw.below(100) < u64::from(self.load.rewards);
            let event = if reward { "purchase" } else { "view" };
            let start = if item == 0 { '[' } else { ',' };
            let _ = write!(
                body,
                r#"{start}{{"experiment":"checkout","unit":"u{unit}","event":"{event}","value":12.5"#
            );
            if self.load.ids {
                let _ = write!(body, r#","id":"{:x}""#, draw.next());
            }
            body.push('}');
        }
        body.push(']');
        body
    }
}

async fn assign(http: &mut Http, unit: &str) -> anyhow::Result<Answer> {
    let body = Bytes::from(format!(r#"{{"unit":"{unit}"}}"#));
    http.send(Method::POST, "/api/experiments/checkout/assign", body)
        .await
}

/// Whether it was taken; one that was refused waits for as long as it was told to.
async fn taken(answer: &Answer, tally: &mut Tally) -> anyhow::Result<bool> {
    if answer.status.is_success() {
        return Ok(true);
    }
    let refused = matches!(
        answer.status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    ensure!(refused, "{}: {}", answer.status, answer.text);
    tally.refused += 1;
    let again = answer.headers.get("retry-after");
    let seconds = again.and_then(|again| again.to_str().ok()?.parse().ok());
    let seconds = seconds.context("a refusal says after how many seconds to retry")?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(false)
}

/// splitmix64: the same events in every run, at a cost that does not show.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}
