//! The rows of alerts, to and from what the state machine knows.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Report;
use crate::alerts::lifecycle::{Earlier, Episode, Severity, State};
use crate::store::{StoreError, sql};

/// An alert as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// For machines.
    pub id: Uuid,
    /// For people.
    pub number: u64,
    /// What makes two reports the same alert.
    pub identity: String,
    /// The experiment's key.
    pub key: Option<String>,
    /// What found it.
    pub source: String,
    /// Which arm.
    pub arm: Option<String>,
    /// In a sentence.
    pub summary: String,
    /// The figures.
    pub detail: serde_json::Value,
    /// Where it is in its life.
    pub episode: Episode,
    /// When its condition was last seen.
    pub reported_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Who looks after it.
    pub acked_by: Option<String>,
    /// Why.
    pub ack_reason: Option<String>,
    /// Who silenced it.
    pub silenced_by: Option<String>,
    /// Why.
    pub silence_reason: Option<String>,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    number: i64,
    identity: String,
    experiment_key: Option<String>,
    source: String,
    arm: Option<String>,
    state: String,
    severity: String,
    summary: String,
    detail: serde_json::Value,
    opened_at: DateTime<Utc>,
    reported_at: Option<DateTime<Utc>>,
    resolved_at: Option<DateTime<Utc>>,
    told_at: Option<DateTime<Utc>>,
    flaps: i32,
    acked_by: Option<String>,
    ack_reason: Option<String>,
    silenced_by: Option<String>,
    silenced_until: Option<DateTime<Utc>>,
    silence_reason: Option<String>,
}

/// Every statement that reads an alert reads this.
macro_rules! select_alert {
    ($rest:literal) => {
        concat!(
            "select id, number, identity, experiment_key, source, arm, state, severity, summary, detail, opened_at, \
             reported_at, resolved_at, told_at, flaps, acked_by, ack_reason, silenced_by, silenced_until, \
             silence_reason from alerts ",
            $rest
        )
    };
}
pub(super) use select_alert;

impl TryFrom<Row> for Alert {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unreadable = |what: &str, word: &str| {
            StoreError::unreadable(format!("{what} of alert {}", row.number), word.to_owned())
        };
        let state = match (row.state.as_str(), row.silenced_until) {
            ("pending", _) => State::Pending,
            ("firing", _) => State::Firing,
            ("acked", _) => State::Acked,
            ("silenced", Some(until)) => State::Silenced { until },
            ("resolved", _) => State::Resolved,
            (other, _) => return Err(unreadable("state", other)),
        };
        let severity =
            Severity::named(&row.severity).ok_or_else(|| unreadable("severity", &row.severity))?;
        Ok(Self {
            id: row.id,
            number: row.number.cast_unsigned(),
            identity: row.identity,
            key: row.experiment_key,
            source: row.source,
            arm: row.arm,
            summary: row.summary,
            detail: row.detail,
            episode: Episode {
                state,
                severity,
                opened_at: row.opened_at,
                told_at: row.told_at,
                flaps: row.flaps.cast_unsigned(),
            },
            reported_at: row.reported_at,
            resolved_at: row.resolved_at,
            acked_by: row.acked_by,
            ack_reason: row.ack_reason,
            silenced_by: row.silenced_by,
            silence_reason: row.silence_reason,
        })
    }
}

/// Rows as alerts.
pub(super) fn alerts(rows: Vec<Row>) -> Result<Vec<Alert>, StoreError> {
    rows.into_iter().map(Alert::try_from).collect()
}

/// The open alert of this identity, locked.
pub(super) async fn open(
    tx: &mut PgConnection,
    identity: &str,
) -> Result<Option<Alert>, StoreError> {
    let row: Option<Row> = sql::query_as(select_alert!(
        "where identity = $1 and resolved_at is null for update"
    ))
    .bind(identity)
    .fetch_optional(tx)
    .await?;
    row.map(Alert::try_from).transpose()
}

/// The alert of this number, locked.
pub(super) async fn numbered(
    tx: &mut PgConnection,
    number: u64,
) -> Result<Option<Alert>, StoreError> {
    let row: Option<Row> = sql::query_as(select_alert!("where number = $1 for update"))
        .bind(i64::try_from(number).unwrap_or(i64::MAX))
        .fetch_optional(tx)
        .await?;
    row.map(Alert::try_from).transpose()
}

