//! How large the database is and how fast it grows, by its large tables.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, StoreError, retention, sql};

/// The tables that grow with traffic. A fixed set: each is a label of a metric.
const TABLES: [&str; 7] = [
    "experiment_landing",
    "experiment_events",
    "experiment_assignments",
    "experiment_rewards",
    "experiment_minutes",
    "experiment_policy_versions",
    "experiment_audit_logs",
];

/// What the database takes up.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes {
    /// Bytes of each large table, with its indexes and all its weeks.
    pub tables: Vec<(&'static str, i64)>,
    /// Since when events are kept; `None`: none was ever dropped.
    pub kept_since: Option<DateTime<Utc>>,
}

/// Asks the file system, table by table; a look takes milliseconds.
pub async fn sizes(store: &Store) -> Result<Sizes, StoreError> {
    let mut session = store.session().await?;
    let bytes: Vec<i64> = sql::query_scalar(
        "select coalesce(
             (select sum(pg_total_relation_size(relid))::int8 from pg_partition_tree(name::regclass)),
             pg_total_relation_size(name::regclass), 0)
         from unnest($1::text[]) with ordinality as t (name, nth) order by nth",
    )
    .bind(&TABLES[..])
    .fetch_all(&mut *session)
    .await?;
    Ok(Sizes {
        tables: TABLES.into_iter().zip(bytes).collect(),
        kept_since: retention::kept_since(&mut session).await?,
    })
}

/// What came in a day.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
pub struct Growth {
    /// Events, this week and last.
    pub events_per_day: f64,
    /// Bytes of one event of the ledger, indexes included.
    pub bytes_per_event: f64,
    /// Units that were assigned, in the same time.
    pub units_per_day: f64,
    /// Bytes of one unit's assignment and rewards, indexes included.
    pub bytes_per_unit: f64,
}

impl Growth {
    /// Bytes a day.
    pub fn bytes_per_day(&self) -> f64 {
        self.events_per_day * self.bytes_per_event + self.units_per_day * self.bytes_per_unit
    }
}

/// From what is counted anyway: nothing of the ledgers is read.
pub async fn growth(connection: &mut PgConnection, sizes: &Sizes) -> Result<Growth, StoreError> {
    let bytes = |wanted: &[&str]| -> i64 {
        let of = sizes
            .tables
            .iter()
            .filter(|(name, _)| wanted.contains(name));
        of.map(|(_, bytes)| bytes).sum()
    };
    Ok(sql::query_as(
        "with since as (
             select greatest(date_trunc('week', now(), 'UTC') - interval '168 hours', created_at) as at
             from installation
         ), days as (
             select greatest(extract(epoch from now() - at) / 86400, 0.01)::float8 as days, at from since
         ), events as (
             select sum(count)::float8 as held, sum(count) filter (where week >= date_trunc('week', at, 'UTC'))::float8 as new
             from experiment_event_counts, days
         ), units as (
             select sum(assigned)::float8 as held from experiment_bandit_state
         ), fresh as (
             select sum(count)::float8 as new from experiment_minutes, days where event = '$assigned' and minute >= date_trunc('minute', at)
         )
         select coalesce(events.new, 0) / days as events_per_day,
             coalesce($1 / nullif(events.held, 0), 0) as bytes_per_event,
             coalesce(fresh.new, 0) / days as units_per_day,
             coalesce($2 / nullif(units.held, 0), 0) as bytes_per_unit
         from days, events, units, fresh",
    )
    .bind(bytes(&["experiment_events"]) as f64)
    .bind(bytes(&["experiment_assignments", "experiment_rewards"]) as f64)
    .fetch_one(connection)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::fixture::{CHECKOUT, Event, Fixture};

    #[tokio::test]
    async fn the_weeks_of_the_ledger_are_part_of_its_size_and_of_what_a_day_adds() {
        let database = crate::testing::database().await;
        let now: DateTime<Utc> = sqlx::query_scalar("select now()")
            .fetch_one(&database.store.pool)
            .await
            .unwrap();
        drop(database);
        let fixture = Fixture::start_at(CHECKOUT, now).await;
        let units: Vec<u32> = (0..500).collect();
        fixture.assign_all(&units, now, true).await;
        let events: Vec<Event> = units
            .iter()
            .map(|unit| Event {
                unit: *unit,
                name: "purchase",
                value: None,
                id: u128::from(*unit),
                at: now,
            })
            .collect();
        fixture.land(&events).await;
        fixture.fold(now).await;
        let seen = sizes(fixture.store()).await.unwrap();
        assert_eq!(seen.kept_since, None);
        assert!(seen.tables.iter().all(|(_, bytes)| *bytes > 0), "{seen:?}");
        let mut connection = fixture.store().pool.acquire().await.unwrap();
        let growth = growth(&mut connection, &seen).await.unwrap();
        assert!(growth.events_per_day > 0.0, "{growth:?}");
        assert!(growth.bytes_per_event > 100.0, "{growth:?}");
        let units = growth.units_per_day / growth.events_per_day;
        assert!((units - 1.0).abs() < 0.01, "{growth:?}");
        assert!(growth.bytes_per_unit > 100.0, "{growth:?}");
        let days = growth.bytes_per_day() / growth.events_per_day;
        assert!(days > growth.bytes_per_event, "{growth:?}");
    }
}
