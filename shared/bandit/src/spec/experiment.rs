//! One `[[experiment]]` of a file: its own keys, and its sections in order.

use std::collections::BTreeMap;

use crate::experiment::{ExperimentKey, Share};
use crate::spec::model::{DeclaredState, ExperimentSpec, OnOutage, OnQuarantine};
use crate::spec::problem::Problems;
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;
use crate::spec::{
    arms, decision, defaults, guardrail, lane, limits, policy, reward, schedule, targeting,
};

/// The keys of an experiment, in the order in which they are written.
pub(super) const KEYS: &[&str] = &[
    "key",
    "name",
    "description",
    "owner",
    "state",
    "traffic",
    "holdback",
    "on_outage",
    "on_quarantine",
    "salt",
    "policy",
    "lane",
    "lanes",
    "control",
    "reward",
    "arm",
    "arms",
    "targeting",
    "guardrail",
    "guardrails",
    "decision",
    "schedule",
];

pub(super) const STATES: &[(&str, DeclaredState)] = &[
    ("draft", DeclaredState::Draft),
    ("running", DeclaredState::Running),
    ("paused", DeclaredState::Paused),
    ("stopped", DeclaredState::Stopped),
];

pub(super) const ON_OUTAGE: &[(&str, OnOutage)] =
    &[("control", OnOutage::Control), ("frozen", OnOutage::Frozen)];

pub(super) const ON_QUARANTINE: &[(&str, OnQuarantine)] = &[
    ("keep", OnQuarantine::Keep),
    ("control", OnQuarantine::Control),
];

/// What was read of one experiment; its key and line also where the rest is broken.
pub(super) struct Read {
    pub key: Option<(ExperimentKey, u32)>,
    pub spec: Option<ExperimentSpec>,
}

/// Reads one experiment.
pub(super) fn read(table: &Reader<'_>) -> Read {
    let table = table.clone().called(subject(table));
    let before = table.problems().count();
    table.only(KEYS);
    let key = table
        .required(
            "key",
            "add a unique name of a-z 0-9 . _ - such as key = \"checkout_button\"",
        )
        .and_then(|slot| Some((read_key(&slot)?, slot.line())));
    let spec = read_spec(&table, key.as_ref().map(|(key, _)| key));
    let clean = table.problems().count() == before;
    Read {
        key,
        spec: spec.filter(|_| clean),
    }
}

/// How messages call it: by its key, or by its line if it has none.
fn subject(table: &Reader<'_>) -> String {
    let key = table.slot("key");
    match key.as_ref().and_then(|slot| slot.value().as_str()) {
        Some(key) => format!(
            "experiment \"{}\"",
            key.chars().take(40).collect::<String>()
        ),
        None => "experiment".to_owned(),
    }
}

fn read_key(slot: &Slot<'_>) -> Option<ExperimentKey> {
    slot.parsed("rename it; the key is what services ask for")
}

fn read_spec(table: &Reader<'_>, key: Option<&ExperimentKey>) -> Option<ExperimentSpec> {
    let line = |name: &str| table.slot(name).and_then(|slot| slot.line_of_text());
    let share = |name: &str| table.slot(name).and_then(|slot| slot.share());
    let name = line("name");
    let owner = line("owner");
    let salt = line("salt");
    let description = table
        .slot("description")
        .and_then(|slot| slot.text(limits::MAX_DESCRIPTION_BYTES));
    let state = table.slot("state").and_then(|slot| slot.choice(STATES));
    let on_outage = table
        .slot("on_outage")
        .and_then(|slot| slot.choice(ON_OUTAGE));
    let on_quarantine = table
        .slot("on_quarantine")
        .and_then(|slot| slot.choice(ON_QUARANTINE));
    let traffic = share("traffic").unwrap_or(Share::ALL);
    let holdback = share("holdback").unwrap_or_else(defaults::holdback);
    let reward = reward::read(table);
    let outcome = reward.as_ref().map(|reward| &reward.outcome);
    let policy = policy::read(table, outcome);
    let lanes = lane::read_all(table, policy.as_ref(), outcome);
    let arms = arms::read(
        table,
        &lane::policies_in_force(policy.as_ref(), lanes.as_ref()),
    );
    let targeting = targeting::read(table);
    let guardrails = guardrail::read_all(table);
    let decision = decision::read(table);
    let schedule = schedule::read(table, traffic);
    let key = key?.clone();
    Some(ExperimentSpec {
        salt: salt.unwrap_or_else(|| key.as_str().to_owned()),
        key,
        name,
        description,
        owner,
        state,
        traffic,
        holdback,
        on_outage: on_outage.unwrap_or_default(),
        on_quarantine: on_quarantine.unwrap_or_default(),
        arms: arms?,
        targeting,
        policy: policy?,
        lanes: lanes?,
        reward: reward?,
        guardrails,
        decision,
        schedule,
    })
}

/// Says which keys are used twice.
pub(super) fn check_unique_keys(problems: &Problems<'_>, experiments: &[Read]) {
    let mut first_lines = BTreeMap::new();
    for (key, line) in experiments.iter().filter_map(|read| read.key.as_ref()) {
        if let Some(first) = first_lines.get(key) {
            problems.add_on_line(
                *line,
                format!("experiment \"{key}\": key is already used on line {first}"),
                "give one of the two another key",
            );
        } else {
            first_lines.insert(key, *line);
        }
    }
}
