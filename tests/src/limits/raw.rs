//! What PostgreSQL does without us: multi-row inserts into the same tables, two writers.

use std::ops::Range;
use std::time::Duration;

use bandit::assign::UnitKey;
use daemon::clock::{Clock, Stopwatch};
use daemon::store::{PoolSize, Store};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::site::Site;

/// As many as the daemon has.
const WRITERS: u32 = 2;

/// Connections to insert through.
pub(super) struct Raw {
    pool: PgPool,
    /// Whose rows are inserted: those of the site's experiments, so that theirs and ours go into the same parts of
    /// the ledger's index. An experiment of its own keeps a small part of it warm and is no measure for the whole.
    experiments: Vec<i32>,
}

impl Raw {
    /// Connects to the site's database.
    pub(super) async fn open(site: &Site) -> anyhow::Result<Self> {
        let options = site.database.cluster().connect_options();
        let pool = Store::connect(options, PoolSize(WRITERS)).await?.pool;
        let experiments = sqlx::query_scalar("select id from experiments order by id")
            .fetch_all(&pool)
            .await?;
        Ok(Self { pool, experiments })
    }

    /// Rows a second into the assignments ledger, `batch` at a time, for about `run`. Nobody has used `prefix` before:
    /// a unit that is there already costs the database next to nothing.
    pub(super) async fn assignments(
        &self,
        prefix: &str,
        batch: usize,
        run: Duration,
    ) -> anyhow::Result<f64> {
        let writers = (0..WRITERS).map(|writer| async move {
            let mut connection = self.pool.acquire().await?;
            let started = Stopwatch::start();
            let mut rows = 0;
            while started.elapsed() < run {
                let prefix = format!("raw-{prefix}-{writer}");
                let drawn = self.drawn(&prefix, rows..rows + batch);
                insert_assignments(&mut connection, &drawn).await?;
                rows += batch;
            }
            anyhow::Ok(rows as f64 / started.elapsed().as_secs_f64())
        });
        Ok(futures::future::try_join_all(writers).await?.iter().sum())
    }

    /// Places of new units, one experiment after the other, in the ledger's order.
    fn drawn(&self, prefix: &str, units: Range<usize>) -> Vec<(i32, UnitKey)> {
        let place = |unit: usize| {
            let experiment = self.experiments[unit % self.experiments.len()];
            (
                experiment,
                UnitKey::derive(&[7; 32], &format!("{prefix}-{unit}")),
            )
        };
        let mut drawn: Vec<(i32, UnitKey)> = units.map(place).collect();
        drawn.sort_unstable();
        drawn
    }

    /// Rows a second into the landing table, `batch` at a time, for about `run`.
    pub(super) async fn events(&self, batch: usize, run: Duration) -> anyhow::Result<f64> {
        let writers = (0..WRITERS).map(|_| async move {
            let mut connection = self.pool.acquire().await?;
            let started = Stopwatch::start();
            let mut rows = 0;
            while started.elapsed() < run {
                insert_events(&mut connection, batch).await?;
                rows += batch;
            }
            anyhow::Ok(rows as f64 / started.elapsed().as_secs_f64())
        });
        Ok(futures::future::try_join_all(writers).await?.iter().sum())
    }
}

async fn insert_assignments(
    connection: &mut PgConnection,
    drawn: &[(i32, UnitKey)],
) -> anyhow::Result<()> {
    let experiments: Vec<i32> = drawn.iter().map(|&(experiment, _)| experiment).collect();
    let units: Vec<&[u8]> = drawn.iter().map(|(_, unit)| &unit.0[..]).collect();
    let recorded: Vec<(Vec<u8>,)> = sqlx::query_as(
        "insert into experiment_assignments
             (experiment_id, unit_key, lane, arm, version, open, at, exposed_at)
         select experiment_id, unit_key, 1, 0, 1, true, $3, $3
         from unnest($1::int4[], $2::bytea[]) as drawn(experiment_id, unit_key)
         on conflict do nothing returning unit_key",
    )
    .bind(experiments)
    .bind(units)
    .bind(Clock::system().now())
    .fetch_all(connection)
    .await?;
    anyhow::ensure!(recorded.len() == drawn.len(), "units came twice");
    Ok(())
}

async fn insert_events(connection: &mut PgConnection, batch: usize) -> anyhow::Result<()> {
    let ids: Vec<Uuid> = (0..batch).map(|_| Uuid::now_v7()).collect();
    let unit = [9; 16];
    let units: Vec<&[u8]> = vec![&unit[..]; batch];
    sqlx::query(
        "insert into experiment_landing
             (experiment_id, event_id, unit_key, kind, event, value, digest, at, received_at)
         select 2000000000, event_id, unit_key, 0, 'purchase', 12.5, 7, $3, $3
         from unnest($1::uuid[], $2::bytea[]) as tracked(event_id, unit_key)",
    )
    .bind(ids)
    .bind(units)
    .bind(Clock::system().now())
    .execute(connection)
    .await?;
    Ok(())
}
