//! Decisions that act by themselves, where the file lets them.

use std::sync::Arc;

use bandit::experiment::{ArmId, RunState, Verb};
use protocol::control::{AuditQuery, VerbRequest};
use uuid::Uuid;

use super::*;
use crate::operations::Caller;
use crate::store::{audit, holds};
use crate::workers::fixture::Part;

/// The file lets it ship and close arms.
fn acting() -> String {
    format!("{DECIDED}auto = [\"ship\", \"kill_arm\"]\n")
}

/// A third arm, so that one may be closed.
fn three() -> String {
    acting().replace("[\"blue\", \"green\"]", "[\"blue\", \"green\", \"red\"]")
}

/// A daemon on the fixture's database.
struct Daemon(Part);

impl Daemon {
    async fn start(fixture: &Fixture) -> Self {
        Self(Part::start(fixture.store()).await)
    }

    fn live(&self) -> Arc<Live> {
        self.0.live("checkout")
    }

    /// Carries out what `recorded` says, if it is still so at `now`.
    async fn act(&self, recorded: &Recorded, now: DateTime<Utc>) -> Option<String> {
        let live = self.live();
        let acted = self
            .0
            .operations
            .act_on_decision(&live, recorded, Some(now));
        acted.await.unwrap().map(|done| done.state)
    }

    async fn by_hand(&self, verb: Verb) {
        let request = VerbRequest {
            key: "checkout".into(),
            reason: "latency".into(),
            request_id: Uuid::now_v7(),
            expect_revision: None,
        };
        let ana = Caller {
            actor: "ana".into(),
            via: "test".into(),
        };
        self.0.operations.act(verb, request, ana).await.unwrap();
    }
}

fn arm(fixture: &Fixture, name: &str) -> ArmId {
    let arm = fixture.arms.iter().find(|arm| arm.name.as_str() == name);
    arm.unwrap().id
}

/// Whether each row was carried out, oldest first.
async fn acted(fixture: &Fixture) -> Vec<bool> {
    sqlx::query_scalar("select acted from experiment_decisions order by decided_at")
        .fetch_all(&fixture.store().pool)
        .await
        .unwrap()
}

/// What was done and by whom, oldest first; the chain must hold.
async fn audited(fixture: &Fixture) -> Vec<(String, String)> {
    let store = fixture.store();
    assert_eq!(audit::verify(store).await.unwrap().fault, None);
    let query = AuditQuery {
        limit: 100,
        ..AuditQuery::default()
    };
    let rows = audit::page(store, &query).await.unwrap().entries;
    let rows = rows.into_iter().rev();
    rows.map(|row| (row.action, row.actor)).collect()
}

async fn alerts(fixture: &Fixture) -> Vec<String> {
    sqlx::query_scalar("select identity || ' ' || state from alerts")
        .fetch_all(&fixture.store().pool)
        .await
        .unwrap()
}

fn by_decision(action: &str) -> (String, String) {
    (action.to_owned(), "pitbossd (decision)".to_owned())
}

#[tokio::test]
async fn a_winner_is_shipped_with_all_its_traces() {
    let fixture = learned_by(&acting(), &[("blue", 10), ("green", 3)]).await;
    let now = fixture.start + hours(26);
    look_at(&fixture, now).await;
    let recorded = newest(&fixture).await;
    let (one, other) = (Daemon::start(&fixture).await, Daemon::start(&fixture).await);
    let later = now + hours(1);
    let both = futures::future::join(one.act(&recorded, later), other.act(&recorded, later));
    let (first, second) = both.await;
    // The second leader finds nothing to do, or what the first was told.
    assert!([&first, &second].contains(&&Some("stopped".to_owned())));
    one.0.world.refresh().await;
    let live = one.live();
    let RunState::Stopped {
        shipped, by, why, ..
    } = &live.serving.state
    else {
        panic!("{:?}", live.serving.state);
    };
    assert_eq!(*shipped, Some(arm(&fixture, "green")));
    assert_eq!(by, "pitbossd (decision)");
    assert!(why.starts_with("Ship \"green\":"), "{why}");
    assert_eq!(audited(&fixture).await, [by_decision("ship")]);
    // The look that acted is the one that is kept: an hour later, in a row of its own.
    assert_eq!(acted(&fixture).await, [false, true]);
    assert_eq!(newest(&fixture).await.looked_at, later);
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let held = holds::of_state(&mut connection, fixture.id).await.unwrap();
    assert_eq!((held.len(), held[0].kind.as_str()), (1, "stop"));
    assert_eq!(one.act(&recorded, later + hours(1)).await, first.or(second));
    assert_eq!(audited(&fixture).await.len(), 1);
}

