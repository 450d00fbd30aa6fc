//! From events to one outcome per unit.

use bandit::experiment::Millis;
use bandit::reward::EventVerdict::{Counted, Early, Late, NotReward, OverCap};
use bandit::reward::{EventVerdict, UnitEvent, event_time, of_silence, outcome};
use bandit::spec::model::{Aggregate, Credit, Direction, OutcomeSpec, RewardSpec, SuccessSpec};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::common::same_cases;

const MINUTE: i64 = 60;

fn exposed_at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// A conversion within an hour, or a purchase of at least 10; refunds revoke.
fn binary() -> RewardSpec {
    let success = |event: &str, min| SuccessSpec {
        event: event.to_owned(),
        min,
    };
    RewardSpec {
        outcome: OutcomeSpec::Binary {
            success: vec![success("conversion", None), success("purchase", Some(10.0))],
        },
        negative: vec!["refund".to_owned()],
        window: Millis(3_600_000),
        grace: Millis(60_000),
        credit: Credit::Matured,
        direction: Direction::Increase,
        max_events_per_unit: 3,
    }
}

/// A rating from 1 to 5, 1 for units that do not rate.
fn scaled(aggregate: Aggregate) -> RewardSpec {
    RewardSpec {
        outcome: OutcomeSpec::Scaled {
            event: "rating".to_owned(),
            aggregate,
            min: 1.0,
            max: 5.0,
            default: 1.0,
        },
        ..binary()
    }
}

fn at(seconds: i64, event: &str, value: Option<f64>) -> UnitEvent<'_> {
    UnitEvent {
        event,
        value,
        at: exposed_at() + TimeDelta::seconds(seconds),
        event_id: 7,
    }
}

fn plain(seconds: i64, event: &str) -> UnitEvent<'_> {
    at(seconds, event, None)
}

fn rating(seconds: i64, value: f64) -> UnitEvent<'static> {
    at(seconds, "rating", Some(value))
}

#[track_caller]
fn check(spec: &RewardSpec, events: &[UnitEvent], reward_micro: i32, verdicts: &[EventVerdict]) {
    let got = outcome(spec, exposed_at(), events);
    assert_eq!(
        (got.reward_micro, got.verdicts.as_slice()),
        (reward_micro, verdicts)
    );
}

#[test]
fn a_unit_without_events_failed() {
    check(&binary(), &[], 0, &[]);
    check(&scaled(Aggregate::Sum), &[], 0, &[]);
}

#[test]
fn any_success_is_one_outcome_however_often_it_comes() {
    check(&binary(), &[plain(5, "conversion")], 1_000_000, &[Counted]);
    check(
        &binary(),
        &[
            plain(5, "conversion"),
            plain(5, "conversion"),
            at(9, "purchase", Some(10.0)),
        ],
        1_000_000,
        &[Counted; 3],
    );
}

#[test]
fn a_success_with_a_least_value_needs_that_value() {
    let small = at(5, "purchase", Some(9.99));
    let unknown = plain(5, "purchase");
    let nan = at(5, "purchase", Some(f64::NAN));
    check(&binary(), &[small, unknown, nan], 0, &[NotReward; 3]);
}

#[test]
fn other_events_are_not_rewards() {
    check(
        &binary(),
        &[plain(5, "page_view"), plain(9_999, "page_view")],
        0,
        &[NotReward; 2],
    );
}

#[test]
fn events_count_from_two_minutes_before_exposure_to_the_end_of_the_window() {
    for (seconds, reward, verdict) in [
        (-2 * MINUTE - 1, 0, Early),
        (-2 * MINUTE, 1_000_000, Counted),
        (60 * MINUTE, 1_000_000, Counted),
        (60 * MINUTE + 1, 0, Late),
    ] {
        check(
            &binary(),
            &[plain(seconds, "conversion")],
            reward,
            &[verdict],
        );
    }
}

