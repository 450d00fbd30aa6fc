//! Notices: what is to be told, from the transaction that wrote it to the deliveries that are made from it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::rows::Alert;
use crate::alerts::lifecycle::{Notice, Severity};
use crate::alerts::message::{Told, Word};
use crate::alerts::storm::WINDOW;
use crate::store::{StoreError, sql};

/// Alerts that a digest names; it counts the others.
const NAMED_IN_A_DIGEST: usize = 25;

/// A notice that no delivery was made from yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Its place in the order in which they were written.
    pub id: i64,
    /// About which alert; `None` for a digest.
    pub alert: Option<Uuid>,
    /// What is told.
    pub word: Word,
}

/// Whom it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The channel's name.
    pub channel: String,
    /// The least severity that it takes.
    pub least: Severity,
    /// Why it takes nothing at the moment.
    pub disabled: Option<String>,
}

/// Writes down what is to be told of `alert`.
pub(super) async fn write(
    tx: &mut PgConnection,
    notice: Notice,
    alert: &Alert,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let word = Word {
        notice,
        at,
        count: 1,
        alerts: vec![Told::of(alert)],
    };
    insert(tx, Some(alert.id), &word).await?;
    Ok(())
}

async fn insert(
    tx: &mut PgConnection,
    alert: Option<Uuid>,
    word: &Word,
) -> Result<i64, StoreError> {
    let id = sql::query_scalar(
        "insert into alert_notices (alert_id, kind, at, message) values ($1, $2, $3, $4) returning id",
    )
    .bind(alert)
    .bind(word.notice.as_str())
    .bind(word.at)
    .bind(Json(word))
    .fetch_one(tx)
    .await?;
    Ok(id)
}

type WaitingRow = (i64, Option<Uuid>, Json<Word>);

fn read(rows: Vec<WaitingRow>) -> Vec<Waiting> {
    rows.into_iter()
        .map(|(id, alert, Json(word))| Waiting { id, alert, word })
        .collect()
}

/// The oldest notices that wait and are not held back for a digest; at most `limit`.
pub async fn waiting(tx: &mut PgConnection, limit: i64) -> Result<Vec<Waiting>, StoreError> {
    let rows: Vec<WaitingRow> = sql::query_as(
        "select id, alert_id, message from alert_notices
         where taken_at is null and not held order by id limit $1 for update skip locked",
    )
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(read(rows))
}

/// How many were told one by one within the last minute.
pub async fn told_recently(tx: &mut PgConnection, now: DateTime<Utc>) -> Result<usize, StoreError> {
    let count: i64 = sql::query_scalar(
        "select count(*) from alert_notices where taken_at > $1 and not held and kind <> 'digest'",
    )
    .bind(now - WINDOW)
    .fetch_one(tx)
    .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// When the oldest notice that is held back for a digest was written.
pub async fn held_since(tx: &mut PgConnection) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(
        sql::query_scalar("select min(at) from alert_notices where taken_at is null and held")
            .fetch_one(tx)
            .await?,
    )
}

/// Makes a delivery of `notice` for each of `recipients` that takes it. Those that are disabled get one that is dead
/// from the start: it is seen, and can be sent later.
pub async fn expand(
    tx: &mut PgConnection,
    notice: &Waiting,
    recipients: &[Recipient],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let severity = notice.word.severity();
    for recipient in recipients.iter().filter(|it| severity >= it.least) {
        sql::query(
            "insert into alert_deliveries (id, alert_id, notice_id, channel, due_at, dead_at, last_error)
             values ($1, $2, $3, $4, $5, case when $6::text is not null then $5 end, $6)
             on conflict (notice_id, channel) do nothing",
        )
        .bind(Uuid::now_v7())
        .bind(notice.alert)
        .bind(notice.id)
        .bind(&recipient.channel)
        .bind(now)
        .bind(&recipient.disabled)
        .execute(&mut *tx)
        .await?;
    }
    sql::query("update alert_notices set taken_at = $2 where id = $1")
        .bind(notice.id)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

/// See [`super::forget`].
pub(super) async fn forget(
    tx: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, StoreError> {
    // As if they had gone into a digest: they do not count among those that were told.
    let done = sql::query(
        "update alert_notices set taken_at = at, held = true where taken_at is null and at < $1",
    )
    .bind(before)
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// Holds `notices` back for a digest.
pub async fn hold(tx: &mut PgConnection, notices: &[Waiting]) -> Result<(), StoreError> {
    if notices.is_empty() {
        return Ok(());
    }
    sql::query("update alert_notices set held = true where id = any($1)")
        .bind(notices.iter().map(|notice| notice.id).collect::<Vec<i64>>())
        .execute(tx)
        .await?;
    Ok(())
}

/// Puts everything that is held back into one notice.
pub async fn make_digest(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Option<Waiting>, StoreError> {
    let rows: Vec<WaitingRow> = sql::query_as(
        "select id, alert_id, message from alert_notices
         where taken_at is null and held order by id for update",
    )
    .fetch_all(&mut *tx)
    .await?;
    let held = read(rows);
    if held.is_empty() {
        return Ok(None);
    }
    let mut alerts: Vec<Told> = held
        .iter()
        .flat_map(|notice| {
            let kind = notice.word.notice;
            notice
                .word
                .alerts
                .iter()
                .map(move |told| told.briefly(kind))
        })
        .collect();
    let count = u32::try_from(alerts.len()).unwrap_or(u32::MAX);
    // The worst first: they are the ones that must be named.
    alerts.sort_by_key(|told| std::cmp::Reverse(told.severity));
    alerts.truncate(NAMED_IN_A_DIGEST);
    let word = Word {
        notice: Notice::Digest,
        at: now,
        count,
        alerts,
    };
    let id = insert(tx, None, &word).await?;
    sql::query("update alert_notices set taken_at = $2, digest_id = $3 where id = any($1)")
        .bind(held.iter().map(|notice| notice.id).collect::<Vec<i64>>())
        .bind(now)
        .bind(id)
        .execute(tx)
        .await?;
    Ok(Some(Waiting {
        id,
        alert: None,
        word,
    }))
}
