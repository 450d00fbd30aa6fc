//! The publisher against a real database.

use std::collections::BTreeSet;

use bandit::experiment::{LaneId, Revision, Version};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Dirty, Published, Publisher, PublisherError, SWEEP_EVERY, round};
use crate::store::units::Drawn;
use crate::store::versions::{self, Change, PolicyVersion};
use crate::store::{StoreError, TxFuture};
use crate::verify::{unwatched, verify};
use crate::workers::fixture::{CHECKOUT, Event, Fixture, hours};
use crate::world::WorldHandle;

/// 400 units, of which half of green's and a tenth of blue's bought, all resolved.
async fn learned() -> Fixture {
    learned_by(CHECKOUT).await
}

/// The same in the experiment of `text`, whose success is worth 4.
async fn learned_by(text: &str) -> Fixture {
    let fixture = Fixture::start(text).await;
    teach(&fixture, 0..400, fixture.start).await;
    fixture
}

async fn teach(fixture: &Fixture, units: std::ops::Range<u32>, at: DateTime<Utc>) -> Vec<Drawn> {
    let units: Vec<u32> = units.collect();
    let drawn = fixture.assign_all(&units, at, true).await;
    let bought: Vec<Event> = units
        .iter()
        .zip(&drawn)
        .filter(|(unit, drawn)| {
            let green = fixture.arms[usize::from(drawn.arm.0)].name.as_str() == "green";
            *unit % if green { 2 } else { 10 } == 0
        })
        .map(|(unit, _)| Event {
            unit: *unit,
            name: "purchase",
            value: Some(4.0),
            id: u128::from(*unit),
            at,
        })
        .collect();
    fixture.land(&bought).await;
    fixture.fold(at + hours(25)).await;
    drawn
}

async fn publish(fixture: &Fixture, now: DateTime<Utc>) -> Published {
    let ids = BTreeSet::from([fixture.id]);
    let ids = &ids;
    fixture
        .store()
        .run_tx("publish", |tx| {
            TxFuture::new(async move {
                round(tx, ids, now).await.map_err(|error| match error {
                    PublisherError::Store(error) => error,
                    PublisherError::Deposed(_) => StoreError::unreadable("lease", "deposed"),
                })
            })
        })
        .await
        .unwrap()
}

async fn newest(fixture: &Fixture, lane: LaneId) -> PolicyVersion {
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let found = versions::newest(&mut connection, &[fixture.id]).await;
    let mut found = found.unwrap().into_iter().map(Result::unwrap);
    found.find(|version| version.lane == lane).unwrap()
}

