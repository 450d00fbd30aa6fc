//! Plans, as text: what is running, what the file says, and every line a person would read.
//!
//! A new case is a file in `tests/data/plans`: the state and spec of what runs, `=====`, the wanted file, `=====`, and
//! the expected plan. The first line of a case says the options and states, as `# options: prune`, `# x: paused, held`,
//! `# y: running, blue quarantined`.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own files should panic"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bandit::experiment::{Arm, ArmId, ArmName, Millis, RunState};
use bandit::plan::{Change, ChangeKind, Current, LaneNow, Options, Plan, diff};
use bandit::policy::Evidence;
use bandit::posterior::ArmStats;
use bandit::schedule::Ramp;
use bandit::spec::{self, model::ExperimentSpec};
use chrono::{DateTime, Utc};

const RULE: &str = "=====\n";

fn state(word: &str) -> RunState {
    let since = DateTime::<Utc>::UNIX_EPOCH;
    let (by, why) = ("ana".to_owned(), "latency".to_owned());
    match word {
        "draft" => RunState::Draft,
        "running" => RunState::Running { since },
        "paused" => RunState::Paused { since, by, why },
        "stopped" => RunState::Stopped {
            since,
            by,
            why,
            shipped: None,
        },
        "rolled_back" => RunState::RolledBack { since, by, why },
        "archived" => RunState::Archived { since },
        other => panic!("no such state: {other}"),
    }
}

/// What runs: its arms have 1,240 units each in every lane, an even split, and no rewards yet. `learnt`: two hours later, the first
/// arm has no success among 1,000 outcomes, the second 1, the third 2, and so on.
fn current(spec: &ExperimentSpec, directives: &[&str]) -> Current {
    let started = directives[0] != "draft";
    let learnt = directives.contains(&"learnt");
    let quarantined = |arm: &ArmName| directives.contains(&format!("{arm} quarantined").as_str());
    let arms: Vec<Arm> = spec
        .arms
        .iter()
        .enumerate()
        .map(|(id, arm)| Arm {
            id: ArmId(u16::try_from(id).unwrap()),
            name: arm.name.clone(),
            control: arm.control,
            config: arm.config.clone(),
            retired: false,
            quarantined: quarantined(&arm.name),
        })
        .collect();
    let per_arm = |value: u64| {
        let arms = spec.arms.iter().filter(|_| started);
        arms.map(|arm| (arm.name.clone(), value)).collect()
    };
    let open = arms.iter().filter(|arm| arm.is_open()).count();
    let share = 1.0 / open as f64;
    let assigned_by_arm: BTreeMap<_, u64> = per_arm(1_240);
    let lane_now = LaneNow {
        shares: assigned_by_arm
            .keys()
            .filter(|arm| !quarantined(arm))
            .map(|arm| (arm.clone(), share))
            .collect(),
        evidence: assigned_by_arm
            .iter()
            .map(|(arm, assigned)| {
                let index = spec.arms.iter().position(|it| it.name == *arm).unwrap();
                let successes = i64::try_from(index).unwrap() * 1_000_000;
                let stats = ArmStats {
                    assigned: *assigned,
                    exposed: *assigned,
                    resolved: if learnt { 1_000 } else { 0 },
                    reward_sum_micro: if learnt { successes } else { 0 },
                    reward_sq_sum_micro: if learnt { successes } else { 0 },
                    ..ArmStats::default()
                };
                (arm.clone(), Evidence::from(stats))
            })
            .collect(),
    };
    let held = |arm: &Arm| {
        let words = format!("{} quarantined by ana: errors", arm.name);
        arm.quarantined.then(|| (arm.name.clone(), words))
    };
    Current {
        spec: spec.clone(),
        quarantines: arms.iter().filter_map(held).collect(),
        state: state(directives[0]),
        arms,
        holds: directives
            .contains(&"held")
            .then(|| "paused by ana: latency".to_owned())
            .into_iter()
            .collect(),
        lanes: spec
            .learning_lanes()
            .into_iter()
            .map(|lane| (lane.name, lane_now.clone()))
            .collect(),
        assigned_by_arm,
        decisions_per_day: if started { 12_410.2 } else { 0.0 },
        running_for: Millis(if learnt { 7_200_000 } else { 60_000 }),
        ramp: if directives.contains(&"second_step") {
            let ramp = &spec.schedule.as_ref().unwrap().ramp;
            Some(Ramp {
                traffic: ramp[1].traffic,
                since: DateTime::<Utc>::UNIX_EPOCH,
                exposed_before: 0,
            })
        } else {
            None
        },
    }
}

