//! What a unit gets in every state, with and without a recorded assignment.

use crate::common::{arm, running, serving};
use bandit::allocation::Allocation;
use bandit::assign::{Honoured, InvalidServing, Reason, Serving, ServingLane, Stored, honour};
use bandit::experiment::{ArmId, LaneId, RunState, Share, Version};
use bandit::targeting::Targeting;
use chrono::DateTime;

/// Every state that does not draw, with the arm that was chosen for everyone, if any.
fn idle_states() -> Vec<RunState> {
    let since = DateTime::UNIX_EPOCH;
    let (by, why) = ("ana".to_owned(), "because".to_owned());
    vec![
        RunState::Draft,
        RunState::Paused {
            since,
            by: by.clone(),
            why: why.clone(),
        },
        RunState::Stopped {
            since,
            by: by.clone(),
            why: why.clone(),
            shipped: None,
        },
        RunState::RolledBack { since, by, why },
        RunState::Archived { since },
    ]
}

fn shipped() -> RunState {
    RunState::Stopped {
        since: DateTime::UNIX_EPOCH,
        by: "ana".to_owned(),
        why: "won".to_owned(),
        shipped: Some(ArmId(1)),
    }
}

fn in_state(state: RunState) -> Serving {
    let mut serving = serving(&[0.5, 0.5]);
    serving.state = state;
    serving
}

#[track_caller]
fn check_honoured(serving: &Serving, stored_arm: u16, arm: u16, reason: Reason) {
    let stored = Stored {
        lane: LaneId::MAIN,
        arm: ArmId(stored_arm),
        version: Version(1),
    };
    let want = Honoured {
        arm: ArmId(arm),
        reason,
    };
    assert_eq!(honour(serving, stored), want, "{}", serving.state.name());
}

#[test]
fn stored_units_keep_their_arm_while_running_or_paused() {
    check_honoured(&in_state(running()), 1, 1, Reason::Sticky);
    for state in idle_states() {
        let (arm, reason) = match state {
            RunState::Paused { .. } => (1, Reason::Sticky),
            _ => (0, Reason::NotRunning),
        };
        check_honoured(&in_state(state), 1, arm, reason);
    }
    check_honoured(&in_state(shipped()), 0, 1, Reason::Shipped);
}

#[test]
fn units_of_a_retired_or_unknown_arm_get_control() {
    let mut serving = serving(&[1.0]);
    let mut gone = arm(ArmId(5));
    gone.retired = true;
    serving.arms.push(gone);
    check_honoured(&serving, 5, 0, Reason::ArmRetired);
    check_honoured(&serving, 9, 0, Reason::ArmRetired);
}

#[test]
fn refuses_to_serve_what_makes_no_sense() {
    let lane = |arms: &[u16], share: f64| ServingLane {
        id: LaneId::MAIN,
        share: Share::new(share).unwrap(),
        version: Version(1),
        allocation: Allocation::even(&arms.iter().map(|&id| ArmId(id)).collect::<Vec<_>>())
            .unwrap(),
    };
    let check = |arms: Vec<u16>, state: RunState, lanes: Vec<ServingLane>| {
        Serving::new(
            "k".parse().unwrap(),
            state,
            arms.into_iter().map(|id| arm(ArmId(id))).collect(),
            Targeting::default(),
            Share::ALL,
            lanes,
            "k".to_owned(),
        )
    };
    let of = |arms: &[u16], lanes| check(arms.to_vec(), running(), lanes);
    assert!(of(&[0, 1], vec![lane(&[0, 1], 1.0)]).is_ok());
    assert!(matches!(
        of(&[], vec![]),
        Err(InvalidServing::ArmCount { .. })
    ));
    assert!(matches!(
        of(&[1, 0], vec![]),
        Err(InvalidServing::ArmOrder(_))
    ));
    assert!(matches!(
        of(&[1, 2], vec![]),
        Err(InvalidServing::Control(_))
    ));
    assert!(matches!(
        of(&[0, 1], vec![]),
        Err(InvalidServing::LaneShares { .. })
    ));
    assert!(matches!(
        of(&[0, 1], vec![lane(&[0, 1], 0.5)]),
        Err(InvalidServing::LaneShares { .. })
    ));
    assert!(matches!(
        of(&[0, 1], vec![lane(&[0, 2], 1.0)]),
        Err(InvalidServing::ClosedArm { .. })
    ));
    assert!(matches!(
        check(vec![0], shipped(), vec![lane(&[0], 1.0)]),
        Err(InvalidServing::Shipped { .. })
    ));
}
