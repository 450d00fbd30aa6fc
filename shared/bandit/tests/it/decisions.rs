//! What a unit gets in every state, with and without a recorded assignment.

use crate::common::{arm, running, serving, serving_with, unit};
use bandit::allocation::Allocation;
use bandit::assign::{
    Decision, Honoured, InvalidServing, Reason, Serving, ServingLane, Stored, decide, draw, honour,
    trace,
};
use bandit::experiment::{Arm, ArmId, LaneId, RunState, Share, Version};
use bandit::spec::model::{Attributes, OnQuarantine};
use bandit::targeting::{Matcher, Targeting};
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

/// Only units whose `plan` is `pro` are eligible.
fn for_pro(serving: Serving) -> Serving {
    let matcher = Matcher {
        any_of: vec!["pro".into()],
        ..Matcher::default()
    };
    let mut serving = serving;
    serving.targeting = Targeting([("plan".to_owned(), matcher)].into());
    serving
}

fn plan(name: &str) -> Attributes {
    [("plan".to_owned(), name.into())].into()
}

#[test]
fn new_units_draw_only_while_running() {
    let nothing = Attributes::new();
    let drawn = draw(&serving(&[0.5, 0.5]), &unit(1));
    assert_eq!(
        decide(&in_state(running()), &unit(1), &nothing),
        Decision::Draw {
            lane: drawn.lane,
            arm: drawn.arm,
            version: Version(4),
            propensity: 0.5
        }
    );
    for state in idle_states() {
        let got = decide(&in_state(state), &unit(1), &nothing);
        assert_eq!(
            got,
            Decision::Control {
                reason: Reason::NotRunning
            }
        );
    }
    let got = decide(&in_state(shipped()), &unit(1), &nothing);
    assert_eq!(got, Decision::Shipped { arm: ArmId(1) });
}

#[test]
fn targeting_is_looked_at_before_traffic() {
    let control = |reason| Decision::Control { reason };
    let nobody = for_pro(serving_with(&[0.5, 0.5], 0.0, 0.0));
    assert_eq!(
        decide(&nobody, &unit(1), &plan("free")),
        control(Reason::NotEligible)
    );
    assert_eq!(
        decide(&nobody, &unit(1), &Attributes::new()),
        control(Reason::NotEligible)
    );
    assert_eq!(
        decide(&nobody, &unit(1), &plan("pro")),
        control(Reason::OutOfTraffic)
    );
}

#[test]
fn a_trace_decides_as_serving_does_and_shows_every_step() {
    for traffic in [0.0, 0.5, 1.0] {
        for number in 0..200 {
            let serving = for_pro(serving_with(&[0.2, 0.3, 0.5], traffic, 0.3));
            for attributes in [plan("pro"), plan("free")] {
                let (decision, steps) = trace(&serving, &unit(number), Some(&attributes));
                assert_eq!(decision, decide(&serving, &unit(number), &attributes));
                let names: Vec<&str> = steps.iter().map(|step| step.step).collect();
                assert_eq!(
                    names,
                    ["state", "targeting", "traffic", "lane", "arm", "result"]
                );
            }
        }
    }
}

#[test]
fn a_trace_reads_like_this() {
    let serving = for_pro(serving_with(&[0.2, 0.3, 0.5], 0.9, 0.1));
    let (_, steps) = trace(&serving, &unit(3), None);
    let lines: Vec<String> = steps
        .iter()
        .map(|step| format!("{}: {} -> {}", step.step, step.detail, step.outcome))
        .collect();
    assert_eq!(lines, TRACE_OF_UNIT_3);
}

/// Also pins the hashes: if one of these buckets moves, every unit of every installation does.
const TRACE_OF_UNIT_3: [&str; 6] = [
    "state: running since 1970-01-01T00:00:00Z -> draws new units",
    "targeting: 1 condition not checked: attributes are not stored -> taken as eligible",
    "traffic: bucket 0.299929 < traffic 0.9 -> in",
    "lane: bucket 0.793657 in holdback 0.000000..0.100000, main 0.100000..1.000000 -> main, version 4",
    "arm: bucket 0.327561 in this unit's order arm-2 0.000000..0.500000, arm-1 0.500000..0.800000, \
     arm-0 0.800000..1.000000 -> arm-2 with probability 0.500000",
    "result: recorded in lane main -> arm-2 (split)",
];

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

