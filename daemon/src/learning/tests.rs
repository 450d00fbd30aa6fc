//! Credit and memory against a real database: events in, versions out, and everything computed again.

use std::collections::BTreeSet;

use bandit::credit::Delays;
use bandit::credit::delay::{CLASSES, class_of};
use bandit::experiment::{LaneId, Millis};
use bandit::posterior::Moments;
use chrono::{DateTime, TimeDelta, Utc};

use super::Read;
use crate::clock::Clock;
use crate::reading::Reading;
use crate::store::versions::{self, PolicyVersion};
use crate::store::{StoreError, TxFuture, delays};
use crate::verify::{unwatched, verify};
use crate::workers::fixture::{Event, Fixture, SECRET, hours};
use crate::workers::publish;
use crate::world::WorldHandle;

/// No burn-in, a window of a day, an hour of grace; `extra` goes into the reward, `policy` into the policy.
fn text(policy: &str, extra: &str) -> String {
    format!(
        r#"
[[experiment]]
key = "checkout"
arms = ["blue", "green"]
control = "blue"
holdback = "0%"

[experiment.policy]
kind = "thompson"
floor = "5%"
burn_in = {{ for = "0s", exposures_per_arm = 0, rewards_per_arm = 0 }}
publish_every = "1s"
{policy}

[experiment.reward]
success = "purchase"
negative = "refund"
window = "23h"
grace = "1h"
{extra}
"#
    )
}

const CLOSES_AFTER: Millis = Millis(24 * 3_600_000);

async fn publish(fixture: &Fixture, now: DateTime<Utc>) -> usize {
    let ids = &BTreeSet::from([fixture.id]);
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
    published.versions.len()
}

async fn newest(fixture: &Fixture) -> PolicyVersion {
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let found = versions::newest(&mut connection, &[fixture.id]).await;
    let versions = found.unwrap().into_iter().map(Result::unwrap);
    let mut main = versions.filter(|version| version.lane == LaneId::MAIN);
    main.next().unwrap()
}

async fn learned(fixture: &Fixture) -> Moments {
    let version = newest(fixture).await;
    version.evidence.iter().map(|known| known.learned).sum()
}

#[track_caller]
fn assert_counts(learned: Moments, n: f64, sum: f64) {
    let off = (learned.n - n).abs().max((learned.sum - sum).abs());
    assert!(off < 1e-9, "{learned:?} is not {sum} of {n}");
}

