//! What is seen from outside while the load goes on.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use sqlx::PgPool;

use crate::installation::Installation;
use crate::wait;

/// One look.
#[derive(Debug, Clone, Serialize)]
pub struct Look {
    /// Since the load began.
    pub at_s: f64,
    /// Events acknowledged since.
    pub accepted: u64,
    /// Rows in the landing table.
    pub landed: i64,
    /// Age of the oldest of them.
    pub lag_s: f64,
    /// Memory of the daemon.
    pub rss_mib: f64,
    /// The landing table with its indexes.
    pub landing_mib: f64,
    /// The events ledger.
    pub events_mib: f64,
    /// The events ledger's indexes.
    pub events_indexes_mib: f64,
    /// The rewards ledger with its indexes.
    pub rewards_mib: f64,
    /// The assignments with their indexes.
    pub assignments_mib: f64,
    /// Minutes, state, versions and counts with their indexes.
    pub other_mib: f64,
    /// Dead rows of the landing table, as far as the statistics know.
    pub landing_dead: i64,
}

/// Looks at one installation.
pub(super) struct Watch {
    database: PgPool,
    pid: u32,
}

const LOOK: &str = "select
    (select count(*) from experiment_landing) as landed,
    coalesce((select extract(epoch from clock_timestamp() - min(received_at)) from experiment_landing), 0)::float8
        as lag_s,
    pg_total_relation_size('experiment_landing') / 1048576.0::float8 as landing_mib,
    (select sum(pg_relation_size(relid)) from pg_partition_tree('experiment_events')) / 1048576.0::float8
        as events_mib,
    (select sum(pg_indexes_size(relid)) from pg_partition_tree('experiment_events')) / 1048576.0::float8
        as events_indexes_mib,
    pg_total_relation_size('experiment_rewards') / 1048576.0::float8 as rewards_mib,
    pg_total_relation_size('experiment_assignments') / 1048576.0::float8 as assignments_mib,
    (pg_total_relation_size('experiment_minutes') + pg_total_relation_size('experiment_bandit_state')
     + pg_total_relation_size('experiment_policy_versions')
     + pg_total_relation_size('experiment_assigned_counts')) / 1048576.0::float8 as other_mib,
    coalesce((select n_dead_tup from pg_stat_user_tables where relname = 'experiment_landing'), 0) as landing_dead";

#[derive(sqlx::FromRow)]
struct Row {
    landed: i64,
    lag_s: f64,
    landing_mib: f64,
    events_mib: f64,
    events_indexes_mib: f64,
    rewards_mib: f64,
    assignments_mib: f64,
    other_mib: f64,
    landing_dead: i64,
}

impl Watch {
    pub(super) async fn new(installation: &Installation) -> anyhow::Result<Self> {
        Ok(Self {
            database: installation.database().await?,
            pid: installation.daemon_pid()?,
        })
    }

    pub(super) async fn look(&self, since: Duration, accepted: u64) -> anyhow::Result<Look> {
        let row: Row = sqlx::query_as(LOOK).fetch_one(&self.database).await?;
        Ok(Look {
            at_s: since.as_secs_f64(),
            accepted,
            landed: row.landed,
            lag_s: row.lag_s,
            rss_mib: self.rss_mib()?,
            landing_mib: row.landing_mib,
            events_mib: row.events_mib,
            events_indexes_mib: row.events_indexes_mib,
            rewards_mib: row.rewards_mib,
            assignments_mib: row.assignments_mib,
            other_mib: row.other_mib,
            landing_dead: row.landing_dead,
        })
    }

    /// Rows in the landing table.
    pub(super) async fn landed(&self) -> anyhow::Result<i64> {
        let count = sqlx::query_scalar("select count(*) from experiment_landing");
        Ok(count.fetch_one(&self.database).await?)
    }

    /// Rows in the events ledger.
    pub(super) async fn ledger(&self) -> anyhow::Result<i64> {
        let count = sqlx::query_scalar("select count(*) from experiment_events");
        Ok(count.fetch_one(&self.database).await?)
    }

    /// Waits until everything is folded: for as long as that takes, if it gets less.
    pub(super) async fn settled(&mut self) -> anyhow::Result<()> {
        let mut before = i64::MAX;
        loop {
            let left = sqlx::query_scalar(
                "select (select count(*) from experiment_landing)
                      + (select count(*) from experiment_assigned_counts)",
            );
            let left: i64 = left.fetch_one(&self.database).await?;
            if left == 0 {
                return Ok(());
            }
            anyhow::ensure!(
                left < before,
                "{left} rows wait, and the fold does not fold"
            );
            before = left;
            let database = &self.database;
            wait::until_or(|| async move {
                let now = sqlx::query_scalar(
                    "select (select count(*) from experiment_landing)
                          + (select count(*) from experiment_assigned_counts)",
                );
                let now: i64 = now.fetch_one(database).await.ok()?;
                (now < left / 2).then_some(())
            })
            .await;
        }
    }

    fn rss_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        let kib: f64 = kib
            .context("the kernel tells a process's memory")?
            .parse()?;
        Ok(kib / 1024.0)
    }
}