#[tokio::test]
async fn an_arm_that_is_worse_is_quarantined_and_stays_open_once_a_person_has_opened_it() {
    let fixture = learned_by(&three(), &[("blue", 3), ("green", 3), ("red", 9)]).await;
    let now = fixture.start + hours(26);
    look_at(&fixture, now).await;
    let recorded = newest(&fixture).await;
    let red = arm(&fixture, "red");
    assert_eq!(recorded.decision.choice, Choice::KillArm { arm: red });
    let daemon = Daemon::start(&fixture).await;
    assert_eq!(daemon.act(&recorded, now).await.as_deref(), Some("running"));
    let quarantined = |live: &Live| {
        let arms = live.serving.arms.iter();
        arms.filter(|arm| arm.quarantined)
            .map(|arm| arm.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(quarantined(&daemon.live()), [red]);
    let lanes = &daemon.live().serving.lanes;
    assert!(lanes.iter().all(|lane| lane.allocation.get(red) == 0.0));
    assert_eq!(audited(&fixture).await, [by_decision("quarantine")]);
    assert_eq!(acted(&fixture).await, [true]);
    // It is no longer compared.
    look_at(&fixture, now + hours(1)).await;
    assert_ne!(newest(&fixture).await.decision.choice.arm(), Some(red));

    let opened = "update experiment_holds set released_at = now()";
    fixture.execute(opened).await;
    daemon.0.world.refresh().await;
    look_at(&fixture, now + hours(2)).await;
    let again = newest(&fixture).await;
    assert_eq!(again.decision.choice, Choice::KillArm { arm: red });
    assert_eq!(daemon.act(&again, now + hours(3)).await, None);
    assert_eq!(quarantined(&daemon.live()), []);
    assert_eq!(audited(&fixture).await.len(), 1);
}

#[tokio::test]
async fn an_experiment_whose_every_treatment_is_worse_is_stopped_where_the_file_lets_it() {
    let text = format!("{DECIDED}auto = [\"kill\"]\n");
    let fixture = learned_by(&text, &[("blue", 3), ("green", 10)]).await;
    let now = fixture.start + hours(26);
    look_at(&fixture, now).await;
    let recorded = newest(&fixture).await;
    assert_eq!(recorded.decision.choice, Choice::Kill);
    let daemon = Daemon::start(&fixture).await;
    assert_eq!(daemon.act(&recorded, now).await.as_deref(), Some("stopped"));
    let live = daemon.live();
    let RunState::Stopped { shipped, by, .. } = &live.serving.state else {
        panic!("{:?}", live.serving.state);
    };
    assert_eq!((*shipped, by.as_str()), (None, "pitbossd (decision)"));
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let held = holds::of_state(&mut connection, fixture.id).await.unwrap();
    assert_eq!((held.len(), held[0].kind.as_str()), (1, "stop"));
    drop(connection);
    assert_eq!(audited(&fixture).await, [by_decision("stop")]);
    assert_eq!(acted(&fixture).await, [true]);
    assert_eq!(alerts(&fixture).await, ["decision/checkout firing"]);
}

#[tokio::test]
async fn what_the_look_under_the_lock_does_not_find_is_not_done() {
    let fixture = learned_by(&acting(), &[("blue", 10), ("green", 9)]).await;
    let now = fixture.start + hours(26);
    look_at(&fixture, now).await;
    let mut stale = newest(&fixture).await;
    assert_eq!(stale.decision.choice, Choice::KeepRunning);
    stale.decision.choice = Choice::Ship {
        arm: arm(&fixture, "green"),
    };
    let daemon = Daemon::start(&fixture).await;
    assert_eq!(daemon.act(&stale, now + hours(1)).await, None);
    assert!(daemon.live().is_running());
    assert!(!acted(&fixture).await.contains(&true));
    assert_eq!(audited(&fixture).await, []);
}

#[tokio::test]
async fn nothing_is_done_to_what_is_paused_and_the_screen_says_why() {
    let fixture = learned_by(&acting(), &[("blue", 10), ("green", 3)]).await;
    let now = fixture.start + hours(26);
    look_at(&fixture, now).await;
    let recorded = newest(&fixture).await;
    let daemon = Daemon::start(&fixture).await;
    let detail = async || {
        let clock = Clock::fake(now);
        let reading = Reading::new(
            fixture.store().clone(),
            daemon.0.world.clone(),
            clock,
            SECRET,
        );
        reading.detail("checkout").await.unwrap()
    };
    let said = async || detail().await.decision.unwrap().acts.unwrap();
    assert_eq!(
        said().await,
        "it is carried out without asking at the next look"
    );
    daemon.by_hand(Verb::Pause).await;
    assert_eq!(
        said().await,
        "it is not carried out meanwhile: it is paused"
    );
    assert_eq!(daemon.act(&recorded, now).await, None);
    // Running again, and still held: as after a file that resumed it.
    fixture
        .execute("update experiments set state = 'running', run_state = '{\"state\": \"running\", \"since\": \"2024-10-04T00:00:00Z\"}', revision = revision + 1")
        .await;
    daemon.0.world.refresh().await;
    assert_eq!(
        said().await,
        "it is not carried out meanwhile: it is held (paused by ana: latency)"
    );
    assert_eq!(daemon.act(&recorded, now).await, None);
    fixture
        .execute("update experiment_holds set released_at = now()")
        .await;
    daemon.0.world.refresh().await;
    assert!(detail().await.row.burn_in.is_some());
    assert_eq!(daemon.act(&recorded, now).await.as_deref(), Some("stopped"));
    // What is over has no split that is still even.
    assert_eq!(detail().await.row.burn_in, None);
}

#[tokio::test]
async fn the_worker_ships_where_the_file_lets_it_and_recommends_where_it_does_not() {
    for (text, state) in [(acting(), "stopped"), (DECIDED.to_owned(), "running")] {
        let fixture = learned_by(&text, &[("blue", 10), ("green", 3)]).await;
        let daemon = Daemon::start(&fixture).await;
        let store = fixture.store().clone();
        let lease = store.take_lease("decisions", "test").await.unwrap();
        let (world, operations) = (daemon.0.world.clone(), daemon.0.operations.clone());
        let mut decider = Decider::new(store, world, operations);
        let lease = lease.unwrap();
        let round = decider.run(&lease).await.unwrap();
        assert!(round.detail.contains("looked at 1"), "{}", round.detail);
        assert_eq!(daemon.live().serving.state.name(), state);
        assert_eq!(acted(&fixture).await.contains(&true), state == "stopped");
        if state == "stopped" {
            assert_eq!(alerts(&fixture).await, ["decision/checkout firing"]);
            daemon.by_hand(Verb::Archive).await;
            decider.run(&lease).await.unwrap();
            assert_eq!(alerts(&fixture).await, ["decision/checkout resolved"]);
        } else {
            assert_eq!(alerts(&fixture).await, Vec::<String>::new());
        }
    }
}