#[test]
fn a_refund_revokes_what_came_before_it() {
    let conversion = plain(10, "conversion");
    check(
        &binary(),
        &[conversion, plain(20, "refund")],
        0,
        &[Counted; 2],
    );
    check(
        &binary(),
        &[conversion, plain(5, "refund")],
        1_000_000,
        &[Counted; 2],
    );
    check(
        &binary(),
        &[conversion, plain(20, "refund"), plain(30, "conversion")],
        1_000_000,
        &[Counted; 3],
    );
    // at the same instant, the refund is of that very conversion
    check(
        &binary(),
        &[plain(10, "refund"), conversion],
        0,
        &[Counted; 2],
    );
    check(
        &binary(),
        &[conversion, plain(61 * MINUTE, "refund")],
        1_000_000,
        &[Counted, Late],
    );
}

#[test]
fn events_over_the_cap_are_not_looked_at_but_a_refund_always_is() {
    let events = [
        rating(1, 2.0),
        rating(4, 5.0),
        rating(2, 3.0),
        rating(3, 4.0),
    ];
    check(
        &scaled(Aggregate::Max),
        &events,
        750_000,
        &[Counted, OverCap, Counted, Counted],
    );
    let mut refunded = events.to_vec();
    refunded.push(plain(9, "refund"));
    let got = outcome(&scaled(Aggregate::Max), exposed_at(), &refunded);
    assert_eq!((got.reward_micro, got.verdicts[4]), (0, Counted));
}

#[test]
fn scaled_values_are_aggregated_clipped_and_scaled() {
    let events = [rating(2, 2.0), rating(1, 4.0), rating(3, 3.0)];
    for (aggregate, want) in [
        (Aggregate::First, 750_000),
        (Aggregate::Last, 500_000),
        (Aggregate::Max, 750_000),
        (Aggregate::Sum, 1_000_000),
    ] {
        check(&scaled(aggregate), &events, want, &[Counted; 3]);
    }
    check(&scaled(Aggregate::Max), &[rating(1, -9.0)], 0, &[Counted]);
    check(
        &scaled(Aggregate::Max),
        &[rating(1, f64::NAN), plain(1, "rating")],
        0,
        &[NotReward; 2],
    );
}

#[test]
fn less_is_better_where_the_spec_says_so() {
    let flipped = |spec| RewardSpec {
        direction: Direction::Decrease,
        ..spec
    };
    check(&flipped(binary()), &[plain(1, "conversion")], 0, &[Counted]);
    check(&flipped(binary()), &[], 1_000_000, &[]);
    check(
        &flipped(scaled(Aggregate::Max)),
        &[rating(1, 2.0)],
        750_000,
        &[Counted],
    );
}

#[test]
fn client_times_are_taken_within_the_skew_and_not_beyond() {
    let received = exposed_at();
    for (seconds, taken) in [
        (-24 * 60 * MINUTE, true),
        (-24 * 60 * MINUTE - 1, false),
        (0, true),
        (2 * MINUTE, true),
        (2 * MINUTE + 1, false),
    ] {
        let claimed = received + TimeDelta::seconds(seconds);
        let want = if taken { claimed } else { received };
        assert_eq!(event_time(Some(claimed), received), want, "{seconds} s");
    }
    assert_eq!(event_time(None, received), received);
    assert_eq!(
        event_time(Some(DateTime::<Utc>::MIN_UTC), received),
        received
    );
    assert_eq!(
        event_time(Some(DateTime::<Utc>::MAX_UTC), received),
        received
    );
}

fn any_event() -> impl Strategy<Value = UnitEvent<'static>> {
    let name = prop_oneof![
        Just("conversion"),
        Just("purchase"),
        Just("refund"),
        Just("rating"),
        Just("view")
    ];
    // few instants and ids, so that they meet
    (name, prop::option::of(-2.0..12.0_f64), -4..64_i64).prop_map(|(event, value, minutes)| {
        UnitEvent {
            event,
            value,
            at: exposed_at() + TimeDelta::minutes(minutes),
            event_id: 0,
        }
    })
}

fn any_spec() -> impl Strategy<Value = RewardSpec> {
    let any_outcome = prop_oneof![
        Just(binary()),
        Just(scaled(Aggregate::First)),
        Just(scaled(Aggregate::Last)),
        Just(scaled(Aggregate::Max)),
        Just(scaled(Aggregate::Sum)),
    ];
    (any_outcome, any::<bool>(), 1..5_u32).prop_map(|(spec, decrease, most)| RewardSpec {
        direction: if decrease {
            Direction::Decrease
        } else {
            Direction::Increase
        },
        max_events_per_unit: most,
        ..spec
    })
}

