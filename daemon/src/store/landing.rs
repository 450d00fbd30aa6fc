//! The landing table, as the data path fills it: acknowledged events that the fold has not taken yet.

use bandit::assign::UnitKey;
use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::copy::CopyRows;
use super::front::Front;
use super::{Store, StoreError, fold, sql};

/// An event or exposure on its way to the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Landed {
    /// Where.
    pub experiment: ExperimentId,
    /// One id, one effect.
    pub event_id: Uuid,
    /// Who.
    pub unit: UnitKey,
    /// Event or exposure.
    pub kind: LandedKind,
    /// What happened; empty for an exposure.
    pub event: String,
    /// How much; finite.
    pub value: Option<f64>,
    /// Of the body: the same id with another digest is a conflict.
    pub digest: u64,
    /// When it happened, as far as we believe it.
    pub at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// What has landed. The numbers are those of the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum LandedKind {
    /// Something a service tracked.
    Event = 0,
    /// A unit that was assigned with `expose: false` has met its arm.
    Exposure = 1,
}

/// A row as it is copied: 38 of lengths and count, 70 of columns of fixed size, and the event's name.
const COPY_ROW_BYTES: usize = 128;

/// From so many rows on they are copied: a copy costs the server half as much a row, and one more round trip.
const COPIED_FROM: usize = 64;

/// Lands all `rows`. Landing a row twice is harmless: the ledger takes each id once.
pub async fn land(connection: &mut PgConnection, rows: &[&Landed]) -> Result<(), StoreError> {
    if rows.len() < COPIED_FROM {
        return insert(connection, rows).await;
    }
    copy(connection, rows).await
}

async fn copy(connection: &mut PgConnection, rows: &[&Landed]) -> Result<(), StoreError> {
    let mut copied = CopyRows::with_capacity(rows.len(), COPY_ROW_BYTES);
    for row in rows {
        copied.row(9);
        copied.int4(row.experiment.0);
        copied.bytes(row.event_id.as_bytes());
        copied.bytes(&row.unit.0);
        copied.int2(row.kind as i16);
        copied.bytes(row.event.as_bytes());
        copied.float8(row.value);
        copied.int8(row.digest.cast_signed());
        copied.instant(row.at);
        copied.instant(row.received_at);
    }
    let mut copy = connection
        .copy_in_raw(
            "copy experiment_landing
                 (experiment_id, event_id, unit_key, kind, event, value, digest, at, received_at)
             from stdin with (format binary)",
        )
        .await?;
    copy.send(copied.finish()).await?;
    copy.finish().await?;
    Ok(())
}

async fn insert(connection: &mut PgConnection, rows: &[&Landed]) -> Result<(), StoreError> {
    let columns = Columns::of(rows);
    sql::query(
        "insert into experiment_landing
             (experiment_id, event_id, unit_key, kind, event, value, digest, at, received_at)
         select * from unnest($1::int4[], $2::uuid[], $3::bytea[], $4::int2[], $5::text[],
                              $6::float8[], $7::int8[], $8::timestamptz[], $9::timestamptz[])",
    )
    .bind(columns.experiments)
    .bind(columns.ids)
    .bind(columns.units)
    .bind(columns.kinds)
    .bind(columns.events)
    .bind(columns.values)
    .bind(columns.digests)
    .bind(columns.at)
    .bind(columns.received_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// The landing table from outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting {
    /// Its first row, in the order of landing.
    pub first: i64,
    /// Its last row.
    pub last: i64,
    /// How long ago the first one was received.
    pub lag_secs: f64,
}

impl Waiting {
    /// How many rows wait. Rows are numbered as they come and leave from the front, so the ends tell.
    pub fn rows(&self) -> i64 {
        self.last - self.first + 1
    }
}

/// What waits for the fold; `None` if nothing does. Two looks into an index, from where `front` says.
pub async fn waiting(store: &Store, front: &mut Front) -> Result<Option<Waiting>, StoreError> {
    let mut session = store.session().await?;
    let now = fold::now(&mut session).await?;
    let row: Result<Option<(i64, i64, f64)>, sqlx::Error> = sql::query_as(
        "select f.id, l.id, greatest(extract(epoch from clock_timestamp() - f.received_at), 0)::float8
         from (select id, received_at from experiment_landing where id >= $1 order by id limit 1) f
         cross join lateral (
             select id from experiment_landing where id >= f.id order by id desc limit 1
         ) l",
    )
    .bind(front.from(now))
    .fetch_optional(&mut *session)
    .await;
    let row = row.inspect_err(|_| front.failed(now))?;
    front.looked(now, row.map(|(first, ..)| first));
    Ok(row.map(|(first, last, lag_secs)| Waiting {
        first,
        last,
        lag_secs,
    }))
}

/// The rows, column by column, as `unnest` takes them.
struct Columns<'a> {
    experiments: Vec<i32>,
    ids: Vec<Uuid>,
    units: Vec<&'a [u8]>,
    kinds: Vec<i16>,
    events: Vec<&'a str>,
    values: Vec<Option<f64>>,
    digests: Vec<i64>,
    at: Vec<DateTime<Utc>>,
    received_at: Vec<DateTime<Utc>>,
}

impl<'a> Columns<'a> {
    fn of(rows: &[&'a Landed]) -> Self {
        Self {
            experiments: rows.iter().map(|row| row.experiment.0).collect(),
            ids: rows.iter().map(|row| row.event_id).collect(),
            units: rows.iter().map(|row| &row.unit.0[..]).collect(),
            kinds: rows.iter().map(|row| row.kind as i16).collect(),
            events: rows.iter().map(|row| row.event.as_str()).collect(),
            values: rows.iter().map(|row| row.value).collect(),
            digests: rows.iter().map(|row| row.digest.cast_signed()).collect(),
            at: rows.iter().map(|row| row.at).collect(),
            received_at: rows.iter().map(|row| row.received_at).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::testing::database;

    /// A row with every column at an edge of its type.
    fn landed(n: u8) -> Landed {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(i64::from(n) * 100);
        Landed {
            experiment: ExperimentId(i32::from(n)),
            event_id: Uuid::from_bytes([n; 16]),
            unit: UnitKey([n; 16]),
            kind: if n.is_multiple_of(2) {
                LandedKind::Event
            } else {
                LandedKind::Exposure
            },
            event: "käufe ".repeat(usize::from(n % 3)),
            value: (!n.is_multiple_of(5)).then_some(f64::from(n) * -0.1),
            digest: u64::MAX - u64::from(n),
            at: at + TimeDelta::microseconds(1),
            received_at: at,
        }
    }

    #[tokio::test]
    async fn rows_that_are_copied_are_those_that_are_inserted() {
        let database = database().await;
        let mut connection = database.store.pool.acquire().await.unwrap();
        let rows: Vec<Landed> = (0..=u8::MAX).map(landed).collect();
        let rows: Vec<&Landed> = rows.iter().collect();
        insert(&mut connection, &rows).await.unwrap();
        copy(&mut connection, &rows).await.unwrap();
        let copies: Vec<i64> = sqlx::query_scalar(
            "select count(*) from experiment_landing
             group by experiment_id, event_id, unit_key, kind, event, value, digest, at, received_at",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        assert_eq!(copies, vec![2; rows.len()]);
    }
}
