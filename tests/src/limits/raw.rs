//! What PostgreSQL does without us: multi-row inserts into the same tables, two writers.

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
}

impl Raw {
    /// Connects to the site's database.
    pub(super) async fn open(site: &Site) -> anyhow::Result<Self> {
        let options = site.database.cluster().connect_options();
        let store = Store::connect(options, PoolSize(WRITERS)).await?;
        Ok(Self { pool: store.pool })
    }

    /// Rows a second into the assignments ledger, `batch` at a time, for about `run`.
    pub(super) async fn assignments(
        &self,
        series: usize,
        batch: usize,
        run: Duration,
    ) -> anyhow::Result<f64> {
        let writers = (0..WRITERS).map(|writer| async move {
            let mut connection = self.pool.acquire().await?;
            let started = Stopwatch::start();
            let mut rows = 0;
            while started.elapsed() < run {
                let prefix = format!("raw-{series}-{writer}-{rows}");
                insert_assignments(&mut connection, &prefix, batch).await?;
                rows += batch;
            }
            anyhow::Ok(rows as f64 / started.elapsed().as_secs_f64())
        });
        Ok(futures::future::try_join_all(writers).await?.iter().sum())
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
    prefix: &str,
    batch: usize,
) -> anyhow::Result<()> {
    let keys: Vec<[u8; 16]> = (0..batch)
        .map(|row| UnitKey::derive(&[7; 32], &format!("{prefix}-{row}")).0)
        .collect();
    let units: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let _: Vec<(Vec<u8>,)> = sqlx::query_as(
        "insert into experiment_assignments
             (experiment_id, unit_key, lane, arm, version, open, at, exposed_at)
         select 2000000000, unit_key, 1, 0, 1, true, $2, $2 from unnest($1::bytea[]) as drawn(unit_key)
         on conflict do nothing returning unit_key",
    )
    .bind(units)
    .bind(Clock::system().now())
    .fetch_all(connection)
    .await?;
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