/// Events with ids of their own.
fn any_events() -> impl Strategy<Value = Vec<UnitEvent<'static>>> {
    prop::collection::vec(any_event(), 0..12).prop_map(|mut events| {
        for (event, id) in events.iter_mut().zip(0..) {
            event.event_id = id;
        }
        events
    })
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn the_order_of_arrival_changes_nothing(
        spec in any_spec(),
        (events, shuffled) in prop::collection::vec(any_event(), 0..12).prop_flat_map(|mut events| {
            for (event, id) in events.iter_mut().zip(0..) {
                event.event_id = id;
            }
            (Just(events.clone()), Just(events).prop_shuffle())
        }),
    ) {
        let here = outcome(&spec, exposed_at(), &events);
        let there = outcome(&spec, exposed_at(), &shuffled);
        prop_assert_eq!(here.reward_micro, there.reward_micro);
        for (event, verdict) in shuffled.iter().zip(&there.verdicts) {
            prop_assert_eq!(here.verdicts[event.event_id as usize], *verdict);
        }
    }

    #[test]
    fn an_outcome_is_a_share_and_uncounted_events_do_not_change_it(
        spec in any_spec(),
        events in prop::collection::vec(any_event(), 0..12),
    ) {
        let all = outcome(&spec, exposed_at(), &events);
        prop_assert!((0..=1_000_000).contains(&all.reward_micro));
        prop_assert_eq!(all.verdicts.len(), events.len());
        let counted: Vec<UnitEvent> = events
            .iter()
            .zip(&all.verdicts)
            .filter(|(_, verdict)| **verdict == Counted)
            .map(|(event, _)| *event)
            .collect();
        prop_assert_eq!(outcome(&spec, exposed_at(), &counted).reward_micro, all.reward_micro);
    }

    #[test]
    fn less_is_better_is_the_mirror_of_more_is_better(spec in any_spec(), events in any_events()) {
        let other = RewardSpec {
            direction: match spec.direction {
                Direction::Increase => Direction::Decrease,
                Direction::Decrease => Direction::Increase,
            },
            ..spec.clone()
        };
        let here = outcome(&spec, exposed_at(), &events);
        let there = outcome(&other, exposed_at(), &events);
        prop_assert_eq!(here.reward_micro + there.reward_micro, 1_000_000);
        prop_assert_eq!(here.verdicts, there.verdicts);
    }

    #[test]
    fn after_a_refund_within_the_window_it_is_as_if_nothing_had_come(
        spec in any_spec(),
        mut events in any_events(),
    ) {
        // a flood of events before it does not put it over the cap
        events.push(UnitEvent { event_id: 99, ..plain(60 * MINUTE, "refund") });
        let got = outcome(&spec, exposed_at(), &events);
        prop_assert_eq!(got.reward_micro, of_silence(&spec));
        prop_assert_eq!(got.verdicts.last(), Some(&Counted));
    }

    #[test]
    fn no_more_events_than_the_cap_raise_an_outcome(spec in any_spec(), events in any_events()) {
        let got = outcome(&spec, exposed_at(), &events);
        let counted = events
            .iter()
            .zip(&got.verdicts)
            .filter(|(event, verdict)| event.event != "refund" && **verdict == Counted)
            .count();
        prop_assert!(counted <= spec.max_events_per_unit as usize);
        let over = got.verdicts.contains(&OverCap);
        prop_assert!(!over || counted == spec.max_events_per_unit as usize);
    }

    #[test]
    fn what_lies_outside_the_window_is_said_to(spec in any_spec(), events in any_events()) {
        let got = outcome(&spec, exposed_at(), &events);
        for (event, verdict) in events.iter().zip(&got.verdicts) {
            let since = event.at - exposed_at();
            match verdict {
                Late => prop_assert!(since > spec.window.to_chrono()),
                Early => prop_assert!(since < -TimeDelta::minutes(2)),
                Counted | OverCap => {
                    prop_assert!((-TimeDelta::minutes(2)..=spec.window.to_chrono()).contains(&since));
                }
                NotReward => {}
            }
        }
    }
}
