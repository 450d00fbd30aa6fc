//! One life told step by step, and what holds for every life.

use proptest::prelude::*;

use super::*;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn reported(severity: Severity) -> Happening {
    Happening::Reported {
        severity,
        pending: false,
    }
}

/// Follows one alert through `steps` and says what was told at which minute.
fn told(opened: &Episode, steps: &[(i64, Happening)]) -> Vec<(i64, Notice)> {
    let mut episode = opened.clone();
    let mut told = Vec::new();
    for (minute, happening) in steps {
        let (next, notice) = episode.after(*happening, at(*minute)).expect("it is legal");
        episode = next;
        told.extend(notice.map(|notice| (*minute, notice)));
    }
    told
}

#[test]
fn one_that_lasts_is_told_once_and_reminded_of_until_somebody_acks_it() {
    let (opened, notice) = Episode::open(Severity::Critical, true, None, at(0));
    assert_eq!((opened.state, notice), (State::Pending, None));
    let critical = reported(Severity::Critical);
    assert_eq!(
        told(
            &opened,
            &[
                (1, critical),
                (2, critical),
                (60, Happening::Waited),
                (61, Happening::Waited),
                (62, critical),
                (70, Happening::Acked),
                (500, critical),
                (501, Happening::Over),
            ]
        ),
        [
            (1, Notice::Firing),
            (61, Notice::Reminder),
            (501, Notice::Resolved)
        ]
    );
}

#[test]
fn a_silence_is_kept_until_it_ends_and_then_it_is_told_again() {
    let (opened, _) = Episode::open(Severity::Warning, false, None, at(0));
    let silenced = Happening::Silenced { until: at(120) };
    let warning = reported(Severity::Warning);
    assert_eq!(
        told(
            &opened,
            &[(1, silenced), (60, warning), (119, warning), (120, warning)]
        ),
        [(120, Notice::Firing)]
    );
    assert_eq!(
        told(&opened, &[(1, silenced), (60, Happening::Over)]),
        [(60, Notice::Resolved)],
        "who keeps state must not have it open for ever"
    );
}

#[test]
fn what_becomes_worse_is_told_although_it_was_acked() {
    let (opened, _) = Episode::open(Severity::Warning, false, None, at(0));
    assert_eq!(
        told(
            &opened,
            &[
                (1, Happening::Acked),
                (2, reported(Severity::Warning)),
                (3, reported(Severity::Critical)),
                (4, reported(Severity::Warning)),
            ]
        ),
        [(3, Notice::Firing)]
    );
}

#[test]
fn one_that_flaps_is_told_three_times_and_then_only_if_it_lasts() {
    let mut earlier = None;
    let mut firing = 0;
    for round in 0..20 {
        let start = round * 4;
        let (opened, notice) = Episode::open(Severity::Warning, false, earlier, at(start));
        firing += usize::from(notice.is_some());
        let (over, resolved) = opened.after(Happening::Over, at(start + 2)).unwrap();
        assert_eq!(resolved.is_some(), notice.is_some());
        earlier = Some(Earlier {
            resolved_at: at(start + 2),
            flaps: over.flaps,
        });
    }
    assert_eq!(firing, 3);
    let (lasting, notice) = Episode::open(Severity::Warning, false, earlier, at(80));
    assert_eq!(notice, None);
    assert_eq!(
        told(
            &lasting,
            &[(84, Happening::Waited), (85, Happening::Waited)]
        ),
        [(85, Notice::Firing)]
    );
    let (calm, notice) = Episode::open(Severity::Warning, false, earlier, at(90));
    assert_eq!((calm.flaps, notice), (0, Some(Notice::Firing)));
}

#[test]
fn what_cannot_be_is_refused() {
    let (opened, _) = Episode::open(Severity::Warning, false, None, at(0));
    let (acked, _) = opened.after(Happening::Acked, at(1)).unwrap();
    assert_eq!(acked.after(Happening::Acked, at(2)), Err(Illegal::Acked));
    let over = Happening::Silenced { until: at(2) };
    assert_eq!(opened.after(over, at(2)), Err(Illegal::SilenceOver));
    let (resolved, _) = opened.after(Happening::Over, at(1)).unwrap();
    for happening in [Happening::Acked, Happening::Over, Happening::Waited] {
        assert_eq!(resolved.after(happening, at(2)), Err(Illegal::Resolved));
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let severity = prop_oneof![Just(Severity::Warning), Just(Severity::Critical)];
    prop_oneof![
        4 => (severity, any::<bool>())
            .prop_map(|(severity, pending)| Happening::Reported { severity, pending }),
        1 => Just(Happening::Over),
        1 => Just(Happening::Acked),
        1 => (1_i64..2_000).prop_map(|minute| Happening::Silenced { until: at(minute) }),
        6 => Just(Happening::Waited),
    ]
}

proptest! {
    /// Whatever happens: nothing is told of what is silenced, reminders keep their distance, an end is told to those
    /// who were told of the beginning and to nobody else, and it is told last.
    #[test]
    fn people_are_told_enough_and_no_more(
        pending in any::<bool>(),
        flaps in 0_u32..6,
        steps in prop::collection::vec((1_i64..300, happening()), 1..80),
    ) {
        let earlier = Earlier { resolved_at: at(-1), flaps };
        let (mut episode, first) = Episode::open(Severity::Warning, pending, Some(earlier), at(0));
        let mut now = 0;
        let mut told: Vec<(i64, Notice)> = first.map(|notice| (0, notice)).into_iter().collect();
        for (wait, happening) in steps {
            now += wait;
            let before = episode.clone();
            let Ok((next, notice)) = episode.after(happening, at(now)) else {
                let said_by_hand = matches!(happening, Happening::Acked | Happening::Silenced { .. });
                prop_assert!(said_by_hand || episode.state == State::Resolved);
                continue;
            };
            if let Some(notice) = notice {
                if let State::Silenced { until } = before.state {
                    prop_assert!(notice == Notice::Resolved || at(now) >= until);
                }
                if notice == Notice::Reminder {
                    let last = told.last().expect("a reminder is not the first").0;
                    prop_assert!(now - last >= 60, "{last} {now}");
                    prop_assert_eq!(before.state, State::Firing);
                }
                if notice == Notice::Resolved {
                    prop_assert!(!told.is_empty());
                }
                told.push((now, notice));
            }
            prop_assert!(next.severity >= before.severity);
            prop_assert_eq!(next.told_at.is_some(), !told.is_empty());
            if next.state == State::Resolved && !told.is_empty() {
                prop_assert_eq!(told.last().map(|told| told.1), Some(Notice::Resolved));
            }
            episode = next;
        }
        let ends = told.iter().filter(|told| told.1 == Notice::Resolved).count();
        prop_assert!(ends <= 1);
    }
}
