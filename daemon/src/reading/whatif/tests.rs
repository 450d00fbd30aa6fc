//! Other policies on the log of a started experiment, on a real database.

use std::collections::BTreeSet;

use bandit::experiment::LaneId;
use bandit::spec::model::PolicyKind;
use protocol::evaluation::{EstimateRow, WhatIf, WhatIfRequest};
use protocol::refusal::Code;

use super::super::{Reading, ReadingError};
use crate::clock::Clock;
use crate::store::units::Drawn;
use crate::store::{StoreError, TxFuture, versions};
use crate::workers::fixture::{CHECKOUT, Event, Fixture, SECRET, hours};
use crate::workers::publish;
use crate::world::WorldHandle;

/// 1,000 units under the first, even version, 1,000 under the second; every tenth unit of blue and every fifth of green
/// buys. 100 more are pending.
struct Logged {
    fixture: Fixture,
    drawn: Vec<(u32, Drawn)>,
}

fn buys(fixture: &Fixture, number: u32, drawn: Drawn) -> bool {
    let green = fixture.arms[1].id == drawn.arm;
    number.is_multiple_of(if green { 5 } else { 10 })
}

impl Logged {
    async fn new() -> Self {
        let mut logged = Self {
            fixture: Fixture::start(CHECKOUT).await,
            drawn: Vec::new(),
        };
        logged.send(0..1_000, 0).await;
        logged.fixture.fold(logged.fixture.start + hours(25)).await;
        logged.publish(26).await;
        logged.send(1_000..2_000, 27).await;
        logged.fixture.fold(logged.fixture.start + hours(53)).await;
        let pending: Vec<u32> = (2_000..2_100).collect();
        let late = logged.fixture.start + hours(53);
        logged.fixture.assign_all(&pending, late, true).await;
        logged.fixture.fold(late + hours(1)).await;
        logged
    }

    async fn send(&mut self, numbers: std::ops::Range<u32>, hour: i64) {
        let numbers: Vec<u32> = numbers.collect();
        let at = self.fixture.start + hours(hour);
        let drawn = self.fixture.assign_all(&numbers, at, true).await;
        let pairs: Vec<(u32, Drawn)> = numbers.into_iter().zip(drawn).collect();
        let bought: Vec<Event> = pairs
            .iter()
            .filter(|(number, drawn)| buys(&self.fixture, *number, *drawn))
            .map(|(number, _)| Event {
                unit: *number,
                name: "purchase",
                value: None,
                id: u128::from(*number),
                at: at + hours(1),
            })
            .collect();
        self.fixture.land(&bought).await;
        self.drawn.extend(pairs);
    }

    async fn publish(&self, hour: i64) {
        let ids = &BTreeSet::from([self.fixture.id]);
        let now = self.fixture.start + hours(hour);
        let published = self
            .fixture
            .store()
            .run_tx("publish", |tx| {
                TxFuture::new(async move {
                    let published = publish::round(tx, ids, now).await;
                    published.map_err(|error| StoreError::unreadable("publication", error))
                })
            })
            .await
            .unwrap();
        assert_eq!(published.versions.len(), 1);
    }

    async fn ask(&self, policy: &str, lane: Option<&str>) -> Result<WhatIf, ReadingError> {
        let store = self.fixture.store().clone();
        let (world, _refresher) = WorldHandle::open(store.clone()).await.unwrap();
        let clock = Clock::fake(self.fixture.start + hours(54));
        let reading = Reading::new(store, world, clock, SECRET);
        let request = WhatIfRequest {
            key: "checkout".to_owned(),
            policy: policy.to_owned(),
            lane: lane.map(str::to_owned),
        };
        reading.what_if(&request).await
    }

