//! Lanes: their numbers stay, and so do the units of a lane whose share grows.

use bandit::assign::draw;
use bandit::experiment::{LaneId, LaneName, Version};
use bandit::lanes::LaneNumbers;
use bandit::spec::{model::ExperimentSpec, parse};

use super::common::{serving, share, unit};

fn spec(lanes: &str) -> ExperimentSpec {
    let text = format!(
        "[[experiment]]\nkey = \"checkout\"\nreward = \"purchase\"\ncontrol = \"a\"\narms = [\"a\", \"b\"]\n{lanes}"
    );
    parse("lanes.toml", &text).unwrap().experiments.remove(0)
}

fn declared(names: &[&str]) -> ExperimentSpec {
    let lanes: Vec<String> = names
        .iter()
        .map(|name| format!("[[experiment.lane]]\nname = \"{name}\"\n"))
        .collect();
    spec(&lanes.concat())
}

fn numbered(numbers: &LaneNumbers, spec: &ExperimentSpec) -> Vec<(u16, String)> {
    let lanes = numbers.lanes_of(spec);
    let sum: f64 = lanes.iter().map(|lane| lane.share.get()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    lanes
        .into_iter()
        .map(|lane| (lane.id.0, lane.name.to_string()))
        .collect()
}

#[test]
fn without_lanes_there_are_the_holdback_and_main() {
    let lanes = LaneNumbers::default().lanes_of(&spec(""));
    let found: Vec<(LaneId, f64, bool)> = lanes
        .iter()
        .map(|lane| (lane.id, lane.share.get(), lane.learns))
        .collect();
    let expected = [(LaneId::HOLDBACK, 0.05, false), (LaneId::MAIN, 0.95, true)];
    assert_eq!(found, expected, "to the last bit");
}

#[test]
fn a_name_that_returns_gets_its_old_number_and_no_other_ever_does() {
    let first = declared(&["one", "two"]);
    let numbers = LaneNumbers::default().with(&first);
    let lanes = [(0, "holdback"), (2, "one"), (3, "two")].map(|(id, name)| (id, name.to_owned()));
    assert_eq!(numbered(&numbers, &first), lanes);

    let second = declared(&["three", "two"]);
    let numbers = numbers.with(&second);
    let lanes = [(0, "holdback"), (3, "two"), (4, "three")].map(|(id, name)| (id, name.to_owned()));
    assert_eq!(
        numbered(&numbers, &second),
        lanes,
        "by number, not by the file"
    );

    let third = declared(&["main", "one", "four"]);
    let numbers = numbers.with(&third);
    let lanes = [(0, "holdback"), (1, "main"), (2, "one"), (5, "four")];
    assert_eq!(
        numbered(&numbers, &third),
        lanes.map(|(id, name)| (id, name.to_owned()))
    );
    let name = |id: u16| numbers.name(LaneId(id)).map(LaneName::as_str);
    assert_eq!(
        (name(3), name(4), name(6)),
        (Some("two"), Some("three"), None)
    );
}

#[test]
fn lanes_draw_their_shares_and_the_arms_are_drawn_apart_from_them() {
    const UNITS: usize = 40_000;
    let spec = spec(
        "[[experiment.lane]]\nname = \"small\"\nshare = \"20%\"\n[[experiment.lane]]\nname = \"large\"\nshare = \"80%\"\n",
    );
    let one = serving(&[0.3, 0.7]);
    let mut lanes = Vec::new();
    for lane in LaneNumbers::default().lanes_of(&spec) {
        lanes.push(bandit::assign::ServingLane {
            id: lane.id,
            name: lane.name,
            share: lane.share,
            version: Version(1),
            allocation: one.lanes[0].allocation.clone(),
        });
    }
    let serving = one.replayed(share(1.0), lanes).unwrap();
    for lane in &serving.lanes {
        let drawn: Vec<bool> = (0..UNITS)
            .map(|number| draw(&serving, &unit(number)))
            .filter(|drawn| drawn.lane == lane.id)
            .map(|drawn| drawn.arm.0 == 0)
            .collect();
        let n = drawn.len() as f64;
        // Four standard errors of a proportion, for the share of the lane and for that of its first arm.
        let expected = lane.share.get();
        let found = n / UNITS as f64;
        let error = (expected * (1.0 - expected) / UNITS as f64).sqrt();
        assert!(
            (found - expected).abs() < 4.0 * error,
            "{}: {found}",
            lane.name
        );
        let first = drawn.iter().filter(|first| **first).count() as f64 / n;
        assert!(
            (first - 0.3).abs() < 4.0 * (0.21 / n).sqrt(),
            "{}: {first}",
            lane.name
        );
    }
}

#[test]
fn the_leading_lane_is_the_largest_and_the_first_among_equals() {
    assert_eq!(
        declared(&["one", "two"]).leading_lane().name.as_str(),
        "one"
    );
    let lanes = "lane = [{ name = \"one\", share = 0.25 }, { name = \"two\", share = 0.75 }]\n";
    assert_eq!(spec(lanes).leading_lane().name.as_str(), "two");
    assert_eq!(spec("").leading_lane().name.as_str(), "main");
}
