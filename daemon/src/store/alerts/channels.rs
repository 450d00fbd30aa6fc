//! How the channels do: which there are, which of them said that they want nothing any more.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::deliveries;
use crate::store::{StoreError, sql};

/// A channel as the leading daemon is configured with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Of what kind.
    pub kind: &'static str,
    /// Where it leads, without what is secret.
    pub target: String,
    /// A hash of all that says where it leads.
    pub fingerprint: String,
}

/// Notes which channels there are, and forgets others: what waits for those is given up, and that they do not work is no
/// news any more. One that leads elsewhere than when it was disabled is not disabled any more.
pub async fn put(
    tx: &mut PgConnection,
    channels: &[Known],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for channel in channels {
        sql::query(
            "insert into alert_channels as c (name, kind, target, fingerprint, seen_at)
             values ($1, $2, $3, $4, $5)
             on conflict (name) do update set kind = excluded.kind, target = excluded.target,
                 fingerprint = excluded.fingerprint, seen_at = excluded.seen_at,
                 disabled_at = case when c.fingerprint = excluded.fingerprint then c.disabled_at end",
        )
        .bind(&channel.name)
        .bind(channel.kind)
        .bind(&channel.target)
        .bind(&channel.fingerprint)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    }
    let names: Vec<&str> = channels.iter().map(|it| it.name.as_str()).collect();
    let gone: Vec<String> =
        sql::query_scalar("delete from alert_channels where name <> all($1) returning name")
            .bind(names)
            .fetch_all(&mut *tx)
            .await?;
    for name in gone {
        deliveries::bury(tx, &name, "the channel is not configured any more", now).await?;
        super::resolve(tx, &identity(&name), now).await?;
    }
    Ok(())
}

/// The channels that are disabled, and why.
pub async fn disabled(tx: &mut PgConnection) -> Result<Vec<(String, String)>, StoreError> {
    Ok(sql::query_as(
        "select name, coalesce(last_error, '') from alert_channels where disabled_at is not null",
    )
    .fetch_all(tx)
    .await?)
}

/// It took something.
pub async fn delivered(
    tx: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query("update alert_channels set delivered_at = $2, last_error = null where name = $1")
        .bind(name)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

/// It did not take something.
pub async fn failed(
    tx: &mut PgConnection,
    name: &str,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query("update alert_channels set failed_at = $3, last_error = $2 where name = $1")
        .bind(name)
        .bind(error)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

/// It said that it wants nothing any more.
pub async fn disable(
    tx: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query("update alert_channels set disabled_at = $2 where name = $1")
        .bind(name)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

/// An operator wants it to be tried again. Whether there is such a channel.
pub async fn enable(tx: &mut PgConnection, name: &str) -> Result<bool, StoreError> {
    let done = sql::query("update alert_channels set disabled_at = null where name = $1")
        .bind(name)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What the alert is called that a channel does not work.
pub fn identity(name: &str) -> String {
    format!("platform/alert_channel/{name}")
}
