//! What is written, and with what.

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::store::{Store, TxFuture};
use crate::testing::database;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

fn errors(minutes: i64) -> Report<'static> {
    Report {
        identity: "guardrail/checkout/errors/*".to_owned(),
        experiment: None,
        key: Some("checkout".to_owned()),
        source: "errors",
        arm: None,
        severity: Severity::Warning,
        summary: "errors\r\nare  many ".to_owned(),
        detail: json!({}),
        at: at(minutes),
        pending: false,
    }
}

async fn say(store: &Store, said: &Report<'_>) {
    let written = store.run_tx("test", |tx| {
        TxFuture::new(async move { report(tx, said).await })
    });
    written.await.unwrap();
}

async fn count(store: &Store, text: &'static str) -> i64 {
    sqlx::query_scalar(text)
        .fetch_one(&store.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let database = database().await;
    let store = &database.store;
    let broken: Result<(), StoreError> = store
        .run_tx("test", |tx| {
            TxFuture::new(async move {
                report(tx, &errors(0)).await?;
                Err(StoreError::unreadable("nothing", "on purpose"))
            })
        })
        .await;
    assert!(broken.is_err());
    assert_eq!(count(store, "select count(*) from alerts").await, 0);
    assert_eq!(count(store, "select count(*) from alert_notices").await, 0);
    say(store, &errors(0)).await;
    assert_eq!(count(store, "select count(*) from alert_notices").await, 1);
}

#[tokio::test]
async fn many_that_see_the_same_at_once_open_one_alert() {
    let database = database().await;
    let store = &database.store;
    let all = (0..20).map(|_| async { say(store, &errors(0)).await });
    futures::future::join_all(all).await;
    assert_eq!(count(store, "select count(*) from alerts").await, 1);
    assert_eq!(count(store, "select count(*) from alert_notices").await, 1);
}

#[tokio::test]
async fn a_renewal_says_the_newest_and_a_new_episode_counts_its_flaps() {
    let database = database().await;
    let store = &database.store;
    say(store, &errors(0)).await;
    let newer = Report {
        summary: "errors are fewer".to_owned(),
        ..errors(1)
    };
    say(store, &newer).await;
    let ended = store.run_tx("test", |tx| {
        TxFuture::new(async move { resolve(tx, "guardrail/checkout/errors/*", at(2)).await })
    });
    ended.await.unwrap();
    say(store, &errors(3)).await;
    let query = protocol::alerts::AlertsQuery {
        all: true,
        limit: 10,
    };
    let page = page(store, &query).await.unwrap();
    let [open, over] = page.alerts.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!((open.state.as_str(), open.flaps), ("firing", 1));
    assert_eq!(open.summary, "errors  are  many", "one line");
    assert_eq!((over.state.as_str(), over.flaps), ("resolved", 0));
    assert_eq!(over.summary, "errors are fewer");
    assert_eq!(over.resolved_at, Some(at(2)));
    assert_eq!(page.counts.warning, 1);
    let kinds: Vec<String> = sqlx::query_scalar("select kind from alert_notices order by id")
        .fetch_all(&store.pool)
        .await
        .unwrap();
    assert_eq!(kinds, ["firing", "resolved", "firing"]);
}

#[tokio::test]
async fn a_pending_alert_is_told_to_nobody() {
    let database = database().await;
    let store = &database.store;
    let pending = Report {
        pending: true,
        ..errors(0)
    };
    say(store, &pending).await;
    let ended = store.run_tx("test", |tx| {
        TxFuture::new(async move { resolve(tx, "guardrail/checkout/errors/*", at(2)).await })
    });
    ended.await.unwrap();
    assert_eq!(count(store, "select count(*) from alert_notices").await, 0);
}