fn read(case: &str, text: &str) -> Vec<ExperimentSpec> {
    let listed = |problems: Vec<spec::Problem>| format!("{case}: {problems:#?}");
    spec::parse(case, text)
        .map_err(listed)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .experiments
}

/// The plan of a case.
fn plan_of(case: &str, before: &str, after: &str) -> Plan {
    let directives: BTreeMap<&str, Vec<&str>> = before
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once(": "))
        .map(|(name, words)| (name, words.split(", ").collect()))
        .collect();
    let options = directives.get("options").cloned().unwrap_or_default();
    let now: Vec<Current> = read(case, before)
        .iter()
        .map(|spec| {
            let words = directives.get(spec.key.as_str());
            current(spec, words.map_or(&["running"], Vec::as_slice))
        })
        .collect();
    diff(
        &now,
        &read(case, after),
        Options {
            prune: options.contains(&"prune"),
            release_holds: options.contains(&"release holds"),
        },
    )
}

fn drawn(plan: &Plan) -> String {
    let mut out = String::new();
    for change in &plan.changes {
        draw_change(&mut out, change);
    }
    for (word, keys) in [
        ("unchanged", &plan.unchanged),
        ("not declared", &plan.not_declared),
    ] {
        for key in keys {
            writeln!(out, "{word}: {key}").unwrap();
        }
    }
    for refusal in &plan.refused {
        writeln!(out, "REFUSED {refusal}").unwrap();
    }
    out
}

fn draw_change(out: &mut String, change: &Change) {
    let sign = match change.kind {
        ChangeKind::Add => '+',
        ChangeKind::Change => '~',
        ChangeKind::Stop => '-',
    };
    let verb = change
        .verb
        .map_or(String::new(), |verb| format!(" [{verb}]"));
    let released = change
        .released
        .iter()
        .fold(String::new(), |said, arm| format!("{said} [release {arm}]"));
    let stores = if change.spec.is_some() {
        " [store]"
    } else {
        ""
    };
    writeln!(out, "{sign} {}{verb}{released}{stores}", change.key).unwrap();
    for field in &change.fields {
        writeln!(out, "    {}: {} -> {}", field.path, field.from, field.to).unwrap();
    }
    for effect in &change.effects {
        let sign = if effect.warning { '!' } else { ' ' };
        writeln!(out, "  {sign} {}", effect.text).unwrap();
    }
    for hold in &change.holds {
        writeln!(out, "    hold: {hold}").unwrap();
    }
}

#[test]
fn every_case_gives_exactly_its_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/plans");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut wrong = String::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let parts: Vec<&str> = text.split(RULE).collect();
        let [before, after, expected] = parts.as_slice() else {
            panic!("{name} does not have three parts");
        };
        let got = drawn(&plan_of(name, before, after));
        if got != *expected {
            write!(wrong, "{name} gave:\n{got}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn example() -> Vec<ExperimentSpec> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments.example.toml");
    read("example", &fs::read_to_string(path).unwrap())
}

#[test]
fn applying_the_example_twice_changes_nothing() {
    let wanted = example();
    let first = diff(&[], &wanted, Options::default());
    assert_eq!(first.changes.len(), wanted.len());
    let now: Vec<Current> = first
        .changes
        .iter()
        .map(|change| current(change.spec.as_ref().unwrap(), &["running"]))
        .collect();
    let second = diff(&now, &wanted, Options::default());
    assert!(second.is_empty(), "{}", drawn(&second));
    assert_eq!(second.unchanged.len(), wanted.len());
    assert_eq!(second.changes, []);
}

#[test]
fn another_order_of_experiments_and_arms_is_no_change() {
    let wanted = example();
    let now: Vec<Current> = wanted
        .iter()
        .map(|spec| current(spec, &["running"]))
        .collect();
    let mut turned = wanted.clone();
    turned.reverse();
    for spec in &mut turned {
        spec.arms.reverse();
        spec.guardrails.reverse();
    }
    let plan = diff(&now, &turned, Options::default());
    assert_eq!(plan.changes, [], "{}", drawn(&plan));
}