async fn assert_verified(fixture: &Fixture) {
    let report = verify(fixture.store(), &mut unwatched).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

fn purchase(unit: u32, at: DateTime<Utc>) -> Event {
    Event {
        unit,
        name: "purchase",
        value: None,
        id: u128::from(unit),
        at,
    }
}

/// Units that are exposed at `at`; every third one buys, the first of these at once, the last `spread` later. The
/// fold runs every hour until `until`.
async fn teach(
    fixture: &Fixture,
    units: std::ops::Range<u32>,
    at: DateTime<Utc>,
    spread: TimeDelta,
    until: DateTime<Utc>,
) {
    let units: Vec<u32> = units.collect();
    fixture.assign_all(&units, at, true).await;
    let buyers: Vec<u32> = units.iter().copied().step_by(3).collect();
    let mut events: Vec<Event> = buyers
        .iter()
        .zip(0..)
        .map(|(unit, place)| purchase(*unit, at + spread * place / buyers.len() as i32))
        .collect();
    let mut now = at;
    while now <= until {
        let later = events.split_off(events.partition_point(|event| event.at <= now));
        fixture.land(&events).await;
        events = later;
        fixture.fold(now).await;
        now += hours(1);
    }
}

#[tokio::test]
async fn immediate_credit_takes_successes_at_once_and_failures_at_the_close() {
    let fixture = Fixture::start(&text("", r#"credit = "immediate""#)).await;
    let at = fixture.start;
    teach(&fixture, 0..300, at, hours(10), at + hours(5)).await;
    assert_eq!(publish(&fixture, at + hours(5)).await, 1);
    let early = learned(&fixture).await;
    // Nobody has failed yet.
    assert_counts(early, 51.0, 51.0);
    assert_verified(&fixture).await;

    let refund = Event {
        name: "refund",
        id: 9_999,
        ..purchase(0, at + hours(6))
    };
    fixture.land(&[refund]).await;
    fixture.fold(at + hours(6)).await;
    publish(&fixture, at + hours(6)).await;
    assert_counts(learned(&fixture).await, 50.0, 50.0);
    assert_verified(&fixture).await;

    fixture.fold(at + hours(24)).await;
    publish(&fixture, at + hours(24)).await;
    let closed = learned(&fixture).await;
    assert_counts(closed, 300.0, 50.0);
    assert_verified(&fixture).await;
}

/// Results say what is in flight, and that the split learns from it.
async fn assert_told(fixture: &Fixture, now: DateTime<Utc>) {
    let store = fixture.store().clone();
    let (world, _refresher) = WorldHandle::open(store.clone()).await.unwrap();
    let reading = Reading::new(store, world, Clock::fake(now), SECRET);
    let results = reading.results("checkout").await.unwrap();
    assert_eq!((results.pending, results.early), (750, 76));
    let main = results.lanes.iter().find(|lane| lane.lane == "main");
    let main = main.unwrap();
    assert!(main.learns_from.as_ref().unwrap().contains("corrected"));
    // 250 of them will convert, and 76 have.
    let to_come: f64 = main.in_flight.iter().filter_map(|arm| arm.to_come).sum();
    assert!((to_come - 174.0).abs() < 20.0, "{to_come}");
    let insights = reading.insights("checkout").await.unwrap();
    let said = |what: &str| insights.caveats.iter().any(|caveat| caveat.contains(what));
    assert!(
        said("credit") && said("76 of them"),
        "{:?}",
        insights.caveats
    );
}

#[tokio::test]
async fn corrected_credit_counts_open_windows_for_what_their_age_tells() {
    let fixture = Fixture::start(&text("", r#"credit = "corrected""#)).await;
    let at = fixture.start;
    // 250 closed conversions, evenly over 20 hours; then as many units again, six hours old.
    teach(&fixture, 0..750, at, hours(20), at + hours(24)).await;
    let now = at + hours(30);
    teach(&fixture, 1_000..1_750, at + hours(24), hours(20), now).await;
    assert_eq!(publish(&fixture, now).await, 1);
    let six = learned(&fixture).await;
    // Some 3 in 10 conversions are known after six hours, so the young are worth some 0.3 (1 - p) / (1 - 0.3 p) each.
    assert!(six.n > 750.0 + 100.0 && six.n < 750.0 + 300.0, "{six:?}");
    let rate = six.sum / six.n;
    assert!((rate - 1.0 / 3.0).abs() < 0.02, "{rate}");
    assert_verified(&fixture).await;

    assert_told(&fixture, now).await;

    // Nothing came; the silence of six more hours is evidence, and is published.
    let later = now + hours(6);
    assert_eq!(publish(&fixture, later).await, 1);
    let twelve = learned(&fixture).await;
    assert!(
        twelve.n > six.n + 100.0 && twelve.sum / twelve.n < rate - 0.01,
        "{twelve:?}"
    );
    let version = newest(&fixture).await;
    assert_eq!(version.reason, "learned from units in flight");
    assert_verified(&fixture).await;

    // All windows are closed: what was learned is what is counted.
    fixture.fold(at + hours(48)).await;
    publish(&fixture, at + hours(48)).await;
    assert_counts(learned(&fixture).await, 1_500.0, 326.0);
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn without_enough_conversions_corrected_credit_waits_for_the_close() {
    let fixture = Fixture::start(&text("", r#"credit = "corrected""#)).await;
    let at = fixture.start;
    teach(&fixture, 0..300, at, hours(10), at + hours(24)).await;
    teach(
        &fixture,
        300..600,
        at + hours(24),
        hours(10),
        at + hours(30),
    )
    .await;
    publish(&fixture, at + hours(30)).await;
    assert_counts(learned(&fixture).await, 300.0, 100.0);
    assert_verified(&fixture).await;
}

/// The database sorts ages into the classes of the core.
#[tokio::test]
async fn ages_and_delays_fall_into_the_classes_of_the_core() {
    let fixture = Fixture::start(&text("", "")).await;
    let at = fixture.start;
    teach(&fixture, 0..90, at, hours(20), at + hours(24)).await;
    let mut expected = [0; CLASSES + 1];
    let now = at + hours(60);
    for (unit, minutes) in (1_000..).zip((0..1_500).step_by(7)) {
        fixture
            .assign(unit, now - TimeDelta::minutes(minutes), true)
            .await;
        expected[class_of(Millis(minutes as u64 * 60_000), CLOSES_AFTER)] += 1;
    }
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let ages = delays::ages(&mut connection, fixture.id, CLOSES_AFTER, now)
        .await
        .unwrap();
    let mut found = [0; CLASSES + 1];
    for ages in ages.values() {
        for (sum, units) in found.iter_mut().zip(ages.0) {
            *sum += units;
        }
    }
    assert_eq!(found, expected);

    let cohort = delays::Cohort {
        experiment: fixture.id,
        closes_after: CLOSES_AFTER,
        default_micro: 0,
        since: at - hours(1),
        until: at + hours(1),
    };
    let by_arm = delays::delays(&mut connection, cohort).await.unwrap();
    let conversions: u64 = by_arm.values().map(Delays::conversions).sum();
    assert_eq!(conversions, 30);
    // Of conversions evenly over 20 hours, those of the first ten are known when the fold has run after them.
    let half = class_of(Millis(10 * 3_600_000), CLOSES_AFTER);
    let first: f64 = by_arm
        .values()
        .flat_map(|delays| &delays.gained[..=half])
        .sum();
    assert!((15.0..=16.0).contains(&first), "{first}");
}

#[tokio::test]
async fn a_window_forgets_what_is_older_and_results_do_not() {
    let fixture = Fixture::start(&text(r#"memory = { window = "48h" }"#, "")).await;
    let at = fixture.start;
    teach(&fixture, 0..300, at, hours(1), at + hours(25)).await;
    publish(&fixture, at + hours(25)).await;
    assert_counts(learned(&fixture).await, 300.0, 100.0);
    // These are drawn under the second version, a day later.
    teach(&fixture, 300..600, at + hours(48), hours(1), at + hours(73)).await;
    publish(&fixture, at + hours(73)).await;
    // The last 48 hours that can have closed began in hour 1; the first version was in force for 25.
    let all = learned(&fixture).await;
    assert!(
        (all.n - 300.0 * 24.0 / 25.0 - 300.0).abs() < 1e-9,
        "{all:?}"
    );
    assert_verified(&fixture).await;

    // Now they began in hour 25, when the second one came into force.
    publish(&fixture, at + hours(97)).await;
    let young = learned(&fixture).await;
    assert!((young.n - 300.0).abs() < 1e-9, "{young:?}");
    let version = newest(&fixture).await;
    let resolved: u64 = version.evidence.iter().map(|it| it.stats.resolved).sum();
    assert_eq!(resolved, 600, "burn-in waits for whole counts");
    assert_verified(&fixture).await;
}

#[test]
fn what_was_read_serves_while_it_is_young_and_the_spec_is_the_same() {
    let now = DateTime::UNIX_EPOCH;
    let kept = Read {
        at: now,
        under: "window of a day",
        found: std::sync::Arc::new(7),
    };
    let lasts = Millis(10_000);
    let after = |seconds| now + TimeDelta::seconds(seconds);
    let fresh = |under, at| kept.fresh(&under, at, lasts).map(|read| *read);
    assert_eq!(fresh("window of a day", after(9)), Some(7));
    assert_eq!(fresh("window of a day", after(10)), None);
    assert_eq!(fresh("window of a week", after(1)), None);
}