async fn assert_verified(fixture: &Fixture) {
    let report = verify(fixture.store(), &mut unwatched).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn burn_in_ends_and_the_better_arm_gets_more() {
    let fixture = learned().await;
    let first = newest(&fixture, LaneId::MAIN).await;
    assert!(first.burn_in.is_some());
    let now = fixture.start + hours(26);
    let published = publish(&fixture, now).await;
    assert_eq!(published.versions, [(fixture.id, LaneId::MAIN, Version(2))]);
    let second = newest(&fixture, LaneId::MAIN).await;
    assert_eq!(
        (second.burn_in.as_deref(), second.reason.as_str()),
        (None, "burn-in over")
    );
    let green = fixture
        .arms
        .iter()
        .find(|arm| arm.name.as_str() == "green")
        .unwrap();
    assert!(
        second.allocation.get(green.id) > 0.9,
        "{:?}",
        second.allocation
    );
    assert_eq!(newest(&fixture, LaneId::HOLDBACK).await.version, Version(1));
    assert_verified(&fixture).await;

    // Nothing changed: nothing is published, however late it is.
    assert_eq!(
        publish(&fixture, now + hours(9)).await,
        Published::default()
    );
}

/// What a policy learned from is stored with the version, so that verify comes to the same bits: also where the
/// squares count, and where the split was rolled forward.
#[tokio::test]
async fn scaled_rewards_and_other_policies_publish_what_verify_repeats() {
    let scaled = CHECKOUT.replace(
        "success = \"purchase\"\nnegative = \"refund\"",
        "scaled = { event = \"purchase\", min = 0, max = 5 }",
    );
    let of_kind = |kind: &str| CHECKOUT.replace("kind = \"thompson\"", kind);
    for text in [
        scaled,
        of_kind("kind = \"kl_ucb\"\ncontrol_floor = \"20%\""),
        of_kind("kind = \"top_two_thompson\"\nbeta = 0.8"),
        of_kind("kind = \"epsilon_greedy\"\ndecay = true"),
    ] {
        let fixture = learned_by(&text).await;
        let published = publish(&fixture, fixture.start + hours(26)).await;
        let main = (fixture.id, LaneId::MAIN, Version(2));
        assert_eq!(published.versions, [main], "{text}");
        let version = newest(&fixture, LaneId::MAIN).await;
        let better = fixture.arms.iter().find(|arm| !arm.control).unwrap();
        let share = version.allocation.get(better.id);
        assert!(share > 0.55, "{share} in {text}");
        let learned = version.evidence[usize::from(better.id.0)].learned;
        assert!(learned.n > 100.0 && learned.sum > 0.0 && learned.sum_sq > 0.0);
        assert_verified(&fixture).await;
    }
}

#[tokio::test]
async fn a_movement_waits_for_publish_every_and_is_then_published() {
    let fixture = learned().await;
    let now = fixture.start + hours(26);
    publish(&fixture, now).await;
    teach(&fixture, 400..800, now).await;
    let soon = publish(&fixture, now + TimeDelta::milliseconds(999)).await;
    assert_eq!(soon.waiting, BTreeSet::from([fixture.id]));
    assert!(soon.versions.is_empty());
    let later = publish(&fixture, now + hours(26)).await;
    assert_eq!(later.versions, [(fixture.id, LaneId::MAIN, Version(3))]);
    assert!(
        newest(&fixture, LaneId::MAIN)
            .await
            .reason
            .starts_with(versions::LEARNED)
    );
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn a_change_of_the_spec_wins_against_a_publisher_that_read_before_it() {
    let fixture = learned().await;
    let now = fixture.start + hours(26);
    let ids = BTreeSet::from([fixture.id]);
    let mut changing = fixture.store().pool.begin().await.unwrap();
    let change = Change {
        experiment: fixture.id,
        revision: Revision(2),
        spec: &fixture.spec,
        arms: &fixture.arms,
        lanes: &fixture.lanes,
        started_at: fixture.start,
        reason: "applied revision 2",
        at: now,
    };
    let numbers = versions::publish_all_lanes(&mut changing, &change)
        .await
        .unwrap();
    assert_eq!(
        numbers,
        [(LaneId::HOLDBACK, Version(2)), (LaneId::MAIN, Version(2))]
    );
    // The publisher has read version 1 and waits for the number 2 until the change commits.
    let mut publishing = fixture.store().pool.begin().await.unwrap();
    let (published, committed) = tokio::join!(
        round(&mut publishing, &ids, now + hours(1)),
        changing.commit()
    );
    committed.unwrap();
    let published = published.unwrap();
    publishing.commit().await.unwrap();
    assert!(published.versions.is_empty(), "{published:?}");
    assert_eq!(newest(&fixture, LaneId::MAIN).await.revision, Revision(2));
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn what_does_not_run_is_not_published() {
    let fixture = learned().await;
    fixture
        .execute(
            r#"update experiments set state = 'paused', run_state =
               '{"state": "paused", "since": "2026-01-01T00:00:00Z", "by": "ana", "why": "a test"}'"#,
        )
        .await;
    assert_eq!(
        publish(&fixture, fixture.start + hours(26)).await,
        Published::default()
    );
}

/// Two learning lanes: one that learns with the floor of the experiment, one with a wider floor and no burn-in.
const LANES: &str = r#"
[[experiment]]
key = "checkout"
arms = ["blue", "green"]
control = "blue"
holdback = "20%"
reward = "purchase"

[experiment.policy]
floor = "5%"
burn_in = { for = "1h", exposures_per_arm = 0, rewards_per_arm = 1000 }

[[experiment.lane]]
name = "patient"
share = "25%"

[[experiment.lane]]
name = "hasty"
share = "75%"
[experiment.lane.policy]
floor = "20%"
burn_in = { for = "1h", exposures_per_arm = 0, rewards_per_arm = 10 }
"#;

#[tokio::test]
async fn every_lane_learns_from_its_own_units_under_its_own_policy() {
    let fixture = Fixture::start(LANES).await;
    let (patient, hasty) = (LaneId(2), LaneId(3));
    let drawn = teach(&fixture, 0..800, fixture.start).await;
    let units = |lane: LaneId| drawn.iter().filter(|it| it.lane == lane).count();
    assert!(
        (120..=200).contains(&units(LaneId::HOLDBACK)),
        "of 800, 160"
    );
    assert!((120..=200).contains(&units(patient)), "of 640, 160");
    assert!((430..=530).contains(&units(hasty)), "of 640, 480");

    let now = fixture.start + hours(26);
    let published = publish(&fixture, now).await;
    assert_eq!(published.versions, [(fixture.id, hasty, Version(2))]);
    let version = newest(&fixture, hasty).await;
    let resolved: u64 = version.evidence.iter().map(|arm| arm.stats.resolved).sum();
    assert_eq!(resolved, units(hasty) as u64, "nobody else's units");
    let green = fixture.arms.iter().find(|arm| arm.name.as_str() == "green");
    let share = version.allocation.get(green.unwrap().id);
    assert!((0.79..=0.8).contains(&share), "{share}");
    let waiting = newest(&fixture, patient).await;
    assert_eq!(waiting.version, Version(1));
    assert!(waiting.burn_in.is_some());
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn only_experiments_that_changed_are_looked_at() {
    let fixture = Fixture::start(CHECKOUT).await;
    let store = fixture.store().clone();
    let (world, _refresher) = WorldHandle::open(store.clone()).await.unwrap();
    let dirty = Dirty::default();
    let mut publisher = Publisher::new(store, world, dirty.clone());
    // Started years ago: its burn-in is over by the clock, and waits for rewards.
    let first = publisher.candidates(1).await.unwrap();
    assert_eq!(first, BTreeSet::from([fixture.id]));
    for _ in 0..SWEEP_EVERY * 2 {
        assert_eq!(publisher.candidates(1).await.unwrap(), BTreeSet::new());
    }
    // Folded by another daemon: the next sweep finds it, once.
    fixture.assign(1, fixture.start, true).await;
    fixture.fold(fixture.start).await;
    let mut found = 0;
    for _ in 0..SWEEP_EVERY * 2 {
        found += publisher.candidates(1).await.unwrap().len();
    }
    assert_eq!(found, 1);
    // Folded here.
    dirty.mark(&first);
    assert_eq!(publisher.candidates(1).await.unwrap(), first);
    // Another one published meanwhile, and left something waiting.
    assert_eq!(publisher.candidates(3).await.unwrap(), first);
}
