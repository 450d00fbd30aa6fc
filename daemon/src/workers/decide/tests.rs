//! Decisions on a real database.

mod acting;

use bandit::decision::{Choice, Status};
use chrono::{DateTime, Utc};

use super::{DecideError, Decider, Rules, look, rules};
use crate::clock::Clock;
use crate::http::tests::site::Site;
use crate::operations::Operations;
use crate::reading::Reading;
use crate::store::decisions::{self, Recorded};
use crate::store::{StoreError, TxFuture};
use crate::workers::fixture::{Event, Fixture, SECRET, hours};
use crate::workers::runner::Work;
use crate::world::{Live, WorldHandle};

/// Two arms, an hour of runtime at least, 100 outcomes an arm.
const DECIDED: &str = r#"
[[experiment]]
key = "checkout"
arms = ["blue", "green"]
control = "blue"
holdback = "20%"

[experiment.policy]
kind = "thompson"
burn_in = { for = "1h", exposures_per_arm = 0, rewards_per_arm = 40 }

[experiment.reward]
success = "purchase"
window = "24h"
grace = "1h"

[experiment.decision]
min_runtime = "1h"
min_samples = 100
max_runtime = "60d"
"#;

/// 800 units, all resolved after 25 hours, of which every tenth of blue's and every `green`th of green's bought.
async fn learned(green: u32) -> Fixture {
    learned_by(DECIDED, &[("blue", 10), ("green", green)]).await
}

/// The same of the experiment of `text`: of each arm every so many units bought.
async fn learned_by(text: &str, bought_every: &[(&str, u32)]) -> Fixture {
    let fixture = Fixture::start(text).await;
    let units: Vec<u32> = (0..800).collect();
    let drawn = fixture.assign_all(&units, fixture.start, true).await;
    let mut of_arm = vec![0; fixture.arms.len()];
    let bought: Vec<Event> = units
        .iter()
        .zip(&drawn)
        .filter(|(_, drawn)| {
            let arm = usize::from(drawn.arm.0);
            of_arm[arm] += 1;
            let name = fixture.arms[arm].name.as_str();
            let every = bought_every.iter().find(|(arm, _)| *arm == name);
            of_arm[arm] % every.unwrap().1 == 0
        })
        .map(|(unit, _)| Event {
            unit: *unit,
            name: "purchase",
            value: None,
            id: u128::from(*unit),
            at: fixture.start,
        })
        .collect();
    fixture.land(&bought).await;
    fixture.fold(fixture.start + hours(25)).await;
    fixture
}

async fn world(fixture: &Fixture) -> WorldHandle {
    let (world, _refresher) = WorldHandle::open(fixture.store().clone()).await.unwrap();
    world
}

async fn live(fixture: &Fixture) -> (std::sync::Arc<Live>, Rules) {
    let live = world(fixture)
        .await
        .load()
        .get("checkout")
        .cloned()
        .unwrap();
    let rules = rules(&live, live.spec.decision.as_ref().unwrap());
    (live, rules)
}

/// Looks once at `now`; says whether the decision changed.
async fn look_at(fixture: &Fixture, now: DateTime<Utc>) -> bool {
    let (live, rules) = live(fixture).await;
    let (live, rules) = (&live, &rules);
    fixture
        .store()
        .run_tx("decide", |tx| {
            TxFuture::new(async move {
                look(tx, live, rules, now)
                    .await
                    .map(|found| found.changed)
                    .map_err(|error| match error {
                        DecideError::Store(error) => error,
                        other => StoreError::unreadable("look", other),
                    })
            })
        })
        .await
        .unwrap()
}

async fn newest(fixture: &Fixture) -> Recorded {
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let newest = decisions::newest(&mut connection, fixture.id).await;
    newest.unwrap().unwrap()
}

