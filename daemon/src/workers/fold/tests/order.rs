//! Whatever the order in which events come and the batches in which they are folded, the ledgers and the state are the
//! same.

use chrono::{DateTime, Utc};

use super::{assert_verified, busy, fixture};
use crate::workers::fixture::{CHECKOUT, Event, Fixture, hours};

async fn state_rows(fixture: &Fixture) -> Vec<String> {
    sqlx::query_scalar(
        "select t::text from (select * from experiment_bandit_state order by 1, 2, 3, 4) t",
    )
    .fetch_all(&fixture.store().pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn order_and_batch_do_not_matter() {
    let units: Vec<u32> = (0..120).collect();
    let mut seen: Option<(Vec<String>, Vec<String>)> = None;
    for (shuffle, batch) in [(0, 10_000), (1, 7), (0xdead_beef, 31)] {
        let fixture = fixture().await;
        fixture.assign_all(&units, fixture.start, true).await;
        fixture.land(&busy(fixture.start, shuffle)).await;
        let now = fixture.start + hours(24);
        while fixture.fold_batch(now, batch).await.unwrap().more {}
        assert_verified(&fixture).await;
        let in_flight = state_rows(&fixture).await;
        while fixture
            .fold_batch(now + hours(1), batch)
            .await
            .unwrap()
            .more
        {}
        assert_verified(&fixture).await;
        let ledgers = (in_flight, fixture.ledgers().await);
        match &seen {
            None => seen = Some(ledgers),
            Some(first) => assert!(*first == ledgers, "shuffle {shuffle}, batch {batch}"),
        }
    }
}

/// Three events at most, their sum, less of which is better.
const CALLS: &str = r#"
[[experiment]]
key = "calls"
arms = ["old", "new"]
control = "old"

[experiment.reward]
scaled = { event = "purchase", min = 0, max = 100, aggregate = "sum" }
negative = "refund"
direction = "decrease"
max_events_per_unit = 3
window = "24h"
grace = "2h"
"#;

/// Up to eight events of each of 100 units, from an hour before the exposure to an hour after the window, some of
/// them twice; in an order of their own.
fn chaos(start: DateTime<Utc>, order: u64) -> Vec<Event> {
    let mix = |x: u64| (x ^ (x >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut events = Vec::new();
    for unit in 0..100_u32 {
        for place in 0..(mix(u64::from(unit) + 1) >> 61) {
            let draw = mix(u64::from(unit) * 64 + place + 1_000) >> 8;
            let event = Event {
                unit,
                name: ["purchase", "purchase", "purchase", "refund", "view"][(draw % 5) as usize],
                value: Some(((draw / 5) % 90) as f64 - 10.0),
                id: u128::from(unit) * 100 + u128::from(place) + 1,
                at: start + chrono::TimeDelta::minutes((draw / 450 % 1_560) as i64 - 60),
            };
            events.push(event.clone());
            if draw % 7 == 0 {
                events.push(event);
            }
        }
    }
    let mut keyed: Vec<(u64, Event)> = (0..).zip(events).collect();
    keyed.sort_by_key(|(place, _)| mix(place ^ order));
    keyed.into_iter().map(|(_, event)| event).collect()
}

#[tokio::test]
async fn caps_revocations_and_early_and_late_events_come_out_the_same_in_any_order_and_batch() {
    let units: Vec<u32> = (0..100).collect();
    for text in [CHECKOUT, CALLS] {
        let mut seen: Option<(Vec<String>, Vec<String>)> = None;
        for (order, batches) in [(1, 1), (0xfeed, 4), (0xbead, 9)] {
            let fixture = Fixture::start(text).await;
            fixture.assign_all(&units, fixture.start, true).await;
            let events = chaos(fixture.start, order);
            // Landed and folded in parts; the windows close when all are there.
            for part in events.chunks(events.len().div_ceil(batches)) {
                fixture.land(part).await;
                fixture.fold(fixture.start + hours(24)).await;
            }
            assert_verified(&fixture).await;
            let in_flight = state_rows(&fixture).await;
            fixture.fold(fixture.start + hours(27)).await;
            assert_verified(&fixture).await;
            let standings: Vec<i16> =
                sqlx::query_scalar("select distinct outcome from experiment_events order by 1")
                    .fetch_all(&fixture.store().pool)
                    .await
                    .unwrap();
            let capped = text == CALLS;
            assert_eq!(
                standings,
                if capped {
                    vec![0, 1, 3, 4, 5]
                } else {
                    vec![0, 1, 4, 5]
                }
            );
            let ledgers = (in_flight, fixture.ledgers().await);
            match &seen {
                None => seen = Some(ledgers),
                Some(first) => assert!(*first == ledgers, "order {order}, {batches} batches"),
            }
        }
    }
}
