//! The fold: what it works off while events come as fast as they are taken, and how fast it is on its own beside
//! PostgreSQL putting the same rows into the same table without a look at them.

use std::time::Duration;

use anyhow::Context;
use daemon::clock::Stopwatch;
use sqlx::PgPool;

use super::bench::Bench;
use super::table::{Goal, Row, Table};
use crate::installation::Installation;
use crate::sustained::{self, Load, Sustained};
use crate::wait;

const PART: &str = "fold";

/// DESIGN section 6: what results promise.
const LAG: Goal = Goal::AtMost(5.0);

/// Rows of one raw statement: as many as a round of the fold takes.
const ROUND: i64 = daemon::workers::fold::BATCH;

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let quick = bench.options.quick;
    let load = Load {
        run: Duration::from_secs(if quick { 4 } else { 30 }),
        units: if quick { 5_000 } else { 50_000 },
        connections: 8,
        batch: 1_000,
        rewards: 10,
        ids: false,
        per_sec: None,
        assigning: 0,
        look_every: Duration::from_secs(1),
    };
    let rows = ROUND * if quick { 3 } else { 15 };
    let run = async {
        let installation = Installation::start().await?;
        let sustained = sustained::run_on(&installation, &load, |_| ()).await?;
        let queue = Queue::open(&installation, rows).await?;
        let (mut ours, mut raw) = (vec![], vec![]);
        for turn in 0..bench.options.runs {
            raw.push(queue.moved_raw().await?);
            ours.push(queue.folded(turn).await?);
        }
        anyhow::Ok((sustained, ours, raw))
    };
    let (sustained, ours, raw) = bench.client.block_on(run)?;
    under_load(&sustained, table);
    let row = Row::beside(PART, "of what waits", "1/s", ours, ("raw rows", raw));
    table.add(row);
    Ok(())
}

fn under_load(sustained: &Sustained, table: &mut Table) {
    let folded = vec![sustained.folded_per_sec];
    let accepted = ("accepted", vec![sustained.accepted_per_sec]);
    table.add(Row::beside(
        PART,
        "while as many come as may",
        "1/s",
        folded,
        accepted,
    ));
    let worst = vec![sustained.lag_worst_s];
    table.add(Row::alone(PART, "its worst lag", "s", worst).goal(LAG));
}

/// Rows as they land, copied from events of the load, and kept to be put in as often as needed.
struct Queue {
    database: PgPool,
    rows: i64,
}

impl Queue {
    async fn open(installation: &Installation, rows: i64) -> anyhow::Result<Self> {
        let database = installation.database().await?;
        sqlx::raw_sql(
            // A week's own key; the ledger as a whole has none to be copied.
            "create table limits_landing (like experiment_landing including all, outcome int2 not null);
             create table limits_events (like experiment_events including all, primary key (experiment_id, event_id))",
        )
        .execute(&database)
        .await?;
        // Numbered in the order of time, as the ids of events are whose senders gave none.
        let copied = sqlx::query(
            "insert into limits_landing
                 (experiment_id, event_id, unit_key, kind, event, value, digest, at, received_at, outcome)
             select experiment_id, ('019f0000000070008' || lpad(to_hex(row_number() over ()), 15, '0'))::uuid,
                 unit_key, 0, event, value, digest, at, received_at, outcome
             from experiment_events limit $1",
        )
        .bind(rows)
        .execute(&database)
        .await?;
        anyhow::ensure!(copied.rows_affected() > 0, "the load has left no events");
        sqlx::raw_sql("analyze limits_landing")
            .execute(&database)
            .await?;
        Ok(Self {
            database,
            rows: copied.rows_affected().cast_signed(),
        })
    }

    /// Rows a second, put into a table like the ledger as many at a time as the fold takes.
    async fn moved_raw(&self) -> anyhow::Result<f64> {
        sqlx::raw_sql("truncate limits_events")
            .execute(&self.database)
            .await?;
        let started = Stopwatch::start();
        for first in (0..self.rows).step_by(ROUND as usize) {
            sqlx::query(
                "insert into limits_events (experiment_id, event_id, unit_key, event, value,
                     digest, at, received_at, outcome)
                 select experiment_id, event_id, unit_key, event, value, digest, at, received_at, outcome
                 from limits_landing where id > $1 and id <= $2",
            )
            .bind(first)
            .bind(first + ROUND)
            .execute(&self.database)
            .await?;
        }
        Ok(self.rows as f64 / started.elapsed().as_secs_f64())
    }

    /// Rows a second, by the daemon: of those that wait when it has begun, until none does.
    async fn folded(&self, turn: usize) -> anyhow::Result<f64> {
        // Each turn's ids follow those of the turn before.
        sqlx::query(
            "insert into experiment_landing
                 (experiment_id, event_id, unit_key, kind, event, value, digest, at, received_at)
             select experiment_id,
                 overlay(event_id::text placing lpad(to_hex($1), 4, '0') from 10 for 4)::uuid,
                 unit_key, kind, event, value, digest, now(), now()
             from limits_landing order by id",
        )
        .bind(i32::try_from(turn)?)
        .execute(&self.database)
        .await?;
        // The fold looks once a second: how long it takes to notice is not how fast it is.
        let left = self
            .waiting(|waiting| waiting < self.rows)
            .await
            .context("the fold does not fold")?;
        let started = Stopwatch::start();
        anyhow::ensure!(
            left > 0,
            "all rows were folded between two looks; take more"
        );
        self.waiting(|waiting| waiting == 0)
            .await
            .context("the fold does not come to an end")?;
        Ok(left as f64 / started.elapsed().as_secs_f64())
    }

    /// How many rows wait, once that `is` so.
    async fn waiting(&self, is: impl Fn(i64) -> bool) -> Option<i64> {
        let is = &is;
        wait::until_or(|| async move {
            // They came in one statement and nobody else sends any: their ids have no gaps, and need not be counted.
            let waiting = sqlx::query_scalar(
                "select coalesce(max(id) - min(id) + 1, 0) from experiment_landing",
            );
            let waiting = waiting.fetch_one(&self.database).await.ok()?;
            Some(waiting).filter(|&waiting| is(waiting))
        })
        .await
    }
}