/// The episode of this identity that ended last.
pub(super) async fn earlier(
    tx: &mut PgConnection,
    identity: &str,
) -> Result<Option<Earlier>, StoreError> {
    let row: Option<(DateTime<Utc>, i32)> = sql::query_as(
        "select resolved_at, flaps from alerts
         where identity = $1 and resolved_at is not null order by resolved_at desc limit 1",
    )
    .bind(identity)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|(resolved_at, flaps)| Earlier {
        resolved_at,
        flaps: flaps.cast_unsigned(),
    }))
}

/// A new alert; `None` if there is an open one of its identity.
pub(super) async fn insert(
    tx: &mut PgConnection,
    report: &Report<'_>,
    summary: &str,
    episode: &Episode,
) -> Result<Option<Alert>, StoreError> {
    let id = Uuid::now_v7();
    let number: Option<i64> = sql::query_scalar(
        "insert into alerts (id, experiment_id, experiment_key, identity, source, arm, state, severity, summary,
             detail, opened_at, changed_at, reported_at, told_at, flaps)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $11, $12, $13)
         on conflict (identity) where resolved_at is null do nothing
         returning number",
    )
    .bind(id)
    .bind(report.experiment.map(|id| id.0))
    .bind(&report.key)
    .bind(&report.identity)
    .bind(report.source)
    .bind(&report.arm)
    .bind(episode.state.as_str())
    .bind(episode.severity.as_str())
    .bind(summary)
    .bind(&report.detail)
    .bind(episode.opened_at)
    .bind(episode.told_at)
    .bind(episode.flaps.cast_signed())
    .fetch_optional(tx)
    .await?;
    Ok(number.map(|number| Alert {
        id,
        number: number.cast_unsigned(),
        identity: report.identity.clone(),
        key: report.key.clone(),
        source: report.source.to_owned(),
        arm: report.arm.clone(),
        summary: summary.to_owned(),
        detail: report.detail.clone(),
        episode: episode.clone(),
        reported_at: Some(episode.opened_at),
        resolved_at: None,
        acked_by: None,
        ack_reason: None,
        silenced_by: None,
        silence_reason: None,
    }))
}

/// What the newest report says.
pub(super) async fn renew(
    tx: &mut PgConnection,
    alert: &Alert,
    report: &Report<'_>,
    summary: &str,
) -> Result<(), StoreError> {
    sql::query("update alerts set summary = $2, detail = $3, reported_at = $4 where id = $1")
        .bind(alert.id)
        .bind(summary)
        .bind(&report.detail)
        .bind(report.at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Where it is in its life now.
pub(super) async fn put_episode(
    tx: &mut PgConnection,
    alert: &Alert,
    episode: &Episode,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Episode {
        state,
        severity,
        opened_at: _,
        told_at,
        flaps: _,
    } = episode;
    let until = match state {
        State::Silenced { until } => Some(*until),
        State::Pending | State::Firing | State::Acked | State::Resolved => None,
    };
    sql::query(
        "update alerts set state = $2, severity = $3, told_at = $4, silenced_until = $5, changed_at = $6,
             resolved_at = case when $2 = 'resolved' then $6 end
         where id = $1",
    )
    .bind(alert.id)
    .bind(state.as_str())
    .bind(severity.as_str())
    .bind(told_at)
    .bind(until)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// See [`super::wait_over`]. The instants are the earliest at which the state machine may say something; it decides.
pub(super) async fn waiting(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Alert>, StoreError> {
    let rows: Vec<Row> = sql::query_as(select_alert!(
        "where resolved_at is null
             and (state = 'silenced' and silenced_until <= $1
                  or state = 'firing' and coalesce(told_at + interval '1 hour', opened_at + interval '5 minutes') <= $1
                      and (told_at is null or severity = 'critical' or told_at + interval '4 hours' <= $1))
         order by number limit $2 for update skip locked"
    ))
    .bind(now)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    alerts(rows)
}

/// See [`super::standing`].
pub(super) async fn standing(
    tx: &mut PgConnection,
    over_since: DateTime<Utc>,
) -> Result<Vec<Alert>, StoreError> {
    let rows: Vec<Row> = sql::query_as(select_alert!(
        "where told_at is not null and (resolved_at is null or resolved_at > $1) order by number"
    ))
    .bind(over_since)
    .fetch_all(tx)
    .await?;
    alerts(rows)
}
