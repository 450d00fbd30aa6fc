//! Quarantine, release and ship: what new units get, what `apply` keeps, and what is left in the log.

use bandit::experiment::{ArmId, LaneId, RunState};
use protocol::control::{ArmRequest, ReleaseRequest};

use super::*;
use crate::store::holds::Hold;
use crate::store::mutations::Mutation;
use crate::store::{TxFuture, revisions};

const THREE: &str = r#"
[[experiment]]
key = "checkout"
state = "running"
holdback = "10%"
reward = "purchase"
arms = ["green", "blue", "red"]
control = "green"
"#;

fn arm(name: &str) -> ArmRequest {
    ArmRequest {
        key: "checkout".into(),
        arm: name.into(),
        reason: "because".into(),
        request_id: Uuid::now_v7(),
        expect_revision: None,
    }
}

fn holds(arm: Option<&str>) -> ReleaseRequest {
    ReleaseRequest {
        key: "checkout".into(),
        arm: arm.map(str::to_owned),
        reason: "fixed".into(),
        request_id: Uuid::now_v7(),
        expect_revision: None,
    }
}

impl Bench {
    async fn with_three() -> Self {
        let bench = bench().await;
        bench.apply(file(THREE)).await;
        bench
    }

    async fn quarantine(&self, name: &str) -> Result<Done, Refusal> {
        self.operations.quarantine(arm(name), ana()).await
    }

    async fn release(&self, name: Option<&str>) -> Done {
        let released = self.operations.release(holds(name), ana()).await;
        released.unwrap()
    }

    /// What new units of a lane may draw.
    fn open_in(&self, lane: LaneId) -> Vec<u16> {
        let world = self.world.load();
        let serving = &world.get("checkout").unwrap().serving;
        let lane = serving.lane(lane).unwrap();
        lane.allocation.arms().map(|arm| arm.0).collect()
    }

    fn open(&self) -> Vec<u16> {
        let main = self.open_in(LaneId::MAIN);
        assert_eq!(main, self.open_in(LaneId::HOLDBACK));
        main
    }

    fn holds(&self) -> Vec<String> {
        self.world.load().get("checkout").unwrap().holds.clone()
    }

