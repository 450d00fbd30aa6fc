//! Readings of a started experiment on a real database.

use std::collections::BTreeSet;

use protocol::refusal::Code;

use super::{Reading, ReadingError};
use crate::clock::Clock;
use crate::store::{StoreError, TxFuture};
use crate::workers::fixture::{CHECKOUT, Event, Fixture, SECRET, hours};
use crate::workers::publish;
use crate::world::WorldHandle;

/// 300 units of which 200 have resolved: a third of those who sent something bought, and each event came twice.
async fn fixture() -> Fixture {
    let fixture = Fixture::start(CHECKOUT).await;
    let resolved: Vec<u32> = (0..200).collect();
    fixture.assign_all(&resolved, fixture.start, true).await;
    let bought: Vec<Event> = (0..60)
        .flat_map(|unit| {
            let event = Event {
                unit,
                name: if unit % 3 == 0 {
                    "purchase"
                } else {
                    "page_view"
                },
                value: None,
                id: u128::from(unit),
                at: fixture.start + hours(1),
            };
            [event.clone(), event]
        })
        .collect();
    fixture.land(&bought).await;
    fixture.fold(fixture.start + hours(25)).await;
    let pending: Vec<u32> = (200..300).collect();
    fixture
        .assign_all(&pending, fixture.start + hours(25), true)
        .await;
    fixture
}

async fn reading(fixture: &Fixture) -> Reading {
    let store = fixture.store().clone();
    let (world, _refresher) = WorldHandle::open(store.clone()).await.unwrap();
    let clock = Clock::fake(fixture.start + hours(26));
    Reading::new(store, world, clock, SECRET)
}

