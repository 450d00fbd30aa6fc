//! A round has its whole effect once or none, whoever dies, runs beside it or no longer leads.

use bandit::posterior::ArmStats;

use super::{assert_verified, busy, fixture, total};
use crate::store::{TxFuture, leases};
use crate::workers::fixture::hours;
use crate::workers::fold::{BATCH, FoldError, Known, RewardSpecs, led_round, round};

#[tokio::test]
async fn a_round_that_dies_before_commit_has_no_effect_and_the_next_one_has_it_once() {
    let fixture = fixture().await;
    let units: Vec<u32> = (0..120).collect();
    fixture.assign_all(&units, fixture.start, true).await;
    fixture.land(&busy(fixture.start, 5)).await;
    let before = fixture.ledgers().await;
    let specs = RewardSpecs::default();
    let now = fixture.start + hours(25);
    for _ in 0..3 {
        let mut tx = fixture.store().pool.begin().await.unwrap();
        let folded = round(&mut tx, &specs, &Known::default(), 10_000, now)
            .await
            .unwrap();
        assert!(!folded.is_idle());
        tx.rollback().await.unwrap();
        assert_eq!(fixture.ledgers().await, before);
    }
    fixture.fold(now).await;
    let once = fixture.ledgers().await;
    assert_verified(&fixture).await;
    assert!(fixture.fold(now).await.is_idle());
    assert_eq!(fixture.ledgers().await, once);
}

#[tokio::test]
async fn two_folds_at_once_have_every_effect_once() {
    let fixture = fixture().await;
    let units: Vec<u32> = (0..120).collect();
    fixture.assign_all(&units, fixture.start, true).await;
    fixture.land(&busy(fixture.start, 9)).await;
    let now = fixture.start + hours(25);
    let fold_in_batches_of = async |batch| {
        while !fixture.fold_batch(now, batch).await.unwrap().is_idle() {}
    };
    tokio::join!(fold_in_batches_of(13), fold_in_batches_of(29));
    fixture.fold(now).await;
    let sum = total(&fixture).await;
    assert_eq!((sum.assigned, sum.exposed, sum.resolved), (120, 120, 120));
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn a_deposed_leader_writes_nothing() {
    let fixture = fixture().await;
    let store = fixture.store();
    let old = store.take_lease("fold", "a").await.unwrap().unwrap();
    assert!(store.take_lease("fold", "b").await.unwrap().is_none());
    let renewed = store.take_lease("fold", "a").await.unwrap().unwrap();
    assert_eq!(renewed, old, "a renewal keeps its term");

    fixture
        .execute("update leases set expires_at = now() - interval '1 second'")
        .await;
    let new = store.take_lease("fold", "b").await.unwrap().unwrap();
    assert!(new.term > old.term);
    fixture.assign(1, fixture.start, true).await;
    let specs = RewardSpecs::default();
    let known = Known::default();
    let refused = led_round(store, &specs, &known, &old).await;
    assert!(matches!(refused, Err(FoldError::Deposed(_))));
    assert_eq!(total(&fixture).await, ArmStats::default());
    let folded = led_round(store, &specs, &known, &new).await.unwrap();
    assert_eq!(folded.assigned, 1);

    store.release_lease(&new).await.unwrap();
    assert!(store.take_lease("fold", "a").await.unwrap().is_some());
    let mut tx = store.pool.begin().await.unwrap();
    assert!(leases::confirm(&mut tx, &new).await.unwrap().is_err());
}

/// The leader is stopped when it has written everything and has not asked for its lease yet.
#[tokio::test]
async fn a_leader_that_is_stopped_in_the_middle_of_its_transaction_writes_nothing() {
    let fixture = fixture().await;
    let store = fixture.store();
    let old = store.take_lease("fold", "a").await.unwrap().unwrap();
    fixture.assign(1, fixture.start, true).await;
    let specs = RewardSpecs::default();
    let known = Known::default();
    let (written, has_written) = tokio::sync::oneshot::channel();
    let (resume, resumed) = tokio::sync::oneshot::channel::<()>();
    let mut stop = Some((written, resumed));
    let stopped = store.run_led_tx("fold", &old, |tx| {
        let (specs, known, stop) = (&specs, &known, stop.take());
        TxFuture::new(async move {
            // Rows that it holds are free again even if it never wakes up.
            let patience = "show idle_in_transaction_session_timeout";
            let patience = sqlx::query_scalar::<_, String>(patience).fetch_one(&mut *tx);
            assert_eq!(patience.await.unwrap(), "10s");
            let folded = round(tx, specs, known, BATCH, fixture.start).await?;
            let (written, resumed) = stop.expect("it is run once");
            written.send(folded.assigned).unwrap();
            let _ = resumed.await;
            Ok::<_, FoldError>(folded)
        })
    });
    let next = async {
        assert_eq!(has_written.await.unwrap(), 1);
        fixture
            .execute("update leases set expires_at = now() - interval '1 second'")
            .await;
        let new = store.take_lease("fold", "b").await.unwrap().unwrap();
        resume.send(()).unwrap();
        new
    };
    let (refused, new) = tokio::join!(stopped, next);
    assert!(matches!(refused, Err(FoldError::Deposed(_))));
    assert_eq!(total(&fixture).await, ArmStats::default());
    let folded = led_round(store, &specs, &known, &new).await.unwrap();
    assert_eq!(folded.assigned, 1);
    assert_verified(&fixture).await;
}