    /// Inverse propensity weighting of always green, unit by unit; under version 2 green has this propensity.
    fn always_green(&self, second: f64) -> f64 {
        let units = || {
            self.drawn
                .iter()
                .filter(|(_, drawn)| drawn.lane == LaneId::MAIN)
        };
        let green = |drawn: &Drawn| drawn.arm == self.fixture.arms[1].id;
        let sum: f64 = units()
            .filter(|(number, drawn)| green(drawn) && buys(&self.fixture, *number, *drawn))
            .map(|(_, drawn)| 1.0 / if drawn.version.0 == 1 { 0.5 } else { second })
            .sum();
        sum / units().count() as f64
    }
}

fn of<'a>(answer: &'a WhatIf, estimator: &str) -> &'a EstimateRow {
    let rows = &answer.evaluation.estimates;
    rows.iter().find(|row| row.estimator == estimator).unwrap()
}

#[tokio::test]
async fn another_policy_is_judged_on_the_log_of_the_one_that_ran() {
    let logged = Logged::new().await;
    let answer = logged.ask("arm:green", None).await.unwrap();
    assert_eq!(
        (answer.lane.as_str(), answer.instead_of.as_str()),
        ("main", "thompson")
    );
    assert_eq!(
        (answer.versions, answer.evaluation.verdict.as_str()),
        (2, "pass")
    );
    let main = logged
        .drawn
        .iter()
        .filter(|(_, drawn)| drawn.lane == LaneId::MAIN);
    assert_eq!(answer.evaluation.rows, main.count() as u64);
    assert!(
        answer.pending > 50 && answer.pending < 100,
        "{}",
        answer.pending
    );
    let mut connection = logged.fixture.store().pool.acquire().await.unwrap();
    let newest = versions::newest(&mut connection, &[logged.fixture.id]).await;
    let newest = newest.unwrap().into_iter().map(Result::unwrap);
    let second = newest.filter(|version| version.lane == LaneId::MAIN).last();
    let second = second.unwrap().allocation;
    let want = logged.always_green(second.get(logged.fixture.arms[1].id));
    let ips = of(&answer, "ips");
    assert!(
        (ips.value - want).abs() < 1e-12,
        "{} is not {want}",
        ips.value
    );
    let (low, high) = (ips.low.unwrap(), ips.high.unwrap());
    assert!(low <= 0.2 && 0.2 <= high, "{low}..{high}");
    let worse = logged.ask("arm:blue", None).await.unwrap();
    assert!(of(&worse, "snips").value < of(&answer, "snips").value);
}

#[tokio::test]
async fn what_ran_is_judged_as_itself() {
    let logged = Logged::new().await;
    // Thompson with the same settings would have published the same splits, so every weight is 1.
    let same = logged.ask("thompson", None).await.unwrap();
    assert_eq!(logged.fixture.spec.policy.kind, PolicyKind::Thompson);
    assert!((same.evaluation.weights.max - 1.0).abs() < 1e-12);
    assert!((of(&same, "ips").value - of(&same, "logged").value).abs() < 1e-12);
    assert_eq!(same.evaluation.proven, "open");
    let even = logged.ask("uniform", Some("holdback")).await.unwrap();
    assert_eq!(even.instead_of, "an even split");
    assert!((even.evaluation.weights.max - 1.0).abs() < 1e-12);
}

#[tokio::test]
async fn a_question_without_an_answer_is_refused_in_words() {
    let logged = Logged::new().await;
    for (policy, lane, words) in [
        (
            "arm:red",
            None,
            "there is no arm `red`; there are blue, green",
        ),
        ("greedy", None, "`greedy` is no policy"),
        (
            "uniform",
            Some("west"),
            "has no lane `west`; it has holdback, main",
        ),
    ] {
        let error = logged.ask(policy, lane).await.unwrap_err();
        assert_eq!(error.code(), Code::Invalid);
        assert!(error.to_string().contains(words), "{error}");
    }
    let young = Logged {
        fixture: Fixture::start(CHECKOUT).await,
        drawn: Vec::new(),
    };
    let error = young.ask("uniform", None).await.unwrap_err();
    assert_eq!(error.code(), Code::IllegalState);
    assert!(error.to_string().contains("has resolved yet"), "{error}");
}
