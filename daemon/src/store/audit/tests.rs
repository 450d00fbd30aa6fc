//! The audit log against a real database: what it refuses, and what the chain finds.

use super::*;
use crate::store::{PoolSize, TxFuture};
use crate::testing::{TestDatabase, database};

async fn write(store: &Store, target: &str) -> ChainHead {
    store
        .run_tx("test", |tx| {
            TxFuture::new(async move {
                let mutation = Mutation::begin(tx).await?;
                let entry = NewEntry {
                    actor: "ana (uid 1000)",
                    via: "test",
                    action: "pause",
                    target,
                    result: "ok",
                    revision: mutation.next(),
                    reason: "because",
                    request_id: Uuid::now_v7(),
                    body: r#"{"z":1,"a":2}"#,
                };
                append(tx, mutation, &entry).await
            })
        })
        .await
        .unwrap()
}

async fn three_rows() -> TestDatabase {
    let database = database().await;
    for target in ["a", "b", "c"] {
        write(&database.store, target).await;
    }
    database
}

/// Runs `sql` as a superuser who has switched the triggers off.
async fn tamper(store: &Store, sql: &'static str) {
    let mut tx = store.pool.begin().await.unwrap();
    for statement in ["set local session_replication_role = replica", sql] {
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn fault(store: &Store) -> Option<Fault> {
    verify(store).await.unwrap().fault
}

#[tokio::test]
async fn rows_follow_each_other_and_the_installation_knows_the_last() {
    let database = three_rows().await;
    let head = write(&database.store, "d").await;
    let check = verify(&database.store).await.unwrap();
    assert_eq!((check.rows, check.head, check.fault), (4, head, None));
    assert_eq!(database.store.revision().await.unwrap(), Revision(4));
}

#[tokio::test]
async fn the_database_refuses_update_delete_and_truncate() {
    let database = three_rows().await;
    for sql in [
        "update experiment_audit_logs set reason = 'other' where seq = 2",
        "delete from experiment_audit_logs where seq = 3",
        "truncate experiment_audit_logs",
    ] {
        let refused = sqlx::query(sql).execute(&database.store.pool).await;
        assert!(refused.unwrap_err().to_string().contains("append-only"));
    }
    assert_eq!(fault(&database.store).await, None);
}

#[tokio::test]
async fn every_way_of_tampering_is_found_at_its_row() {
    let cases = [
        (
            "update experiment_audit_logs set reason = 'other' where seq = 2",
            Fault::Changed(2),
        ),
        (
            "update experiment_audit_logs set at = at + interval '1 microsecond' where seq = 3",
            Fault::Changed(3),
        ),
        (
            "update experiment_audit_logs set body = '{\"a\":2,\"z\":1}' where seq = 1",
            Fault::Changed(1),
        ),
        (
            "delete from experiment_audit_logs where seq = 2",
            Fault::Missing(2),
        ),
        (
            "delete from experiment_audit_logs where seq = 3",
            Fault::Cut {
                found: 2,
                recorded: 3,
            },
        ),
        (
            "update experiment_audit_logs set previous_hash = hash where seq = 2",
            Fault::Unlinked(2),
        ),
        (
            "insert into experiment_audit_logs
             select 4, at, actor, via, action, target, result, revision, reason,
                    gen_random_uuid(), body, previous_hash, hash
             from experiment_audit_logs where seq = 3",
            Fault::Unlinked(4),
        ),
    ];
    let database = three_rows().await;
    let store = &database.store;
    for (sql, expected) in cases {
        tamper(store, "create table kept as table experiment_audit_logs").await;
        tamper(store, sql).await;
        assert_eq!(fault(store).await, Some(expected), "{sql}");
        tamper(store, "truncate experiment_audit_logs").await;
        tamper(store, "insert into experiment_audit_logs table kept").await;
        tamper(store, "drop table kept").await;
        assert_eq!(fault(store).await, None, "{sql}");
    }
}

#[tokio::test]
async fn the_chain_holds_in_another_time_zone() {
    let database = three_rows().await;
    let options = database
        .cluster()
        .connect_options()
        .options([("timezone", "Asia/Kathmandu"), ("datestyle", "German")]);
    let elsewhere = Store::connect(options, PoolSize(1)).await.unwrap();
    assert_eq!(fault(&elsewhere).await, None);
}

#[tokio::test]
async fn pages_go_back_to_the_beginning() {
    let database = three_rows().await;
    let mut query = AuditQuery {
        limit: 2,
        ..AuditQuery::default()
    };
    let first = page(&database.store, &query).await.unwrap();
    let targets = |page: &AuditPage| -> Vec<String> {
        page.entries
            .iter()
            .map(|entry| entry.target.clone())
            .collect()
    };
    assert_eq!(
        (targets(&first), first.next),
        (vec!["c".into(), "b".into()], Some(2))
    );
    query.before = first.next;
    let last = page(&database.store, &query).await.unwrap();
    assert_eq!((targets(&last), last.next), (vec!["a".into()], None));
    query = AuditQuery {
        key: Some("b".into()),
        before: None,
        limit: 0,
    };
    assert_eq!(
        targets(&page(&database.store, &query).await.unwrap()),
        ["b"]
    );
}
