//! Deliveries: one notice to one channel, until it is taken, given up, or sent again by hand.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::alerts::message::Word;
use crate::alerts::schedule;
use crate::store::{StoreError, sql};

/// 60 s: three times as long as an attempt may take. A sender that is gone for longer has lost its claim, and the
/// delivery is sent again under the same id.
const CLAIMED_FOR: TimeDelta = TimeDelta::seconds(60);

/// A delivery that is being sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The same over all attempts.
    pub id: Uuid,
    /// Which attempt this is, from 1. It tells this claim from every other.
    pub attempt: u32,
    /// What is told.
    pub word: Word,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It was taken.
    Delivered,
    /// It was not.
    Failed {
        /// Why, without secrets.
        error: String,
        /// When the receiver wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The receiver wants nothing any more.
    Gone {
        /// What it said.
        error: String,
    },
}

/// What became of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It was taken.
    Delivered,
    /// It is tried again.
    Again,
    /// It was given up.
    Dead,
    /// The claim had been lost: somebody else answers for it.
    Lost,
}

/// Claims the delivery to `channel` that is due first, if there is one. What is told of one alert is told in order,
/// and a digest, which is of many, before and after all else: nothing overtakes what was not taken yet.
pub async fn claim(
    tx: &mut PgConnection,
    channel: &str,
    now: DateTime<Utc>,
) -> Result<Option<Claimed>, StoreError> {
    let row: Option<(Uuid, i32, Json<Word>)> = sql::query_as(
        "update alert_deliveries d
         set attempts = attempts + 1, claimed_until = $3, tried_at = $2
         from alert_notices n
         where n.id = d.notice_id and d.id = (
             select c.id from alert_deliveries c
             where c.channel = $1 and c.delivered_at is null and c.dead_at is null and c.due_at <= $2
                 and (c.claimed_until is null or c.claimed_until < $2)
                 and not exists (
                     select from alert_deliveries e
                     where e.channel = c.channel and e.notice_id < c.notice_id
                         and (e.alert_id = c.alert_id or e.alert_id is null or c.alert_id is null)
                         and e.delivered_at is null and e.dead_at is null)
             order by c.notice_id limit 1
             for update skip locked)
         returning d.id, d.attempts, n.message",
    )
    .bind(channel)
    .bind(now)
    .bind(now + CLAIMED_FOR)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|(id, attempt, Json(word))| Claimed {
        id,
        attempt: attempt.cast_unsigned(),
        word,
    }))
}

/// Writes down how an attempt ended, and when the next one is.
pub async fn record(
    tx: &mut PgConnection,
    claimed: &Claimed,
    attempt: &Attempt,
    now: DateTime<Utc>,
) -> Result<Next, StoreError> {
    let (next, due_at, error) = match attempt {
        Attempt::Delivered => (Next::Delivered, None, None),
        Attempt::Gone { error } => (Next::Dead, None, Some(error)),
        Attempt::Failed { error, retry_after } => {
            match schedule::next(claimed.attempt, now, *retry_after) {
                Some(due_at) => (Next::Again, Some(due_at), Some(error)),
                None => (Next::Dead, None, Some(error)),
            }
        }
    };
    let done = sql::query(
        "update alert_deliveries
         set claimed_until = null, last_error = $3, due_at = coalesce($4, due_at),
             delivered_at = case when $5 then $7 end, dead_at = case when $6 then $7 end
         where id = $1 and attempts = $2 and delivered_at is null and dead_at is null",
    )
    .bind(claimed.id)
    .bind(claimed.attempt.cast_signed())
    .bind(error)
    .bind(due_at)
    .bind(next == Next::Delivered)
    .bind(next == Next::Dead)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(if done.rows_affected() == 0 {
        Next::Lost
    } else {
        next
    })
}

/// Gives up whatever else waits for `channel`, which wants nothing any more.
pub async fn bury(
    tx: &mut PgConnection,
    channel: &str,
    why: &str,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let done = sql::query(
        "update alert_deliveries set dead_at = $3, last_error = $2, claimed_until = null
         where channel = $1 and delivered_at is null and dead_at is null",
    )
    .bind(channel)
    .bind(why)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// The channels to which something is due.
pub async fn due(tx: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    Ok(sql::query_scalar(
        "select distinct channel from alert_deliveries
         where delivered_at is null and dead_at is null and due_at <= $1
             and (claimed_until is null or claimed_until < $1)",
    )
    .bind(now)
    .fetch_all(tx)
    .await?)
}

/// A delivery that was asked for by its number.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Found {
    /// Its id.
    pub id: Uuid,
    /// To which channel.
    pub channel: String,
    /// When it was taken.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was given up.
    pub dead_at: Option<DateTime<Utc>>,
}

/// The delivery of this number, locked until the transaction ends.
pub async fn find(tx: &mut PgConnection, number: u64) -> Result<Option<Found>, StoreError> {
    Ok(sql::query_as(
        "select id, channel, delivered_at, dead_at from alert_deliveries where number = $1 for update",
    )
    .bind(i64::try_from(number).unwrap_or(i64::MAX))
    .fetch_optional(tx)
    .await?)
}

/// Begins a delivery anew: due now, under the same id, with all its attempts.
pub async fn revive(
    tx: &mut PgConnection,
    found: &Found,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "update alert_deliveries
         set due_at = $2, attempts = 0, dead_at = null, delivered_at = null, claimed_until = null
         where id = $1",
    )
    .bind(found.id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}