async fn rows(fixture: &Fixture) -> i64 {
    sqlx::query_scalar("select count(*) from experiment_decisions")
        .fetch_one(&fixture.store().pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_winner_is_recommended_with_the_evidence_behind_it() {
    let fixture = learned(3).await;
    let now = fixture.start + hours(26);
    assert!(look_at(&fixture, now).await);
    let recorded = newest(&fixture).await;
    let decision = &recorded.decision;
    let green = fixture.arms.iter().find(|arm| arm.name.as_str() == "green");
    let green = green.unwrap().id;
    assert_eq!(
        decision.choice,
        Choice::Ship { arm: green },
        "{decision:#?}"
    );
    assert!(
        decision
            .gates
            .iter()
            .all(|gate| gate.status == Status::Pass)
    );
    // Both lanes count, and nothing else: 800 units.
    assert_eq!(decision.evidence.resolved(), 800);
    let lift = decision
        .evidence
        .arm(green)
        .unwrap()
        .versus
        .unwrap()
        .lift
        .unwrap();
    assert!((lift.estimate - 0.233).abs() < 0.01, "{lift:?}");
    assert!(lift.low > 0.0 && lift.high < 0.5, "{lift:?}");
    assert_eq!((recorded.since, recorded.looked_at), (now, now));
    assert!(
        !sqlx::query_scalar::<_, bool>("select acted from experiment_decisions")
            .fetch_one(&fixture.store().pool)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn looking_twice_at_the_same_instant_changes_nothing() {
    let fixture = learned(3).await;
    let now = fixture.start + hours(26);
    assert!(look_at(&fixture, now).await);
    let first = newest(&fixture).await;
    assert!(!look_at(&fixture, now).await);
    assert_eq!(newest(&fixture).await, first);
    assert_eq!(rows(&fixture).await, 1);
}

#[tokio::test]
async fn looks_that_say_the_same_share_a_row_until_an_hour_is_over() {
    let fixture = learned(9).await;
    let now = fixture.start + hours(26);
    look_at(&fixture, now).await;
    let first = newest(&fixture).await;
    let later = now + chrono::TimeDelta::minutes(59);
    assert!(!look_at(&fixture, later).await);
    assert_eq!(rows(&fixture).await, 1);
    assert_eq!(newest(&fixture).await.looked_at, later);
    let next = now + hours(1);
    assert!(!look_at(&fixture, next).await);
    assert_eq!(rows(&fixture).await, 2);
    let second = newest(&fixture).await;
    assert_eq!((second.decided_at, second.since), (next, first.since));
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let changes = decisions::changes(&mut connection, fixture.id, 10).await;
    assert_eq!(
        changes.unwrap().len(),
        1,
        "a row of the same decision is no change"
    );
}

#[tokio::test]
async fn a_change_begins_a_row_and_is_an_event_on_the_screen() {
    let fixture = learned(9).await;
    look_at(&fixture, fixture.start + hours(24)).await;
    assert_eq!(newest(&fixture).await.decision.choice, Choice::KeepRunning);
    let over = fixture.start + hours(60 * 24);
    assert!(look_at(&fixture, over).await);
    let choice = newest(&fixture).await.decision.choice;
    assert!(
        [Choice::Iterate, Choice::Kill].contains(&choice),
        "{choice:?}"
    );

    let clock = Clock::fake(over + hours(1));
    let reading = Reading::new(
        fixture.store().clone(),
        world(&fixture).await,
        clock,
        SECRET,
    );
    let detail = reading.detail("checkout").await.unwrap();
    let said: Vec<&str> = detail
        .events
        .iter()
        .filter(|event| event.kind == "decision")
        .map(|event| event.text.as_str())
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].starts_with("Keep running:"), "{said:?}");
    let decision = detail.decision.unwrap();
    assert_eq!(decision.line.sentence, said[0]);
    assert_eq!((decision.gates.len(), decision.numbers.len()), (5, 2));
    assert_eq!(detail.row.decision, Some(decision.line.clone()));
    let insights = reading.insights("checkout").await.unwrap();
    assert_eq!(insights.decision, Some(decision));
}

#[tokio::test]
async fn a_split_that_is_not_the_drawn_one_stops_every_recommendation() {
    let fixture = learned(3).await;
    fixture
        .execute("update experiment_bandit_state set assigned = assigned * 2 where arm = 1")
        .await;
    look_at(&fixture, fixture.start + hours(26)).await;
    let decision = newest(&fixture).await.decision;
    assert_ne!(
        decision.choice,
        Choice::Ship {
            arm: fixture.arms[1].id
        }
    );
    let ratio = decision
        .gates
        .iter()
        .find(|gate| gate.name == "sample_ratio");
    assert_eq!(ratio.unwrap().status, Status::Fail);
}

#[tokio::test]
async fn events_of_a_window_that_was_closed_already_are_too_late_and_later_ones_are_not() {
    let fixture = learned(3).await;
    let late = |unit: u32, after: i64| Event {
        unit,
        name: "purchase",
        value: None,
        id: 10_000 + u128::from(unit),
        at: fixture.start + hours(after),
    };
    // Six that belonged into the window, and six after it: a conversion after the window is none.
    let rows: Vec<Event> = (0..6)
        .map(|unit| late(unit, 1))
        .chain((6..12).map(|unit| late(unit, 30)))
        .collect();
    fixture.land(&rows).await;
    fixture.fold(fixture.start + hours(31)).await;
    look_at(&fixture, fixture.start + hours(32)).await;
    let decision = newest(&fixture).await.decision;
    let all = 12.0 + fixture_purchases(&fixture).await;
    assert!((decision.evidence.late_share - 6.0 / all).abs() < 1e-12);
}

/// Purchases that counted.
async fn fixture_purchases(fixture: &Fixture) -> f64 {
    let counted: i64 =
        sqlx::query_scalar("select count(*) from experiment_events where outcome = 0")
            .fetch_one(&fixture.store().pool)
            .await
            .unwrap();
    counted as f64
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_replaced_by_one_that_can() {
    let fixture = learned(3).await;
    let now = fixture.start + hours(26);
    look_at(&fixture, now).await;
    fixture
        .execute("update experiment_decisions set evidence = '{\"sentence\": \"old\"}'")
        .await;
    assert!(look_at(&fixture, now + hours(1)).await);
    assert!(newest(&fixture).await.decision.choice.arm().is_some());
}

#[tokio::test]
async fn a_run_looks_at_so_many_and_the_next_one_at_the_others() {
    let experiment = |key: &str| {
        format!(
            r#"
[[experiment]]
key = "{key}"
state = "running"
arms = ["blue", "green"]
control = "blue"
reward = "purchase"
decision = "standard"
"#
        )
    };
    let site = Site::with(&["one", "two", "three"].map(experiment).concat()).await;
    let store = site.database.store.clone();
    let lease = store.take_lease("decisions", "test").await.unwrap();
    let lease = lease.expect("nobody else leads");
    let world = site.port.world.clone();
    let operations = Operations::new(store.clone(), world.clone());
    let mut decider = Decider::new(store, world, operations);
    decider.looks_of_a_run = 2;
    for (looked, again) in [(2, true), (1, false), (0, false)] {
        let round = decider.run(&lease).await.unwrap();
        assert!(
            round
                .detail
                .starts_with(&format!("of 3 looked at {looked},")),
            "{}",
            round.detail
        );
        assert_eq!(round.again, again);
    }
    assert_eq!(site.count("experiment_decisions").await, 3);
}
