//! Operations against a real database: what is written, what is refused, and what is left of both.

mod arms;

use std::collections::HashMap;

use protocol::control::AuditQuery;
use protocol::refusal::Code;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::store::audit;
use crate::testing::{TestDatabase, database};

const TWO: &str = r#"
[[experiment]]
key = "checkout"
state = "running"
holdback = "10%"
reward = "purchase"
arms = ["green", "blue"]
control = "green"

[[experiment]]
key = "signup"
reward = "signup"
arms = ["short", "long"]
control = "short"
"#;

/// A database, a world that is kept fresh, and operations on both.
struct Bench {
    database: TestDatabase,
    world: WorldHandle,
    operations: Operations,
    stop: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn bench() -> Bench {
    let database = database().await;
    let (world, refresher) = WorldHandle::open(database.store.clone()).await.unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(refresher.run(stop.clone()));
    Bench {
        operations: Operations::new(database.store.clone(), world.clone()),
        database,
        world,
        stop,
    }
}

fn ana() -> Caller {
    Caller {
        actor: "ana (uid 1000)".into(),
        via: "test".into(),
    }
}

fn file(text: &str) -> PlanRequest {
    PlanRequest {
        file: "experiments.toml".into(),
        text: text.into(),
        prune: false,
        release_holds: false,
    }
}

fn because(key: &str) -> VerbRequest {
    VerbRequest {
        key: key.into(),
        reason: "because".into(),
        request_id: Uuid::now_v7(),
        expect_revision: None,
    }
}

impl Bench {
    fn to_apply(plan: PlanRequest, base_revision: u64) -> ApplyRequest {
        ApplyRequest {
            plan,
            base_revision,
            reason: "because".into(),
            request_id: Uuid::now_v7(),
        }
    }

    async fn apply_at(&self, text: &str, base_revision: u64) -> Result<Applied, Refusal> {
        let request = Self::to_apply(file(text), base_revision);
        self.operations.apply(request, ana()).await
    }

    async fn apply(&self, plan: PlanRequest) -> Applied {
        let planned = self.operations.plan(&plan).await.unwrap();
        let request = Self::to_apply(plan, planned.base_revision);
        self.operations.apply(request, ana()).await.unwrap()
    }

    async fn act(&self, verb: Verb, key: &str) -> Result<Done, Refusal> {
        self.operations.act(verb, because(key), ana()).await
    }

    fn state(&self, key: &str) -> &'static str {
        self.world.load().get(key).unwrap().serving.state.name()
    }

    /// Verb and result of every audit row, oldest first; the chain must hold.
    async fn audit(&self) -> Vec<(String, String)> {
        let check = audit::verify(&self.database.store).await.unwrap();
        assert_eq!(check.fault, None);
        let query = AuditQuery {
            limit: 500,
            ..AuditQuery::default()
        };
        let page = audit::page(&self.database.store, &query).await.unwrap();
        let rows = page.entries.into_iter().rev();
        rows.map(|entry| (entry.action, entry.result)).collect()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.database.store.pool)
            .await
            .unwrap()
    }
}

fn rows(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(action, result): &(&str, &str)| ((*action).into(), (*result).into());
    expected.iter().map(owned).collect()
}

#[tokio::test]
async fn applying_twice_changes_nothing() {
    let bench = bench().await;
    let first = bench.apply(file(TWO)).await;
    assert_eq!((first.revision, first.changed.len()), (1, 2));
    assert_eq!(
        (bench.state("checkout"), bench.state("signup")),
        ("running", "draft")
    );

    let plan = bench.operations.plan(&file(TWO)).await.unwrap();
    assert_eq!((plan.changes.len(), plan.unchanged.len()), (0, 2));
    let again = bench.apply(file(TWO)).await;
    assert_eq!((again.revision, again.changed.len()), (1, 0));
    assert_eq!(bench.audit().await, rows(&[("apply", "ok")]));
    assert_eq!(
        bench
            .count("select count(*) from experiment_revisions")
            .await,
        2
    );
}

