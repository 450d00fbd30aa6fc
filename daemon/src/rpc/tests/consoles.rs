//! Consoles: what they are told, when, and how the daemon takes leave of them.

use protocol::control::{AuditQuery, ControlClient, Cursor, Watched};
use protocol::experiments::Row;
use protocol::plans::{ApplyRequest, PlanRequest};
use protocol::refusal::Code;
use protocol::transport::within;
use uuid::Uuid;

use super::*;

#[tokio::test]
async fn a_watch_wakes_at_a_change_and_beats_without_one() {
    let daemon = daemon(Limits::default()).await;
    let (operator, watcher) = (daemon.console().await, daemon.console().await);
    let snapshot = watcher
        .snapshot(within(PATIENCE), None)
        .await
        .unwrap()
        .unwrap();
    assert!(snapshot.rows.is_empty() && snapshot.next.is_none());

    let beat = watcher
        .watch(within(PATIENCE), snapshot.cursor.clone(), 1)
        .await;
    let Watched::Delta(beat) = beat.unwrap().unwrap() else {
        panic!("a known cursor needs no snapshot");
    };
    assert!(beat.rows.is_empty() && beat.cursor == snapshot.cursor);

    let watch = tokio::spawn({
        let watcher = watcher.clone();
        async move { watcher.watch(within(PATIENCE), beat.cursor, 15_000).await }
    });
    apply(&operator).await;
    let Watched::Delta(delta) = watch.await.unwrap().unwrap().unwrap() else {
        panic!("a known cursor needs no snapshot");
    };
    assert_eq!(
        delta
            .rows
            .iter()
            .map(|row| row.key.as_str())
            .collect::<Vec<_>>(),
        ["checkout"]
    );
    assert_eq!(
        (delta.rows[0].state.as_str(), delta.revision),
        ("running", 1)
    );

    let foreign = Cursor {
        run: "another run".into(),
        seq: 0,
    };
    let resync = watcher.watch(within(PATIENCE), foreign, 15_000).await;
    assert_eq!(resync.unwrap().unwrap(), Watched::Resync);
}

#[tokio::test]
async fn a_watch_wakes_when_figures_move() {
    let daemon = daemon(Limits::default()).await;
    let console = daemon.console().await;
    apply(&console).await;
    let snapshot = console.snapshot(within(PATIENCE), None).await;
    let mut cursor = snapshot.unwrap().unwrap().cursor;
    sqlx::query(
        "insert into experiment_minutes (experiment_id, minute, lane, arm, event, count, sum, sum_sq)
         select id, date_trunc('minute', now()), 1, 0, '$assigned', 5, 0, 0 from experiments",
    )
    .execute(&daemon.database.store.pool)
    .await
    .unwrap();
    for _ in 0..2 {
        let watched = console.watch(within(PATIENCE), cursor, 15_000).await;
        let Watched::Delta(delta) = watched.unwrap().unwrap() else {
            panic!("a known cursor needs no snapshot");
        };
        assert_eq!(delta.rows.len(), 1, "figures move on every second");
        cursor = delta.cursor;
    }
}

#[tokio::test]
async fn without_its_database_the_daemon_shows_what_it_knows_and_of_when() {
    let daemon = daemon(Limits::default()).await;
    let console = daemon.console().await;
    apply(&console).await;
    let page = |client: ControlClient| async move {
        client
            .snapshot(within(PATIENCE), None)
            .await
            .unwrap()
            .unwrap()
    };
    let before = page(console.clone()).await;
    assert_eq!(before.rows[0].stale, None);

    daemon.breaker.open();
    // Who watches hears that what it has is not of now.
    let watched = console
        .watch(within(PATIENCE), before.cursor, 15_000)
        .await
        .unwrap()
        .unwrap();
    let Watched::Delta(delta) = watched else {
        panic!("a known cursor needs no snapshot");
    };
    let stale = delta.rows[0].stale.expect("the database is away");
    assert!(stale.figures && stale.as_of <= delta.now);
    assert_eq!(
        Row {
            stale: None,
            ..delta.rows[0].clone()
        },
        before.rows[0]
    );
    // And so does who comes then.
    let newcomer = daemon.console().await;
    assert!(page(newcomer.clone()).await.rows[0].stale.is_some());
    let detail = newcomer.detail(within(PATIENCE), "checkout".into()).await;
    let detail = detail.unwrap().unwrap();
    assert!(detail.row.stale.is_some() && detail.spec_toml.contains("checkout"));
    assert_eq!(detail.allocation[0].shares, [0.5, 0.5]);
    let results = newcomer.results(within(PATIENCE), "checkout".into()).await;
    let refused = results.unwrap().unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    assert!(refused.message.contains("away (since "), "{refused}");
}

async fn apply(client: &ControlClient) {
    let plan = PlanRequest {
        file: "experiments.toml".into(),
        text: FILE.into(),
        prune: false,
        release_holds: false,
    };
    let planned = client
        .plan(within(PATIENCE), plan.clone())
        .await
        .unwrap()
        .unwrap();
    let request = ApplyRequest {
        plan,
        base_revision: planned.base_revision,
        reason: "because".into(),
        request_id: Uuid::now_v7(),
    };
    client
        .apply(within(PATIENCE), request)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn reads_answer_and_the_audit_log_names_who_and_through_what() {
    let daemon = daemon(Limits::default()).await;
    let client = daemon.console().await;
    apply(&client).await;
    let key = || "checkout".to_owned();
    let detail = client
        .detail(within(PATIENCE), key())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(detail.row.arms.len(), 2);
    let results = client
        .results(within(PATIENCE), key())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(results.assignments, 0);
    client
        .insights(within(PATIENCE), key())
        .await
        .unwrap()
        .unwrap();
    client
        .explain(within(PATIENCE), key(), "user-1".into())
        .await
        .unwrap()
        .unwrap();
    let unknown = client
        .detail(within(PATIENCE), "nope".into())
        .await
        .unwrap();
    assert_eq!(unknown.unwrap_err().code, Code::NotFound);

    let query = AuditQuery {
        key: None,
        before: None,
        limit: 10,
    };
    let audit = client
        .audit(within(PATIENCE), query)
        .await
        .unwrap()
        .unwrap();
    let entry = &audit.entries[0];
    assert_eq!(
        (entry.action.as_str(), entry.result.as_str()),
        ("apply", "ok")
    );
    assert_eq!(entry.via, "pitboss test on bastion");
    let uid = rustix::process::geteuid().as_raw();
    assert!(
        entry.actor.contains(&format!("uid {uid}")),
        "{}",
        entry.actor
    );
}

#[tokio::test]
async fn stopping_answers_what_is_in_flight_and_removes_the_socket() {
    let mut daemon = daemon(Limits::default()).await;
    let client = daemon.console().await;
    let cursor = client
        .snapshot(within(PATIENCE), None)
        .await
        .unwrap()
        .unwrap()
        .cursor;
    let watching =
        tokio::spawn(async move { client.watch(within(PATIENCE), cursor, 15_000).await });
    // The watch is in flight once its connection has asked for the bell.
    tokio::task::yield_now().await;
    daemon.stop.cancel();
    let port = daemon.port.take().unwrap();
    tokio::time::timeout(PATIENCE, port)
        .await
        .expect("it drains")
        .unwrap();
    assert!(!daemon.path().exists());
    let answer = tokio::time::timeout(PATIENCE, watching)
        .await
        .expect("it is answered");
    if let Ok(answer) = answer.unwrap() {
        assert!(matches!(answer, Ok(Watched::Delta(_))), "{answer:?}");
    }
}
