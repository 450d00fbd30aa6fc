//! Builders that the tests of assignment share.

use bandit::allocation::Allocation;
use bandit::assign::{Serving, ServingLane, UnitKey};
use bandit::experiment::{Arm, ArmId, LaneId, RunState, Share, Version};
use bandit::targeting::Targeting;
use chrono::DateTime;
use proptest::test_runner::{Config, RngSeed};
use serde::de::DeserializeOwned;

/// The same random cases in every run, so that a failure is a change and never a chance.
pub(crate) fn same_cases() -> Config {
    Config {
        rng_seed: RngSeed::Fixed(2026),
        failure_persistence: None,
        ..Config::default()
    }
}

/// A running experiment over all traffic with one lane; arm 0 is the control.
pub(crate) fn serving(allocation: &[f64]) -> Serving {
    serving_with(allocation, 1.0, 0.0)
}

/// A running experiment with this traffic and holdback.
pub(crate) fn serving_with(allocation: &[f64], traffic: f64, holdback: f64) -> Serving {
    let ids: Vec<ArmId> = (0..allocation.len() as u16).map(ArmId).collect();
    let learned = ids.iter().copied().zip(allocation.iter().copied());
    let main = ServingLane {
        id: LaneId::MAIN,
        name: "main".parse().unwrap(),
        share: share(1.0 - holdback),
        version: Version(4),
        allocation: Allocation::new(learned.collect()).unwrap(),
    };
    let held_back = ServingLane {
        id: LaneId::HOLDBACK,
        name: "holdback".parse().unwrap(),
        share: share(holdback),
        version: Version(1),
        allocation: Allocation::even(&ids).unwrap(),
    };
    let lanes = if holdback > 0.0 {
        vec![held_back, main]
    } else {
        vec![main]
    };
    Serving::new(
        "checkout".parse().unwrap(),
        running(),
        ids.iter().map(|&id| arm(id)).collect(),
        Targeting::default(),
        share(traffic),
        lanes,
        "checkout".to_owned(),
    )
    .unwrap()
}

/// Since the epoch.
pub(crate) fn running() -> RunState {
    RunState::Running {
        since: DateTime::UNIX_EPOCH,
    }
}

/// An open arm, named by its number; arm 0 is the control.
pub(crate) fn arm(id: ArmId) -> Arm {
    Arm {
        id,
        name: format!("arm-{id}").parse().unwrap(),
        control: id == ArmId(0),
        config: serde_json::json!({}),
        retired: false,
        quarantined: false,
    }
}

/// The unit with this number.
pub(crate) fn unit(number: usize) -> UnitKey {
    UnitKey::derive(&[42; 32], &format!("user-{number}"))
}

/// A value in `0..=1`.
pub(crate) fn share(value: f64) -> Share {
    Share::new(value).unwrap()
}

/// The text of a file of `tests/data`.
pub(crate) fn read_text(file: &str) -> String {
    let path = format!("{}/../../tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// What a JSON file of `tests/data` holds.
pub(crate) fn read_json<T: DeserializeOwned>(file: &str) -> T {
    serde_json::from_str(&read_text(file)).unwrap()
}

/// How far two shares of so many runs are apart: in standard errors of their difference, less half a run of ours.
pub(crate) fn apart((ours, runs): (f64, u64), (theirs, their_runs): (f64, u64)) -> f64 {
    let (n, m) = (runs as f64, their_runs as f64);
    let share = (ours * n + theirs * m + 1.0) / (n + m + 2.0);
    let error = (share * (1.0 - share) * (1.0 / n + 1.0 / m)).sqrt();
    ((ours - theirs).abs() - 0.5 / n).max(0.0) / error
}