#[tokio::test]
async fn a_change_publishes_every_lane_under_its_revision() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    let changed = TWO.replace("10%", "20%");
    let applied = bench.apply(file(&changed)).await;
    assert_eq!(
        (applied.revision, applied.changed),
        (2, vec!["checkout".to_owned()])
    );
    let world = bench.world.load();
    let live = world.get("checkout").unwrap();
    assert_eq!(live.revision.0, 2);
    assert_eq!(live.serving.lanes.len(), 2);
    assert!(live.serving.lanes.iter().all(|lane| lane.version.0 == 2));
    let under_2 = "select count(*) from experiment_policy_versions where revision = 2";
    assert_eq!(bench.count(under_2).await, 2);
}

#[tokio::test]
async fn a_stale_plan_is_refused_and_the_refusal_is_audited() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    let refusal = bench
        .apply_at(&TWO.replace("10%", "20%"), 0)
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::Stale);
    assert!(refusal.message.contains("revision 0") && refusal.message.contains("at 1"));
    assert_eq!(
        bench.audit().await,
        rows(&[("apply", "ok"), ("apply", "refused")])
    );
    assert_eq!(bench.database.store.revision().await.unwrap().0, 1);
}

#[tokio::test]
async fn of_concurrent_applies_one_wins() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    let texts: Vec<String> = (11..19)
        .map(|n| TWO.replace("10%", &format!("{n}%")))
        .collect();
    let applies = texts.iter().map(|text| bench.apply_at(text, 1));
    let answers = futures::future::join_all(applies).await;
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    let stale = |answer: &&Result<Applied, Refusal>| {
        matches!(
            answer,
            Err(Refusal {
                code: Code::Stale,
                ..
            })
        )
    };
    assert_eq!((won, answers.iter().filter(stale).count()), (1, 7));
    assert_eq!(bench.database.store.revision().await.unwrap().0, 2);
    assert_eq!(bench.audit().await.len(), 9);
}

#[tokio::test]
async fn a_file_with_problems_is_refused_with_all_of_them_and_leaves_no_row() {
    let bench = bench().await;
    let bad = TWO
        .replace("\"10%\"", "\"110%\"")
        .replace("key = \"signup\"", "kee = \"signup\"");
    let refusal = bench.operations.plan(&file(&bad)).await.unwrap_err();
    assert_eq!(refusal.code, Code::Invalid);
    assert!(refusal.problems.len() >= 2, "{:?}", refusal.problems);
    let nul = TWO.replace(
        "[\"green\", \"blue\"]",
        "[\"green\", \"blue\"]\nname = \"a\\u0000b\"",
    );
    assert_eq!(
        bench.apply_at(&nul, 0).await.unwrap_err().code,
        Code::Invalid
    );
    assert!(bench.audit().await.is_empty());
}

#[tokio::test]
async fn verbs_walk_the_life_and_the_daemon_obeys_at_once() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    for (verb, state) in [
        (Verb::Start, "running"),
        (Verb::Pause, "paused"),
        (Verb::Resume, "running"),
        (Verb::Rollback, "rolled_back"),
        (Verb::Resume, "running"),
        (Verb::Stop, "stopped"),
        (Verb::Archive, "archived"),
    ] {
        let done = bench.act(verb, "signup").await.unwrap();
        assert_eq!((done.state.as_str(), bench.state("signup")), (state, state));
        assert!(done.outcome.contains(state) && !done.repeated);
    }
    assert_eq!(bench.database.store.revision().await.unwrap().0, 8);
    let refusal = bench.act(Verb::Start, "signup").await.unwrap_err();
    assert_eq!(refusal.code, Code::IllegalState);
    let unknown = bench.act(Verb::Start, "no such \0 key").await.unwrap_err();
    assert_eq!(unknown.code, Code::NotFound);
    let audit = bench.audit().await;
    assert_eq!(audit.len(), 10);
    assert_eq!(
        audit[8..],
        rows(&[("start", "refused"), ("start", "refused")])
    );
}

#[tokio::test]
async fn a_verb_is_refused_when_the_experiment_moved() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    let mut request = because("checkout");
    request.expect_revision = Some(1);
    bench.act(Verb::Pause, "checkout").await.unwrap();
    let refused = bench.operations.act(Verb::Stop, request, ana()).await;
    assert_eq!(refused.unwrap_err().code, Code::Stale);
    assert_eq!(bench.state("checkout"), "paused");
}

