//! Rounds that know where the queues begin read no more than they need, and what they cannot see is taken all the same.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, Postgres, Transaction};

use super::openings::fold;
use super::{Known, RewardSpecs, assert_verified, fixture, purchase, round, total};
use crate::store::front::Front;
use crate::store::{fold as rows, landing};
use crate::workers::fixture::{Event, Fixture};

/// Three minutes of an event of a new unit each, and a fold that knows the front; a transaction that has the first
/// number in both queues is open all the time.
async fn in_flight(
    fixture: &Fixture,
    known: &mut Known,
) -> (Transaction<'static, Postgres>, DateTime<Utc>) {
    let at = fixture.start;
    let mut late = fixture.store().pool.begin().await.unwrap();
    fixture.assign_on(&mut late, &[1], at, true).await;
    fixture.land_on(&mut late, &[purchase(1, 1, at)]).await;
    let mut now = at;
    for unit in 2..=4 {
        now = at + TimeDelta::minutes(i64::from(unit));
        fixture.assign(unit, now, true).await;
        fixture.land(&[purchase(unit, u128::from(unit), now)]).await;
        let folded = fold(fixture, known, now).await;
        assert_eq!((folded.assigned, folded.events), (1, 1));
    }
    (late, now)
}

#[tokio::test]
async fn what_commits_below_the_bound_is_taken_by_the_next_look_from_the_very_beginning() {
    let fixture = fixture().await;
    let mut known = Known::default();
    let (late, now) = in_flight(&fixture, &mut known).await;
    late.commit().await.unwrap();

    let bounded = now + TimeDelta::seconds(59);
    assert!(fold(&fixture, &mut known, bounded).await.is_idle());
    let whole = now + TimeDelta::seconds(60);
    let folded = fold(&fixture, &mut known, whole).await;
    assert_eq!((folded.assigned, folded.events), (1, 1));
    assert_eq!(total(&fixture).await.assigned, 4);
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn who_begins_to_lead_takes_what_committed_below_the_bound() {
    let fixture = fixture().await;
    let mut known = Known::default();
    let (late, now) = in_flight(&fixture, &mut known).await;
    late.commit().await.unwrap();

    assert!(fold(&fixture, &mut known, now).await.is_idle());
    known.doubt();
    let folded = fold(&fixture, &mut known, now).await;
    assert_eq!((folded.assigned, folded.events), (1, 1));
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn what_commits_as_inserts_do_is_taken_at_once() {
    let fixture = fixture().await;
    let mut known = Known::default();
    let (late, now) = in_flight(&fixture, &mut known).await;
    late.rollback().await.unwrap();

    let mut late = fixture.store().pool.begin().await.unwrap();
    fixture.land_on(&mut late, &[purchase(2, 20, now)]).await;
    fixture.land(&[purchase(3, 30, now)]).await;
    let mut fold_in = async |secs| {
        let now = now + TimeDelta::seconds(secs);
        fold(&fixture, &mut known, now).await.events
    };
    assert_eq!(fold_in(59).await, 1);
    assert_eq!(fold_in(60).await, 0);
    late.commit().await.unwrap();
    assert_eq!(fold_in(61).await, 1);
}

/// Entries of the queues' indexes, landing and counts, that this session was given, of dead rows too.
async fn entries_read(tx: &mut PgConnection) -> (i64, i64) {
    sqlx::query_as(
        "select pg_stat_get_xact_tuples_returned('experiment_landing_pkey'::regclass),
             pg_stat_get_xact_tuples_returned('experiment_assigned_counts_pkey'::regclass)",
    )
    .fetch_one(tx)
    .await
    .unwrap()
}

#[tokio::test]
async fn while_somebody_reads_for_long_a_round_does_not_pass_all_that_was_folded_since() {
    let fixture = fixture().await;
    let mut reader = fixture.store().pool.begin().await.unwrap();
    sqlx::raw_sql("set transaction isolation level repeatable read; select from experiments")
        .execute(&mut *reader)
        .await
        .unwrap();
    let mut known = Known::default();
    let mut now = fixture.start;
    for minute in 0..4_u32 {
        now = fixture.start + TimeDelta::minutes(i64::from(minute));
        let ids = u128::from(minute) * 1000..u128::from(minute + 1) * 1000;
        let events: Vec<Event> = ids.map(|id| purchase(1, id, now)).collect();
        fixture.land(&events).await;
        for unit in 0..100 {
            fixture.assign(minute * 100 + unit, now, true).await;
        }
        fold(&fixture, &mut known, now).await;
    }
    fixture.land(&[purchase(1, 4000, now)]).await;

    let specs = RewardSpecs::default();
    let mut read = Vec::new();
    for secs in [59, 60] {
        let now = now + TimeDelta::seconds(secs);
        let mut tx = fixture.store().pool.begin().await.unwrap();
        let before = entries_read(&mut tx).await;
        round(&mut tx, &specs, &known, 10_000, now).await.unwrap();
        let after = entries_read(&mut tx).await;
        read.push((after.0 - before.0, after.1 - before.1));
        tx.rollback().await.unwrap();
    }
    let [bounded, whole] = read[..] else {
        panic!("two rounds")
    };
    // The newest minute's thousand and hundred, and the one event: twice, by the look and by the delete.
    assert_eq!(bounded, (1002, 100));
    assert_eq!(whole, (4002, 400));
    reader.rollback().await.unwrap();
}

#[tokio::test]
async fn what_waits_is_looked_for_from_the_front_on() {
    let fixture = fixture().await;
    let store = fixture.store();
    let at = fixture.start;
    fixture
        .land(&[purchase(1, 1, at), purchase(1, 2, at)])
        .await;
    let mut session = store.session().await.unwrap();
    let now = rows::now(&mut session).await.unwrap();
    drop(session);
    let mut front = Front::default();
    front.looked(now - TimeDelta::minutes(1), Some(2));
    front.looked(now, Some(3));
    let seen = async |front: &mut Front| {
        let seen = landing::waiting(store, front).await.unwrap();
        seen.map(|waiting| (waiting.first, waiting.rows()))
    };
    assert_eq!(seen(&mut front).await, Some((2, 1)));
    front.doubt();
    assert_eq!(seen(&mut front).await, Some((1, 2)));
    fixture.fold(at).await;
    assert_eq!(seen(&mut front).await, None);
    fixture.land(&[purchase(1, 3, at)]).await;
    assert_eq!(seen(&mut front).await, Some((3, 1)));
}
