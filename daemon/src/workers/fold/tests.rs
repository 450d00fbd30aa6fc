//! The fold against a real database: whatever the order, the batch and the crash, the same ledgers and state.

mod front;
mod in_flight;
mod openings;
mod order;
mod rounds;
mod settled;
mod weeks;

use std::collections::BTreeMap;

use bandit::experiment::LaneId;
use bandit::posterior::ArmStats;
use chrono::{DateTime, Utc};

use super::{Known, RewardSpecs, round};
use crate::store::state;
use crate::verify::{unwatched, verify};
use crate::workers::fixture::{CHECKOUT, Event, Fixture, hours, unit};

async fn fixture() -> Fixture {
    Fixture::start(CHECKOUT).await
}

fn purchase(number: u32, id: u128, at: DateTime<Utc>) -> Event {
    Event {
        unit: number,
        name: "purchase",
        value: None,
        id,
        at,
    }
}

fn refund(number: u32, id: u128, at: DateTime<Utc>) -> Event {
    Event {
        name: "refund",
        ..purchase(number, id, at)
    }
}

/// All lanes and arms together.
async fn total(fixture: &Fixture) -> ArmStats {
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let sums = state::sums(&mut connection, &[fixture.id]).await.unwrap();
    sums.values().flat_map(BTreeMap::values).copied().sum()
}