    async fn reasons(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select reason from experiment_policy_versions where lane = 1 order by version",
        )
        .fetch_all(&self.database.store.pool)
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn a_quarantined_arm_is_out_of_every_lane_until_it_is_released() {
    let bench = Bench::with_three().await;
    let done = bench.quarantine("blue").await.unwrap();
    assert_eq!((done.state.as_str(), done.revision), ("running", 2));
    let outcome = "checkout has blue in quarantine: no new units, its own keep it";
    assert_eq!(done.outcome, outcome);
    assert_eq!(bench.open(), [0, 2]);
    assert_eq!(bench.holds(), ["quarantine blue"]);
    let again = bench.quarantine("blue").await.unwrap();
    assert!(again.outcome.contains("already"), "{}", again.outcome);
    bench.quarantine("red").await.unwrap();
    assert_eq!(bench.open(), [0]);

    let done = bench.release(Some("blue")).await;
    let outcome = "checkout is released: blue quarantined by ana (uid 1000): because";
    assert_eq!(done.outcome, outcome);
    assert_eq!((bench.open(), bench.holds().len()), (vec![0, 1], 1));
    let nothing = bench.release(Some("blue")).await;
    assert!(nothing.outcome.contains("nothing holds blue"));
    assert_eq!(
        bench.audit().await,
        rows(&[
            ("apply", "ok"),
            ("quarantine", "ok"),
            ("quarantine", "ok"),
            ("release", "ok")
        ])
    );
    let reasons = bench.reasons().await;
    assert_eq!(
        reasons[1..],
        ["quarantined blue", "quarantined red", "released blue"]
    );
}

#[tokio::test]
async fn apply_keeps_a_quarantine_until_it_is_told_to_release_holds() {
    let bench = Bench::with_three().await;
    bench.quarantine("blue").await.unwrap();
    let plan = bench.operations.plan(&file(THREE)).await.unwrap();
    let held = "blue quarantined by ana (uid 1000): because";
    assert_eq!(plan.changes[0].holds, [held]);
    assert_eq!(bench.apply(file(THREE)).await.changed.len(), 0);
    let changed = THREE.replace("10%", "20%");
    assert_eq!(bench.apply(file(&changed)).await.changed, ["checkout"]);
    assert_eq!(bench.open(), [0, 2]);

    // Removed and declared again, it is still held.
    let without = changed.replace(", \"blue\"", "");
    bench.apply(file(&without)).await;
    bench.apply(file(&changed)).await;
    assert_eq!((bench.open(), bench.holds().len()), (vec![0, 2], 1));

    let before = bench.database.store.revision().await.unwrap();
    let mut release = file(&changed);
    release.release_holds = true;
    let applied = bench.apply(release).await;
    assert_eq!(applied.changed, ["checkout"]);
    assert_eq!(applied.revision, before.0 + 1);
    assert_eq!((bench.open(), bench.holds().len()), (vec![0, 1, 2], 0));
    assert_eq!(bench.reasons().await.last().unwrap(), "released blue");
}

#[tokio::test]
async fn a_release_in_one_revision_with_a_change_publishes_the_arm_under_it() {
    let bench = Bench::with_three().await;
    bench.quarantine("blue").await.unwrap();
    let mut release = file(&THREE.replace("10%", "20%"));
    release.release_holds = true;
    let applied = bench.apply(release).await;
    assert_eq!((applied.revision, bench.open()), (3, vec![0, 1, 2]));
    let last = bench.reasons().await;
    assert_eq!(last.last().unwrap(), "applied revision 3");
    let under_3 = "select count(*) from experiment_policy_versions where revision = 3";
    assert_eq!(bench.count(under_3).await, 2);
}

#[tokio::test]
async fn a_resume_opens_no_arm_and_a_release_resumes_nothing() {
    let bench = Bench::with_three().await;
    bench.quarantine("blue").await.unwrap();
    bench.act(Verb::Pause, "checkout").await.unwrap();
    bench.act(Verb::Resume, "checkout").await.unwrap();
    assert_eq!(bench.holds(), ["quarantine blue"]);
    bench.act(Verb::Rollback, "checkout").await.unwrap();
    assert_eq!(bench.holds(), ["quarantine blue", "rollback"]);
    let done = bench.release(None).await;
    assert_eq!(done.state, "rolled_back");
    assert_eq!(
        done.outcome,
        "checkout is released: blue quarantined by ana (uid 1000): because; rolled back by ana (uid 1000): because; \
         it stays rolled back until that is changed"
    );
    assert_eq!(bench.state("checkout"), "rolled_back");
    assert_eq!((bench.open(), bench.holds().len()), (vec![0, 1, 2], 0));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_audited() {
    let bench = Bench::with_three().await;
    let of = |refusal: Refusal| (refusal.code, refusal.message);
    let (code, message) = of(bench.quarantine("green").await.unwrap_err());
    assert_eq!(code, Code::IllegalState);
    assert!(message.contains("green is the control"), "{message}");
    let (code, message) = of(bench.quarantine("bleu").await.unwrap_err());
    assert_eq!(code, Code::NotFound);
    assert_eq!(
        message,
        "checkout has no arm `bleu`; it has green, blue, red"
    );
    bench.quarantine("blue").await.unwrap();
    let refused = bench.operations.ship(arm("blue"), ana()).await;
    let (code, message) = of(refused.unwrap_err());
    assert_eq!(code, Code::IllegalState);
    assert!(message.contains("release it first"), "{message}");
    let mut stale = arm("red");
    stale.expect_revision = Some(1);
    let refused = bench.operations.ship(stale, ana()).await;
    assert_eq!(refused.unwrap_err().code, Code::Stale);
    bench.act(Verb::Stop, "checkout").await.unwrap();
    let (code, message) = of(bench.quarantine("red").await.unwrap_err());
    assert_eq!(code, Code::IllegalState);
    assert!(message.contains("that is stopped"), "{message}");
    let refused = bench.audit().await.into_iter();
    assert_eq!(refused.filter(|(_, result)| result == "refused").count(), 5);
}

#[tokio::test]
async fn a_shipped_arm_is_for_everyone_and_apply_does_not_take_it_back() {
    let bench = Bench::with_three().await;
    let request = arm("blue");
    let done = bench.operations.ship(request.clone(), ana()).await.unwrap();
    assert_eq!(done.state, "stopped");
    let outcome = "checkout is stopped (was running), and everyone gets blue";
    assert_eq!(done.outcome, outcome);
    let again = bench.operations.ship(request, ana()).await.unwrap();
    assert!(again.repeated && again.revision == done.revision);
    let world = bench.world.load();
    let state = &world.get("checkout").unwrap().serving.state;
    assert!(matches!(
        state,
        RunState::Stopped {
            shipped: Some(ArmId(1)),
            ..
        }
    ));
    assert_eq!(bench.holds(), ["stop"]);
    let plan = bench.operations.plan(&file(THREE)).await.unwrap();
    assert_eq!(
        plan.changes[0].holds,
        ["stopped by ana (uid 1000): because"]
    );
    assert_eq!(
        bench.audit().await,
        rows(&[("apply", "ok"), ("ship", "ok")])
    );
}

#[tokio::test]
async fn somebody_else_s_transaction_holds_several_arms_at_one_instant() {
    let bench = Bench::with_three().await;
    let hold = Hold {
        kind: "quarantine".into(),
        arm: None,
        reason: "errors".into(),
        placed_by: "pitbossd (guardrail errors)".into(),
    };
    let hold = &hold;
    let held: Result<(), failure::Failure> = bench
        .database
        .store
        .run_tx("test", |tx| {
            TxFuture::new(async move {
                let mutation = Mutation::begin(tx).await?;
                let found = revisions::find(tx, "checkout").await?.unwrap();
                for arm in [ArmId(1), ArmId(2), ArmId(1)] {
                    super::super::arms::quarantine(tx, &found, arm, hold, &mutation).await?;
                }
                Ok(())
            })
        })
        .await;
    held.unwrap();
    bench.world.refresh().await;
    assert_eq!(bench.open(), [0]);
    assert_eq!(bench.holds(), ["quarantine blue", "quarantine red"]);
}