/// Control alone is drawn; arm 1 is quarantined.
fn quarantined(state: RunState, on_quarantine: OnQuarantine) -> Serving {
    let alone = serving(&[1.0]);
    let held = Arm {
        quarantined: true,
        ..arm(ArmId(1))
    };
    Serving::new(
        alone.key,
        state,
        vec![arm(ArmId(0)), held],
        alone.targeting,
        Share::ALL,
        alone.lanes,
        alone.salt,
    )
    .unwrap()
    .with_on_quarantine(on_quarantine)
}

#[test]
fn units_of_a_quarantined_arm_keep_it_or_get_control_as_declared() {
    let paused = RunState::Paused {
        since: DateTime::UNIX_EPOCH,
        by: "ana".to_owned(),
        why: "because".to_owned(),
    };
    for state in [running(), paused] {
        let keep = quarantined(state.clone(), OnQuarantine::Keep);
        check_honoured(&keep, 1, 1, Reason::Sticky);
        let control = quarantined(state, OnQuarantine::Control);
        check_honoured(&control, 1, 0, Reason::ArmQuarantined);
        check_honoured(&control, 0, 0, Reason::Sticky);
    }
    let mut gone = quarantined(running(), OnQuarantine::Keep);
    gone.arms[1].retired = true;
    check_honoured(&gone, 1, 0, Reason::ArmRetired);
    check_honoured(
        &quarantined(shipped(), OnQuarantine::Control),
        0,
        1,
        Reason::Shipped,
    );
}

#[test]
fn nobody_new_draws_a_quarantined_arm() {
    let serving = quarantined(running(), OnQuarantine::Keep);
    for it in 0..100 {
        assert_eq!(draw(&serving, &unit(it)).arm, ArmId(0));
    }
    let (_, steps) = trace(&serving, &unit(1), None);
    let arm_step = steps.iter().find(|step| step.step == "arm").unwrap();
    assert!(
        arm_step
            .detail
            .ends_with("; arm-1 is not drawn (arm_quarantined)"),
        "{}",
        arm_step.detail
    );
    let even = Allocation::even(&[ArmId(0), ArmId(1)]).unwrap();
    let mut lanes = serving.lanes.clone();
    lanes[0].allocation = even;
    let drawn = Serving::new(
        serving.key,
        serving.state,
        serving.arms,
        serving.targeting,
        Share::ALL,
        lanes,
        serving.salt,
    );
    assert!(matches!(
        drawn,
        Err(InvalidServing::ClosedArm { arm: ArmId(1), .. })
    ));
}

#[test]
fn a_stored_draw_is_drawn_again_after_its_arm_was_retired() {
    let then = serving(&[0.1, 0.9]);
    let drawn: Vec<ArmId> = (0..100).map(|it| draw(&then, &unit(it)).arm).collect();
    let mut retired = arm(ArmId(1));
    retired.retired = true;
    let mut now = serving(&[1.0]);
    now = Serving::new(
        now.key,
        now.state,
        vec![arm(ArmId(0)), retired],
        now.targeting,
        Share::NONE,
        now.lanes,
        now.salt,
    )
    .unwrap();
    let replayed = now.replayed(then.traffic, then.lanes.clone()).unwrap();
    let again: Vec<ArmId> = (0..100).map(|it| draw(&replayed, &unit(it)).arm).collect();
    assert_eq!(drawn, again);
    assert!(now.replayed(Share::ALL, vec![]).is_err());
}

#[test]
fn refuses_to_serve_what_makes_no_sense() {
    let lane = |arms: &[u16], share: f64| ServingLane {
        id: LaneId::MAIN,
        name: "main".parse().unwrap(),
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