#[tokio::test]
async fn what_an_operator_paused_apply_does_not_resume_unless_told_to() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    bench.act(Verb::Pause, "checkout").await.unwrap();
    let plan = bench.operations.plan(&file(TWO)).await.unwrap();
    assert_eq!(plan.changes[0].holds, ["paused by ana (uid 1000): because"]);
    let kept = bench.apply(file(TWO)).await;
    assert_eq!((kept.changed.len(), bench.state("checkout")), (0, "paused"));

    let mut release = file(TWO);
    release.release_holds = true;
    let released = bench.apply(release).await;
    assert_eq!(released.changed, ["checkout"]);
    assert_eq!(bench.state("checkout"), "running");
    assert!(bench.world.load().get("checkout").unwrap().holds.is_empty());
}

#[tokio::test]
async fn what_a_file_paused_a_file_resumes() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    bench.apply(file(&TWO.replace("running", "paused"))).await;
    assert_eq!(bench.state("checkout"), "paused");
    bench.apply(file(TWO)).await;
    assert_eq!(bench.state("checkout"), "running");
}

#[tokio::test]
async fn an_arm_that_comes_back_has_its_old_number() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    for arms in ["[\"green\", \"red\"]", "[\"red\", \"green\", \"blue\"]"] {
        bench
            .apply(file(&TWO.replace("[\"green\", \"blue\"]", arms)))
            .await;
    }
    let world = bench.world.load();
    let live = world.get("checkout").unwrap();
    let numbers: HashMap<&str, u16> = live
        .serving
        .arms
        .iter()
        .map(|arm| (arm.name.as_str(), arm.id.0))
        .collect();
    assert_eq!(
        numbers,
        HashMap::from([("green", 0), ("blue", 1), ("red", 2)])
    );
    assert!(live.serving.arms.iter().all(|arm| !arm.retired));
}

#[tokio::test]
async fn prune_stops_what_the_file_does_not_mention() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    let mut only_signup = file(TWO.split("[[experiment]]").nth(2).unwrap());
    only_signup.text.insert_str(0, "[[experiment]]");
    assert_eq!(bench.apply(only_signup.clone()).await.changed.len(), 0);
    only_signup.prune = true;
    assert_eq!(bench.apply(only_signup).await.changed, ["checkout"]);
    assert_eq!(bench.state("checkout"), "stopped");
}

#[tokio::test]
async fn the_same_request_again_has_the_first_answer_and_no_second_effect() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    let request = because("checkout");
    let all = (0..4).map(|_| bench.operations.act(Verb::Pause, request.clone(), ana()));
    let answers: Vec<Done> = futures::future::try_join_all(all).await.unwrap();
    assert_eq!(answers.iter().filter(|done| done.repeated).count(), 3);
    assert!(
        answers
            .iter()
            .all(|done| done.revision == 2 && done.state == "paused")
    );

    let other = bench
        .operations
        .act(Verb::Stop, request.clone(), ana())
        .await;
    assert_eq!(other.unwrap_err().code, Code::Invalid);
    let apply = ApplyRequest {
        request_id: request.request_id,
        ..Bench::to_apply(file(TWO), 2)
    };
    let apply = bench.operations.apply(apply, ana()).await;
    assert_eq!(apply.unwrap_err().code, Code::Invalid);
    assert_eq!(bench.audit().await.len(), 2);
}

#[tokio::test]
async fn a_refused_request_is_refused_again_with_the_same_words() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    let request = because("signup");
    let first = bench
        .operations
        .act(Verb::Pause, request.clone(), ana())
        .await;
    bench.act(Verb::Start, "signup").await.unwrap();
    let again = bench.operations.act(Verb::Pause, request, ana()).await;
    assert_eq!(first.unwrap_err(), again.unwrap_err());
    assert_eq!(bench.state("signup"), "running");
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_cut_a_mutation() {
    let bench = bench().await;
    bench.apply(file(TWO)).await;
    let mut lock = bench.database.store.pool.begin().await.unwrap();
    sqlx::query("select 1 from installation for update")
        .execute(&mut *lock)
        .await
        .unwrap();
    let operations = bench.operations.clone();
    let caller = tokio::spawn(async move {
        operations
            .act(Verb::Pause, because("checkout"), ana())
            .await
    });
    while bench.operations.running.is_empty() {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    lock.commit().await.unwrap();
    bench.operations.drained().await;
    assert_eq!(bench.state("checkout"), "paused");
    assert_eq!(
        bench.audit().await,
        rows(&[("apply", "ok"), ("pause", "ok")])
    );
}

mod alerts;