async fn publish(fixture: &Fixture) {
    let ids = BTreeSet::from([fixture.id]);
    let (ids, now) = (&ids, fixture.start + hours(26));
    let published = fixture
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

#[tokio::test]
async fn results_count_what_was_sent() {
    let fixture = fixture().await;
    let results = reading(&fixture).await.results("checkout").await.unwrap();
    assert_eq!((results.assignments, results.exposures), (300, 300));
    assert_eq!((results.rewards, results.pending), (200, 100));
    assert_eq!((results.events, results.duplicates), (60, 60));
    let by_name = [("page_view".to_owned(), 40), ("purchase".to_owned(), 20)];
    assert_eq!(results.events_by_name, by_name);
    let lanes: Vec<&str> = results
        .lanes
        .iter()
        .map(|lane| lane.lane.as_str())
        .collect();
    assert_eq!(lanes, ["holdback", "main"]);
    let rewards: f64 = results
        .lanes
        .iter()
        .flat_map(|lane| &lane.arms)
        .map(|arm| arm.reward_sum)
        .sum();
    assert!((rewards - 20.0).abs() < 1e-9, "{rewards}");
}

#[tokio::test]
async fn a_row_says_who_leads_and_how_burn_in_goes() {
    let fixture = fixture().await;
    let row = reading(&fixture).await.row("checkout").await.unwrap();
    assert_eq!(
        (row.state.as_str(), row.assigned, row.version),
        ("running", 300, 1)
    );
    assert!(row.burn_in.is_some());
    let names: Vec<&str> = row.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(names, ["blue", "green"], "in the order of the file");
    let p_best: f64 = row.arms.iter().map(|arm| arm.p_best).sum();
    assert!((p_best - 1.0).abs() < 1e-9);
    for arm in &row.arms {
        assert!(arm.low < arm.mean && arm.mean < arm.high, "{arm:?}");
        assert!((arm.share - 0.5).abs() < 1e-12);
    }

    publish(&fixture).await;
    let reading = reading(&fixture).await;
    let row = reading.row("checkout").await.unwrap();
    assert_eq!((row.version, row.burn_in), (2, None));
    let detail = reading.detail("checkout").await.unwrap();
    assert_eq!(detail.allocation.len(), 2);
    let newest: Vec<f64> = row.arms.iter().map(|arm| arm.share).collect();
    assert_eq!(detail.allocation[1].shares, newest);
    let texts: Vec<&str> = detail
        .events
        .iter()
        .map(|event| event.text.as_str())
        .collect();
    assert!(
        texts[0].starts_with("version 2: ") && texts[0].contains("burn-in over"),
        "{texts:?}"
    );
    let again = bandit::spec::parse("detail", &detail.spec_toml).unwrap();
    assert_eq!(again.experiments.first(), Some(&fixture.spec));
}

/// What screens call P(best) is what the policy allocates by: of scaled rewards, too.
#[tokio::test]
async fn scaled_rewards_are_believed_as_the_policy_learns_them() {
    let scaled = CHECKOUT.replace(
        "success = \"purchase\"\nnegative = \"refund\"",
        "scaled = { event = \"purchase\", min = 0, max = 5 }",
    );
    let fixture = Fixture::start(&scaled).await;
    let units: Vec<u32> = (0..300).collect();
    fixture.assign_all(&units, fixture.start, true).await;
    let rated: Vec<Event> = units
        .iter()
        .map(|unit| Event {
            unit: *unit,
            name: "purchase",
            value: Some(2.0 + f64::from(unit % 7) * 0.1),
            id: u128::from(*unit),
            at: fixture.start,
        })
        .collect();
    fixture.land(&rated).await;
    fixture.fold(fixture.start + hours(25)).await;
    publish(&fixture).await;
    let row = reading(&fixture).await.row("checkout").await.unwrap();
    for arm in &row.arms {
        let floor = fixture.spec.policy.floor.get();
        let allocated = floor + (1.0 - 2.0 * floor) * arm.p_best;
        assert!((arm.share - allocated).abs() < 1e-9, "{arm:?}");
        // the rewards scatter by 0.04: 150 of them tell their mean to 0.01, of coins it would be 0.08
        assert!(arm.high - arm.low < 0.02, "{arm:?}");
        let drawn = arm.alpha / (arm.alpha + arm.beta);
        assert!((drawn - arm.mean).abs() < 1e-9, "{arm:?}");
    }
}

#[tokio::test]
async fn decisions_a_second_fade_within_a_minute() {
    let fixture = Fixture::start(CHECKOUT).await;
    let now = sqlx::query_scalar("select now()")
        .fetch_one(&fixture.store().pool)
        .await
        .unwrap();
    let units: Vec<u32> = (0..120).collect();
    fixture.assign_all(&units, now, true).await;
    fixture.fold(now).await;
    let row = reading(&fixture).await.row("checkout").await.unwrap();
    assert!(
        (1.0..=2.0).contains(&row.decisions_per_sec),
        "{}",
        row.decisions_per_sec
    );
    fixture
        .execute("update experiment_minutes set minute = minute - interval '3 minutes'")
        .await;
    let row = reading(&fixture).await.row("checkout").await.unwrap();
    assert!(row.decisions_per_sec.abs() < 1e-12);
}

#[tokio::test]
async fn every_stored_assignment_is_explained_and_agrees() {
    let fixture = fixture().await;
    publish(&fixture).await;
    let reading = reading(&fixture).await;
    for number in (0..300).step_by(29) {
        let unit = format!("unit-{number}");
        let told = reading.explain("checkout", &unit).await.unwrap();
        let stored = told.stored.clone().unwrap();
        assert_eq!(told.agrees, Some(true), "{told:?}");
        assert_eq!(told.recomputed_arm.as_ref(), Some(&stored.arm));
        assert!((stored.propensity - 0.5).abs() < 1e-12);
        assert_eq!(stored.reward.is_some(), number < 200);
        assert!(told.steps.iter().any(|step| step.step == "arm"));
        assert_eq!(told.steps.last().unwrap().step, "now");
        let by_key = reading.explain("checkout", &told.unit_key).await.unwrap();
        assert_eq!(by_key, told);
    }
    let never = reading.explain("checkout", "nobody").await.unwrap();
    assert_eq!((never.stored, never.agrees), (None, None));
    fixture
        .execute("update experiment_assignments set arm = 1 - arm")
        .await;
    let told = reading.explain("checkout", "unit-1").await.unwrap();
    assert_eq!(told.agrees, Some(false));
}

#[tokio::test]
async fn insights_name_the_leader_and_what_to_keep_in_mind() {
    let fixture = fixture().await;
    let insights = reading(&fixture).await.insights("checkout").await.unwrap();
    assert_eq!(insights.arms.len(), 2);
    assert!(insights.arms[0].p_best >= insights.arms[1].p_best);
    let control = insights.arms.iter().find(|arm| arm.arm == "blue").unwrap();
    assert_eq!(control.p_beats_control, None);
    assert!(
        insights.summary.starts_with("too early to tell"),
        "{}",
        insights.summary
    );
    assert!(
        insights
            .caveats
            .iter()
            .any(|caveat| caveat.contains("100 exposed units"))
    );
}

#[tokio::test]
async fn every_lane_has_evidence_that_survives_looking() {
    let fixture = Fixture::start(CHECKOUT).await;
    let units: Vec<u32> = (0..600).collect();
    let drawn = fixture.assign_all(&units, fixture.start, true).await;
    // green converts, blue does not
    let green = fixture.arms.iter().find(|arm| !arm.control).unwrap().id;
    let bought: Vec<Event> = units
        .iter()
        .zip(&drawn)
        .filter(|(unit, drawn)| drawn.arm == green && **unit % 3 == 0)
        .map(|(unit, _)| Event {
            unit: *unit,
            name: "purchase",
            value: None,
            id: u128::from(*unit),
            at: fixture.start + hours(1),
        })
        .collect();
    fixture.land(&bought).await;
    fixture.fold(fixture.start + hours(25)).await;
    let reading = reading(&fixture).await;
    let results = reading.results("checkout").await.unwrap();
    for lane in &results.lanes {
        let evidence = lane.evidence.as_ref().unwrap();
        assert_eq!(evidence.lane, lane.lane);
        assert!(evidence.srm_p > 0.001 && evidence.srm_sequential_p > 0.001);
        for (row, arm) in lane.arms.iter().zip(&evidence.arms) {
            assert_eq!(row.name, arm.arm);
            let (low, high) = (arm.low.unwrap(), arm.high.unwrap());
            let seen = row.reward_sum / row.resolved as f64;
            assert!(low <= seen && seen <= high, "{arm:?}");
        }
    }
    let insights = reading.insights("checkout").await.unwrap();
    let green = insights.arms.iter().find(|arm| arm.arm == "green").unwrap();
    assert!(
        green.recommendation.starts_with("better than control"),
        "{insights:?}"
    );
    let evidence = insights.evidence.unwrap();
    let contrast = evidence.arms[1].against_control.unwrap();
    assert!(
        contrast.low > 0.0 && contrast.p_value < 0.05,
        "{contrast:?}"
    );
    assert_eq!(evidence.arms[0].against_control, None);
}

#[tokio::test]
async fn arms_without_data_have_no_rate() {
    let fixture = Fixture::start(CHECKOUT).await;
    let reading = reading(&fixture).await;
    let insights = reading.insights("checkout").await.unwrap();
    assert!(insights.arms.iter().all(|arm| arm.observed.is_none()));
    let evidence = insights.evidence.unwrap();
    assert!(
        evidence
            .arms
            .iter()
            .all(|arm| arm.estimate.is_none() && arm.low.is_none())
    );
    assert!((evidence.srm_p - 1.0).abs() < 1e-12);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let fixture = Fixture::start(CHECKOUT).await;
    let reading = reading(&fixture).await;
    let error = reading.row("nothing").await.unwrap_err();
    assert!(matches!(error, ReadingError::NotFound(_)));
    assert_eq!(error.code(), Code::NotFound);
    let rows = reading.rows(&["nothing".parse().unwrap()]).await.unwrap();
    assert!(rows.is_empty());
    assert_eq!(reading.all_rows().await.unwrap().len(), 1);
}
