//! Rounds that know when windows began close the same ones as rounds that look everywhere.

use bandit::posterior::ArmStats;
use chrono::{DateTime, Utc};

use super::{Known, RewardSpecs, assert_verified, fixture, round, total};
use crate::store::{StoreError, TxFuture};
use crate::workers::fixture::{Fixture, hours};
use crate::workers::fold::{FoldError, Folded};

/// A round that goes on from `known`.
pub(super) async fn fold(fixture: &Fixture, known: &mut Known, now: DateTime<Utc>) -> Folded {
    let specs = &RewardSpecs::default();
    let before = &*known;
    let folded: Result<Folded, FoldError> = fixture
        .store()
        .run_tx("fold", |tx| {
            TxFuture::new(async move { round(tx, specs, before, 10_000, now).await })
        })
        .await;
    let folded = folded.unwrap();
    known.clone_from(&folded.known);
    folded
}

#[tokio::test]
async fn windows_that_began_since_the_last_look_are_closed_in_time() {
    let fixture = fixture().await;
    let mut known = Known::default();
    fixture.assign(1, fixture.start, true).await;
    fixture.assign(2, fixture.start, false).await;
    assert_eq!(fold(&fixture, &mut known, fixture.start).await.closed, 0);
    // Less than a minute later, so nothing is read again.
    let soon = fixture.start + hours(25) - chrono::TimeDelta::seconds(20);
    fold(&fixture, &mut known, soon).await;
    fixture.expose(2, fixture.start).await;
    fixture.assign(3, fixture.start, true).await;
    let later = soon + chrono::TimeDelta::seconds(20);
    assert_eq!(fold(&fixture, &mut known, later).await.closed, 3);
    assert!(known.openings.iter().next().is_none(), "none is open");
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn a_round_that_was_given_up_teaches_nothing() {
    let fixture = fixture().await;
    fixture.assign(1, fixture.start, true).await;
    let known = Known::default();
    let over = fixture.start + hours(25);
    let mut tx = fixture.store().pool.begin().await.unwrap();
    let specs = RewardSpecs::default();
    let folded = round(&mut tx, &specs, &known, 10_000, over).await;
    assert_eq!(folded.unwrap().closed, 1);
    tx.rollback().await.map_err(StoreError::from).unwrap();
    assert_eq!(total(&fixture).await, ArmStats::default());
    let mut known = known;
    assert_eq!(fold(&fixture, &mut known, over).await.closed, 1);
    assert_eq!(total(&fixture).await.resolved, 1);
}
