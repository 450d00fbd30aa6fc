//! What operators do about alerts: once, audited, without making plans stale.

use chrono::TimeDelta;
use protocol::alerts::{AckRequest, AlertsQuery, SilenceRequest};

use super::*;
use crate::store::alerts::{self, Report, Severity};
use crate::store::{StoreError, TxFuture, fold};

async fn fire(bench: &Bench) {
    let written = bench.database.store.run_tx("test", |tx| {
        TxFuture::new(async move {
            let report = Report {
                identity: "guardrail/checkout/errors/*".to_owned(),
                experiment: None,
                key: Some("checkout".to_owned()),
                source: "errors",
                arm: None,
                severity: Severity::Critical,
                summary: "errors".to_owned(),
                detail: serde_json::json!({}),
                at: fold::now(tx).await?,
                pending: false,
            };
            alerts::report(tx, &report).await?;
            Ok::<_, StoreError>(())
        })
    });
    written.await.unwrap();
}

fn ack(reason: &str, id: Uuid) -> AckRequest {
    AckRequest {
        alert: 1,
        reason: reason.to_owned(),
        request_id: id,
    }
}

fn silence(for_: TimeDelta) -> SilenceRequest {
    SilenceRequest {
        alert: 1,
        for_ms: for_.num_milliseconds().unsigned_abs(),
        reason: "a known cause".to_owned(),
        request_id: Uuid::now_v7(),
    }
}

#[tokio::test]
async fn an_ack_happens_once_is_audited_and_makes_no_plan_stale() {
    let bench = bench().await;
    fire(&bench).await;
    let before = bench.world.load().revision;
    let id = Uuid::now_v7();
    let done = bench
        .operations
        .ack(ack("I look", id), ana())
        .await
        .unwrap();
    assert!(
        done.outcome
            .contains("alert 1 (guardrail/checkout/errors/*) is acked")
    );
    let again = bench.operations.ack(ack("I look", id), ana()).await;
    assert!(again.unwrap().repeated);
    let twice = bench.operations.ack(ack("I too", Uuid::now_v7()), ana());
    let refused = twice.await.unwrap_err();
    assert_eq!(refused.code, Code::IllegalState);
    assert!(refused.message.contains("acked already"), "{refused}");
    let no_reason = bench.operations.ack(ack(" ", Uuid::now_v7()), ana());
    assert_eq!(no_reason.await.unwrap_err().code, Code::Invalid);

    bench.world.refresh().await;
    assert_eq!(bench.world.load().revision, before);
    let query = AuditQuery {
        key: None,
        before: None,
        limit: 10,
    };
    let page = audit::page(&bench.database.store, &query).await.unwrap();
    let rows: Vec<(&str, &str, &str)> = page
        .entries
        .iter()
        .map(|row| {
            (
                row.action.as_str(),
                row.target.as_str(),
                row.result.as_str(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [("ack", "alert 1", "refused"), ("ack", "alert 1", "ok")]
    );
    let query = AlertsQuery {
        all: false,
        limit: 10,
    };
    let page = alerts::page(&bench.database.store, &query).await.unwrap();
    assert_eq!(page.alerts[0].state, "acked");
    assert_eq!(page.alerts[0].acked_by.as_deref(), Some("ana (uid 1000)"));
    assert_eq!(page.alerts[0].ack_reason.as_deref(), Some("I look"));
}

#[tokio::test]
async fn a_silence_has_an_end_that_is_not_too_far() {
    let bench = bench().await;
    let unknown = bench
        .operations
        .silence(silence(TimeDelta::hours(2)), ana());
    assert_eq!(unknown.await.unwrap_err().code, Code::NotFound);
    fire(&bench).await;
    for wrong in [TimeDelta::seconds(59), TimeDelta::days(31)] {
        let refused = bench.operations.silence(silence(wrong), ana()).await;
        assert_eq!(refused.unwrap_err().code, Code::Invalid);
    }
    let done = bench
        .operations
        .silence(silence(TimeDelta::hours(2)), ana());
    assert!(done.await.unwrap().outcome.contains("is silent until"));
    let query = AlertsQuery {
        all: false,
        limit: 10,
    };
    let page = alerts::page(&bench.database.store, &query).await.unwrap();
    let alert = &page.alerts[0];
    let left = alert.silenced_until.expect("it has an end") - page.now;
    assert!(left <= TimeDelta::hours(2) && left > TimeDelta::minutes(119));
    assert_eq!(page.counts.critical, 0);
}
