//! Units whose window is open, counted with their outcomes so far.

use super::{assert_verified, busy, purchase, refund, total};
use crate::workers::fixture::{CHECKOUT, Event, Fixture, hours};

const RATED: &str = r#"
[[experiment]]
key = "movies"
arms = ["popular", "recent"]
control = "popular"

[experiment.reward]
scaled = { event = "rating", min = 1, max = 5, aggregate = "last", default = 2 }
negative = "refund"
direction = "decrease"
window = "24h"
"#;

/// A rating that is the default, one that is not, one that is taken back, and three units without any.
fn rated(fixture: &Fixture) -> Vec<Event> {
    let rating = |number: u32, value: f64| Event {
        name: "rating",
        value: Some(value),
        ..purchase(number, u128::from(number), fixture.start + hours(1))
    };
    vec![
        rating(1, 2.0),
        rating(2, 5.0),
        rating(3, 1.0),
        refund(3, 33, fixture.start + hours(2)),
    ]
}

#[tokio::test]
async fn units_in_flight_are_those_whose_outcome_is_not_that_of_silence() {
    let fixture = Fixture::start(RATED).await;
    let units: Vec<u32> = (1..=6).collect();
    fixture.assign_all(&units, fixture.start, true).await;
    fixture.land(&rated(&fixture)[..3]).await;
    fixture.fold(fixture.start + hours(1)).await;
    let sum = total(&fixture).await;
    // Less is better: 5 stars are worth 0, 1 star is worth 1, and no rating counts as 2 stars, 0.75.
    assert_eq!(
        (sum.early, sum.early_sum_micro, sum.early_sq_sum_micro),
        (2, 1_000_000, 1_000_000)
    );
    assert_verified(&fixture).await;
    fixture.land(&rated(&fixture)[3..]).await;
    fixture.fold(fixture.start + hours(2)).await;
    let sum = total(&fixture).await;
    assert_eq!(
        (sum.early, sum.early_sum_micro, sum.early_sq_sum_micro),
        (1, 0, 0)
    );
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn a_database_from_before_units_in_flight_were_counted_verifies_after_its_upgrade() {
    for text in [CHECKOUT, RATED] {
        let fixture = Fixture::start(text).await;
        let units: Vec<u32> = (0..120).collect();
        fixture.assign_all(&units, fixture.start, true).await;
        fixture.land(&busy(fixture.start, 3)).await;
        fixture.land(&rated(&fixture)).await;
        fixture.fold(fixture.start + hours(12)).await;
        let kept = fixture.ledgers().await;
        assert!(total(&fixture).await.early > 0);
        fixture
            .execute(
                "alter table experiment_bandit_state
                 drop column early, drop column early_sum_micro, drop column early_sq_sum_micro",
            )
            .await;
        fixture
            .execute("drop index experiment_rewards_so_far")
            .await;
        sqlx::raw_sql(include_str!("../../../../../migrations/0010_in_flight.sql"))
            .execute(&fixture.store().pool)
            .await
            .unwrap();
        assert_eq!(fixture.ledgers().await, kept);
        assert_verified(&fixture).await;
    }
}
