//! Alerts: what fires, who looks after it, and what is to be told of it.
//!
//! Whoever finds that something is wrong says so with [`report`] in the transaction in which it found it, as often as
//! it finds it, and [`resolve`] once it is over. The notice of it is written in the same transaction, so that nobody is
//! told of what did not happen, and nothing that happened stays untold.

pub mod channels;
pub mod deliveries;
mod notices;
mod page;
mod rows;
#[cfg(test)]
mod tests;

use bandit::experiment::ExperimentId;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

pub use crate::alerts::lifecycle::Severity;
use crate::alerts::lifecycle::{Episode, Happening, Illegal, State};

use super::{StoreError, sql};

pub use notices::{
    Recipient, Waiting, expand, held_since, hold, make_digest, told_recently, waiting,
};
pub use page::{counts, page};
pub use rows::Alert;

/// Longest sentence of an alert, in characters: a line of a chat.
const MAX_SUMMARY: usize = 400;

/// Something that is wrong, as whoever found it says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report<'a> {
    /// What makes two reports the same alert: `guardrail/<key>/<guardrail>/<arm or *>`, `decision/<key>`,
    /// `schedule/<key>`, `platform/<what>`.
    pub identity: String,
    /// Which experiment, if it is about one.
    pub experiment: Option<ExperimentId>,
    /// Its key.
    pub key: Option<String>,
    /// What found it: a guardrail's name, `decision`, `schedule` or `platform`.
    pub source: &'a str,
    /// Which arm, if it is about one.
    pub arm: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// In a sentence, with figures.
    pub summary: String,
    /// The figures, as an object.
    pub detail: serde_json::Value,
    /// When it was seen, by the database's clock.
    pub at: DateTime<Utc>,
    /// It has not lasted long enough yet to tell anybody.
    pub pending: bool,
}

/// Opens an alert, or renews the open one of this identity, which tells nobody again unless it has become worse.
pub async fn report(tx: &mut PgConnection, report: &Report<'_>) -> Result<(), StoreError> {
    let happening = Happening::Reported {
        severity: report.severity,
        pending: report.pending,
    };
    loop {
        if let Some(open) = rows::open(tx, &report.identity).await? {
            rows::renew(tx, &open, report, &summary(&report.summary)).await?;
            let said = Alert {
                summary: summary(&report.summary),
                detail: report.detail.clone(),
                ..open
            };
            let _ = step(tx, &said, happening, report.at).await?;
            return Ok(());
        }
        let earlier = rows::earlier(tx, &report.identity).await?;
        let (episode, notice) = Episode::open(report.severity, report.pending, earlier, report.at);
        // Another transaction may have opened it since: then it is renewed, in another turn.
        let opened = rows::insert(tx, report, &summary(&report.summary), &episode).await?;
        if let Some(opened) = opened {
            if let Some(notice) = notice {
                notices::write(tx, notice, &opened, report.at).await?;
            }
            return Ok(());
        }
    }
}

/// Ends the open alert of this identity, if there is one, and tells those who were told that it fired.
pub async fn resolve(
    tx: &mut PgConnection,
    identity: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    if let Some(open) = rows::open(tx, identity).await? {
        let _ = step(tx, &open, Happening::Over, at).await?;
    }
    Ok(())
}

/// The keys of the experiments that have an open alert whose identity is `<kind>/<key>`.
pub async fn open_of(tx: &mut PgConnection, kind: &str) -> Result<Vec<String>, StoreError> {
    let identities: Vec<String> = sql::query_scalar(
        "select identity from alerts where resolved_at is null and starts_with(identity, $1 || '/')",
    )
    .bind(kind)
    .fetch_all(tx)
    .await?;
    let keys = identities.iter().filter_map(|it| it.split_once('/'));
    Ok(keys.map(|(_, key)| key.to_owned()).collect())
}

/// The alert of this number, locked until the transaction ends.
pub async fn find(tx: &mut PgConnection, number: u64) -> Result<Option<Alert>, StoreError> {
    rows::numbered(tx, number).await
}

/// Lets `happening` happen to `alert`, and writes what is told of it; says what it is then.
pub async fn step(
    tx: &mut PgConnection,
    alert: &Alert,
    happening: Happening,
    at: DateTime<Utc>,
) -> Result<Result<State, Illegal>, StoreError> {
    let (next, notice) = match alert.episode.after(happening, at) {
        Ok(after) => after,
        Err(illegal) => return Ok(Err(illegal)),
    };
    if next != alert.episode {
        rows::put_episode(tx, alert, &next, at).await?;
    }
    let state = next.state;
    if let Some(notice) = notice {
        let told = Alert {
            episode: next,
            ..alert.clone()
        };
        notices::write(tx, notice, &told, at).await?;
    }
    Ok(Ok(state))
}

/// Notes who acked it, and why.
pub async fn put_ack(
    tx: &mut PgConnection,
    alert: &Alert,
    by: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query("update alerts set acked_by = $2, ack_reason = $3, acked_at = $4 where id = $1")
        .bind(alert.id)
        .bind(by)
        .bind(reason)
        .bind(at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes who silenced it, and why.
pub async fn put_silence(
    tx: &mut PgConnection,
    alert: &Alert,
    by: &str,
    reason: &str,
) -> Result<(), StoreError> {
    sql::query("update alerts set silenced_by = $2, silence_reason = $3 where id = $1")
        .bind(alert.id)
        .bind(by)
        .bind(reason)
        .execute(tx)
        .await?;
    Ok(())
}

/// Alerts of which time alone may have made something to tell as of `now`: silences that ended, reminders, those that
/// flapped and have lasted. At most `limit`.
pub async fn wait_over(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Alert>, StoreError> {
    rows::waiting(tx, now, limit).await
}

/// Forgets what is older than `before` and nobody could be told: no channel was configured then, and now it is no news.
pub async fn forget(tx: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, StoreError> {
    notices::forget(tx, before).await
}

/// How things stand, for whoever is told that again and again: what people were told of and what is open, and what
/// ended within `over_for`.
pub async fn standing(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    over_for: TimeDelta,
) -> Result<Vec<Alert>, StoreError> {
    rows::standing(tx, now - over_for).await
}

/// One line, cut to [`MAX_SUMMARY`]: it goes into headers, chats and terminals.
fn summary(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(MAX_SUMMARY).collect::<String>().trim().to_owned()
}