async fn assert_verified(fixture: &Fixture) {
    let report = verify(fixture.store(), &mut unwatched).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Entry kinds and rewards of a unit, in order.
async fn entries(fixture: &Fixture, number: u32) -> Vec<(i16, i32)> {
    sqlx::query_as(
        "select kind, reward_micro from experiment_rewards where unit_key = $1 order by entry",
    )
    .bind(unit(number).0)
    .fetch_all(&fixture.store().pool)
    .await
    .unwrap()
}

async fn standings(fixture: &Fixture, number: u32) -> Vec<i16> {
    sqlx::query_scalar(
        "select outcome from experiment_events where unit_key = $1 order by event_id",
    )
    .bind(unit(number).0)
    .fetch_all(&fixture.store().pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_window_that_closes_without_an_event_gives_the_default_reward() {
    let fixture = fixture().await;
    let drawn = fixture.assign(1, fixture.start, true).await;

    let folded = fixture.fold(fixture.start + hours(24)).await;
    assert_eq!(
        (folded.assigned, folded.closed),
        (1, 0),
        "grace is not over"
    );
    let folded = fixture.fold(fixture.start + hours(25)).await;
    assert_eq!(folded.closed, 1);

    assert_eq!(entries(&fixture, 1).await, [(2, 0)]);
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let sums = state::sums(&mut connection, &[fixture.id]).await.unwrap();
    let stats = sums[&(fixture.id, drawn.lane)][&drawn.arm];
    assert_eq!((stats.assigned, stats.exposed, stats.resolved), (1, 1, 1));
    assert_eq!(stats.reward_sum_micro, 0);
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn a_success_counts_once_and_only_when_its_window_closes() {
    let fixture = fixture().await;
    fixture.assign(1, fixture.start, true).await;
    let at = fixture.start + hours(1);
    fixture
        .land(&[
            purchase(1, 10, at),
            purchase(1, 10, at),
            purchase(1, 11, at),
        ])
        .await;
    let folded = fixture.fold(fixture.start + hours(2)).await;
    assert_eq!((folded.events, folded.repeats), (2, 1));
    assert_eq!(entries(&fixture, 1).await, [(0, 1_000_000)]);
    let sum = total(&fixture).await;
    assert_eq!(
        (sum.resolved, sum.early, sum.early_sum_micro),
        (0, 1, 1_000_000)
    );
    assert_verified(&fixture).await;

    fixture.land(&[purchase(1, 10, at)]).await;
    fixture.fold(fixture.start + hours(30)).await;
    assert_eq!(entries(&fixture, 1).await, [(0, 1_000_000), (2, 1_000_000)]);
    let sum = total(&fixture).await;
    assert_eq!((sum.resolved, sum.reward_sum_micro), (1, 1_000_000));
    assert_eq!(
        (sum.early, sum.early_sum_micro),
        (0, 0),
        "in flight no more"
    );
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn the_same_id_with_another_body_is_a_conflict_and_the_first_counts() {
    let fixture = fixture().await;
    fixture.assign(1, fixture.start, true).await;
    let first = purchase(1, 10, fixture.start + hours(1));
    let other = Event {
        value: Some(3.0),
        ..first.clone()
    };
    fixture.land(&[first.clone(), other.clone(), first]).await;
    fixture.fold(fixture.start + hours(2)).await;
    fixture.land(&[other]).await;
    fixture.fold(fixture.start + hours(2)).await;
    let repeats: (i64, i64) =
        sqlx::query_as("select duplicates, conflicts from experiment_event_repeats")
            .fetch_one(&fixture.store().pool)
            .await
            .unwrap();
    assert_eq!(repeats, (1, 2));
}

#[tokio::test]
async fn a_refund_takes_a_success_back_with_an_entry_of_its_own() {
    let fixture = fixture().await;
    fixture.assign(1, fixture.start, true).await;
    fixture
        .land(&[purchase(1, 1, fixture.start + hours(1))])
        .await;
    fixture.fold(fixture.start + hours(2)).await;
    fixture
        .land(&[refund(1, 2, fixture.start + hours(3))])
        .await;
    fixture.fold(fixture.start + hours(4)).await;
    let sum = total(&fixture).await;
    assert_eq!(
        (sum.early, sum.early_sum_micro, sum.early_sq_sum_micro),
        (0, 0, 0)
    );
    assert_verified(&fixture).await;
    fixture.fold(fixture.start + hours(26)).await;
    assert_eq!(entries(&fixture, 1).await, [(0, 1_000_000), (1, 0), (2, 0)]);
    assert_eq!(total(&fixture).await.reward_sum_micro, 0);
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn what_comes_after_the_window_is_kept_flagged_and_not_learned() {
    let fixture = fixture().await;
    fixture.assign(1, fixture.start, true).await;
    // After the window, before it is closed; then after it was closed, once late and once with an old time.
    fixture
        .land(&[purchase(1, 1, fixture.start + hours(24) + hours(1) / 2)])
        .await;
    fixture.fold(fixture.start + hours(24) + hours(1) / 2).await;
    assert_eq!(standings(&fixture, 1).await, [1]);
    fixture.fold(fixture.start + hours(25)).await;
    fixture
        .land(&[
            purchase(1, 2, fixture.start + hours(26)),
            purchase(1, 3, fixture.start + hours(20)),
        ])
        .await;
    fixture.fold(fixture.start + hours(27)).await;
    assert_eq!(standings(&fixture, 1).await, [1, 1, 1]);
    assert_eq!(entries(&fixture, 1).await, [(2, 0)]);
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn an_event_that_was_folded_before_its_unit_was_assigned_counts_at_the_close() {
    let fixture = fixture().await;
    let at = fixture.start + hours(1);
    fixture
        .land(&[purchase(1, 1, at), purchase(2, 2, fixture.start)])
        .await;
    fixture.fold(at).await;
    assert_eq!(standings(&fixture, 1).await, [2]);
    assert_verified(&fixture).await;
    fixture.assign_all(&[1, 2], at, true).await;
    fixture.fold(at).await;
    assert_verified(&fixture).await;
    fixture.fold(at + hours(25)).await;
    assert_eq!(entries(&fixture, 1).await, [(2, 1_000_000)]);
    assert_eq!(standings(&fixture, 1).await, [0]);
    assert_eq!(
        entries(&fixture, 2).await,
        [(2, 0)],
        "an hour before the exposure"
    );
    assert_eq!(standings(&fixture, 2).await, [4]);
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn a_late_exposure_starts_the_window_once_and_judges_what_came_before() {
    let fixture = fixture().await;
    fixture.assign(1, fixture.start, false).await;
    fixture.fold(fixture.start + hours(100)).await;
    let sum = total(&fixture).await;
    assert_eq!((sum.assigned, sum.exposed, sum.resolved), (1, 0, 0));

    let met = fixture.start + hours(100);
    fixture.land(&[purchase(1, 1, met)]).await;
    fixture.fold(met).await;
    assert_eq!(standings(&fixture, 1).await, [2]);
    fixture.expose(1, met + hours(1)).await;
    fixture.expose(1, met).await;
    let folded = fixture.fold(met + hours(1)).await;
    assert_eq!(folded.exposed, 1);
    assert_eq!(
        entries(&fixture, 1).await,
        [(0, 1_000_000)],
        "of the earlier exposure"
    );
    fixture.expose(1, met + hours(2)).await;
    fixture.expose(99, met + hours(2)).await;
    assert_eq!(fixture.fold(met + hours(2)).await.exposed, 0);
    fixture.fold(met + hours(25)).await;
    let sum = total(&fixture).await;
    assert_eq!((sum.assigned, sum.exposed, sum.resolved), (1, 1, 1));
    assert_verified(&fixture).await;
}

/// A busy hour: 120 units, some with one or several events, in an order given by `shuffle`.
fn busy(start: DateTime<Utc>, shuffle: u64) -> Vec<Event> {
    let mut events: Vec<Event> = (0..120_u32)
        .flat_map(|number| {
            let at = start + hours(i64::from(number % 26));
            let bought = purchase(number, u128::from(number) * 10 + 1, at);
            let again = purchase(number, u128::from(number) * 10 + 2, at + hours(1));
            let back = refund(number, u128::from(number) * 10 + 3, at + hours(2));
            match number % 5 {
                0 => vec![],
                1 => vec![bought],
                2 => vec![bought.clone(), bought, again],
                3 => vec![bought, back],
                _ => vec![
                    bought,
                    back,
                    Event {
                        id: u128::from(number) * 10 + 4,
                        ..again
                    },
                ],
            }
        })
        .collect();
    events.sort_by_key(|event| (event.id as u64 ^ shuffle).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    events
}

#[tokio::test]
async fn windows_wait_for_events_that_were_received_before_they_closed() {
    let fixture = fixture().await;
    fixture.assign_all(&[1, 2], fixture.start, true).await;
    // Both came in time; the fold is two rows behind, and takes one at a time.
    fixture
        .land(&[
            purchase(1, 1, fixture.start + hours(1)),
            purchase(2, 2, fixture.start + hours(2)),
        ])
        .await;
    let now = fixture.start + hours(48);
    let folded = fixture.fold_batch(now, 1).await.unwrap();
    assert_eq!((folded.events, folded.closed), (1, 0));
    fixture.fold(now).await;
    let sum = total(&fixture).await;
    assert_eq!((sum.resolved, sum.reward_sum_micro), (2, 2_000_000));
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn scaled_rewards_add_up_exactly() {
    let fixture = Fixture::start(
        r#"
[[experiment]]
key = "movies"
arms = ["popular", "recent", "similar"]
control = "popular"

[experiment.reward]
scaled = { event = "rating", min = 1, max = 5, aggregate = "last", default = 2 }
window = "1h"
grace = "0s"
"#,
    )
    .await;
    let units: Vec<u32> = (0..30).collect();
    fixture.assign_all(&units, fixture.start, true).await;
    let ratings: Vec<Event> = (0..20_u32)
        .map(|number| Event {
            name: "rating",
            value: Some(f64::from(number % 7)),
            ..purchase(number, u128::from(number), fixture.start)
        })
        .collect();
    fixture.land(&ratings).await;
    fixture.fold(fixture.start + hours(1)).await;
    let sum = total(&fixture).await;
    let scaled = |rating: u32| i64::from(rating.clamp(1, 5) - 1) * 250_000;
    let expected: i64 = (0..20).map(|n| scaled(n % 7)).sum::<i64>() + 10 * 250_000;
    assert_eq!((sum.resolved, sum.reward_sum_micro), (30, expected));
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn the_minutes_count_what_happened() {
    let fixture = fixture().await;
    fixture.assign_all(&[1, 2, 3], fixture.start, true).await;
    fixture
        .land(&[purchase(1, 1, fixture.start + hours(1))])
        .await;
    fixture.fold(fixture.start + hours(30)).await;
    let minutes: Vec<(String, i64, f64)> = sqlx::query_as(
        "select event, sum(count)::int8, sum(sum) from experiment_minutes group by 1 order by 1",
    )
    .fetch_all(&fixture.store().pool)
    .await
    .unwrap();
    let expected = [
        ("$assigned", 3, 0.0),
        ("$exposed", 3, 0.0),
        ("$reward", 3, 1.0),
        ("purchase", 1, 0.0),
    ];
    let expected: Vec<(String, i64, f64)> = expected
        .into_iter()
        .map(|(event, count, sum)| (event.to_owned(), count, sum))
        .collect();
    assert_eq!(minutes, expected);
    let lanes: Vec<i16> = sqlx::query_scalar("select distinct lane from experiment_minutes")
        .fetch_all(&fixture.store().pool)
        .await
        .unwrap();
    assert!(lanes.iter().all(|lane| *lane as u16 <= LaneId::MAIN.0));
}
