//! Alerts as people look at them: with their deliveries, and with how the channels do.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use protocol::alerts::{Alert as Shown, AlertCounts, AlertsPage, AlertsQuery, Channel, Delivery};
use uuid::Uuid;

use super::rows::{Alert, Row, alerts, select_alert};
use crate::alerts::lifecycle::State;
use crate::store::{Store, StoreError, sql};

/// Alerts of one page, at most.
const MAX_PAGE: u32 = 500;

/// Deliveries of one page, at most: of the newest alerts.
const MAX_DELIVERIES: i64 = 5_000;

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    alert_id: Option<Uuid>,
    number: i64,
    channel: String,
    kind: String,
    attempts: i32,
    due_at: DateTime<Utc>,
    tried_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    dead_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ChannelRow {
    name: String,
    kind: String,
    target: String,
    disabled_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    failed_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

/// The open alerts, the worst first, and with `all` those that are over after them, newest first.
pub async fn page(store: &Store, query: &AlertsQuery) -> Result<AlertsPage, StoreError> {
    let limit = i64::from(query.limit.clamp(1, MAX_PAGE));
    let mut session = store.session().await?;
    let rows: Vec<Row> = sql::query_as(select_alert!(
        "where resolved_at is null or $1
         order by resolved_at is not null, (state in ('firing', 'pending')) desc,
             case when resolved_at is null then severity end, coalesce(resolved_at, opened_at) desc, number desc
         limit $2"
    ))
    .bind(query.all)
    .bind(limit)
    .fetch_all(&mut *session)
    .await?;
    let found = alerts(rows)?;
    let ids: Vec<Uuid> = found.iter().map(|alert| alert.id).collect();
    // Digests are about many: they are shown by themselves while they are on their way or dead.
    let deliveries: Vec<DeliveryRow> = sql::query_as(
        "select d.alert_id, d.number, d.channel, n.kind, d.attempts, d.due_at, d.tried_at, d.delivered_at, d.dead_at,
             d.last_error
         from alert_deliveries d join alert_notices n on n.id = d.notice_id
         where d.alert_id = any($1)
             or d.alert_id is null and (d.delivered_at is null or $2)
         order by d.number desc limit $3",
    )
    .bind(&ids)
    .bind(query.all)
    .bind(MAX_DELIVERIES)
    .fetch_all(&mut *session)
    .await?;
    let channels: Vec<ChannelRow> = sql::query_as(
        "select name, kind, target, disabled_at, delivered_at, failed_at, last_error
         from alert_channels order by name",
    )
    .fetch_all(&mut *session)
    .await?;
    let dead: i64 =
        sql::query_scalar("select count(*) from alert_deliveries where dead_at is not null")
            .fetch_one(&mut *session)
            .await?;
    let now: DateTime<Utc> = sql::query_scalar("select clock_timestamp()")
        .fetch_one(&mut *session)
        .await?;
    drop(session);
    let mut by_alert: HashMap<Option<Uuid>, Vec<Delivery>> = HashMap::new();
    for row in deliveries.into_iter().rev() {
        by_alert.entry(row.alert_id).or_default().push(row.into());
    }
    Ok(AlertsPage {
        now,
        alerts: found
            .into_iter()
            .map(|alert| {
                let deliveries = by_alert.remove(&Some(alert.id)).unwrap_or_default();
                shown(alert, deliveries, now)
            })
            .collect(),
        digests: by_alert.remove(&None).unwrap_or_default(),
        channels: channels.into_iter().map(Channel::from).collect(),
        dead: dead.cast_unsigned(),
        counts: counts(store).await?,
    })
}

/// How many alerts are open that nobody acked or silenced.
pub async fn counts(store: &Store) -> Result<AlertCounts, StoreError> {
    let mut session = store.session().await?;
    let (critical, warning): (i64, i64) = sql::query_as(
        "select count(*) filter (where severity = 'critical'), count(*) filter (where severity = 'warning')
         from alerts where resolved_at is null
             and (state = 'firing' or state = 'silenced' and silenced_until <= now())",
    )
    .fetch_one(&mut *session)
    .await?;
    Ok(AlertCounts {
        critical: critical.cast_unsigned(),
        warning: warning.cast_unsigned(),
    })
}

fn shown(alert: Alert, deliveries: Vec<Delivery>, now: DateTime<Utc>) -> Shown {
    // Where no channel is configured nobody ends a silence that is over.
    let (state, silenced_until) = match alert.episode.state {
        State::Silenced { until } if until <= now => (State::Firing, None),
        State::Silenced { until } => (alert.episode.state, Some(until)),
        state => (state, None),
    };
    Shown {
        number: alert.number,
        id: alert.id,
        identity: alert.identity,
        experiment: alert.key,
        source: alert.source,
        arm: alert.arm,
        state: state.as_str().to_owned(),
        severity: alert.episode.severity.as_str().to_owned(),
        summary: alert.summary,
        detail: alert.detail,
        opened_at: alert.episode.opened_at,
        reported_at: alert.reported_at,
        told_at: alert.episode.told_at,
        resolved_at: alert.resolved_at,
        flaps: alert.episode.flaps,
        acked_by: alert.acked_by,
        ack_reason: alert.ack_reason,
        silenced_by: alert.silenced_by,
        silenced_until,
        silence_reason: alert.silence_reason,
        deliveries,
    }
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        let state = match (row.delivered_at, row.dead_at) {
            (Some(_), _) => "delivered",
            (None, Some(_)) => "dead",
            (None, None) => "waiting",
        };
        Self {
            number: row.number.cast_unsigned(),
            channel: row.channel,
            notice: row.kind,
            state: state.to_owned(),
            attempts: row.attempts.cast_unsigned(),
            due_at: row.due_at,
            tried_at: row.tried_at,
            delivered_at: row.delivered_at,
            error: row.last_error.unwrap_or_default(),
        }
    }
}

impl From<ChannelRow> for Channel {
    fn from(row: ChannelRow) -> Self {
        Self {
            name: row.name,
            kind: row.kind,
            target: row.target,
            disabled_at: row.disabled_at,
            delivered_at: row.delivered_at,
            failed_at: row.failed_at,
            error: row.last_error.unwrap_or_default(),
        }
    }
}
