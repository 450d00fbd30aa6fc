//! `[[experiment.guardrail]]`: limits that protect users, each kind with its own keys.

pub(super) mod check;

use std::collections::BTreeMap;

use crate::experiment::Millis;
use crate::spec::defaults;
use crate::spec::limits::{GUARDRAIL_CADENCES, GUARDRAIL_WINDOWS, MAX_GUARDRAILS};
use crate::spec::model::{GuardrailAction, GuardrailSpec, GuardrailTest, OnNoData};
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

use check::{KINDS, Kind};

/// The keys of every guardrail.
pub(super) const KEYS: &[&str] = &[
    "name",
    "kind",
    "action",
    "test",
    "window",
    "cadence",
    "warm_up",
    "breaches",
    "min_samples",
    "on_no_data",
    "grace",
    "dry_run",
];

pub(super) const ACTIONS: &[(&str, GuardrailAction)] = &[
    ("alert", GuardrailAction::Alert),
    ("quarantine", GuardrailAction::Quarantine),
    ("pause", GuardrailAction::Pause),
    ("rollback", GuardrailAction::Rollback),
];

pub(super) const TESTS: &[(&str, GuardrailTest)] = &[
    ("sequential", GuardrailTest::Sequential),
    ("posterior", GuardrailTest::Posterior),
    ("threshold", GuardrailTest::Threshold),
];

pub(super) const ON_NO_DATA: &[(&str, OnNoData)] = &[
    ("hold", OnNoData::Hold),
    ("pass", OnNoData::Pass),
    ("fail", OnNoData::Fail),
];

/// Reads `guardrail` (or `guardrails`). What cannot be read is reported and left out.
pub(super) fn read_all(experiment: &Reader<'_>) -> Vec<GuardrailSpec> {
    let Some(slot) = experiment.either("guardrail", "guardrails") else {
        return Vec::new();
    };
    let Some(tables) = slot.list_of_tables("write [[experiment.guardrail]] with two brackets")
    else {
        return Vec::new();
    };
    if tables.len() > MAX_GUARDRAILS {
        slot.problem_named(
            format!(
                "is there {} times; at most {MAX_GUARDRAILS} fit",
                tables.len()
            ),
            "remove some",
        );
        return Vec::new();
    }
    let mut first_lines: BTreeMap<String, u32> = BTreeMap::new();
    let mut guardrails = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let table = table.inside(format!("guardrail {}", index + 1));
        let Some(guardrail) = read(&table) else {
            continue;
        };
        if let Some(first) = first_lines.get(&guardrail.name) {
            table.problem(
                format!(
                    "is called \"{}\", like the one on line {first}",
                    guardrail.name
                ),
                "give one of the two a `name` of its own",
            );
        }
        first_lines.insert(guardrail.name.clone(), table.line());
        guardrails.push(guardrail);
    }
    guardrails
}

fn read(table: &Reader<'_>) -> Option<GuardrailSpec> {
    let words: Vec<&str> = KINDS.iter().map(|(word, _)| *word).collect();
    let named = table.slot("name").map(|slot| slot.line_of_text());
    let called = match &named {
        Some(Some(name)) => Some(name.clone()),
        _ => table
            .slot("kind")
            .and_then(|slot| Some(slot.value().as_str()?.to_owned())),
    };
    let table = match called {
        Some(name) => table.clone().inside(format!("guardrail \"{name}\"")),
        None => table.clone(),
    };
    let kind_slot = table.required(
        "kind",
        &format!("write one of \"{}\"", words.join("\", \"")),
    )?;
    let kind = kind_slot.choice(KINDS)?;
    check_keys(&table, kind);
    let check = (kind.read)(&table);
    let action = table
        .slot("action")
        .map_or(Some(GuardrailAction::Alert), |slot| slot.choice(ACTIONS));
    let test = table.slot("test").and_then(|slot| slot.choice(TESTS));
    let window = table.slot("window").and_then(|slot| window(&slot));
    let cadence = table.slot("cadence").and_then(|slot| cadence(&slot));
    let warm_up = table.slot("warm_up").and_then(|slot| slot.duration());
    let breaches = table
        .slot("breaches")
        .and_then(|slot| slot.whole_in(1, 1_000));
    let min_samples = table.slot("min_samples").and_then(|slot| slot.whole());
    let on_no_data = table
        .slot("on_no_data")
        .and_then(|slot| slot.choice(ON_NO_DATA));
    let grace = table.slot("grace").and_then(|slot| slot.duration());
    let dry_run = table.slot("dry_run").and_then(|slot| slot.flag());
    let check = check?;
    Some(GuardrailSpec {
        name: named.unwrap_or_else(|| Some(defaults::guardrail_name(&check).to_owned()))?,
        check,
        action: action?,
        test: test.unwrap_or_default(),
        window: window.unwrap_or(defaults::GUARDRAIL_WINDOW),
        cadence: cadence.unwrap_or(defaults::GUARDRAIL_CADENCE),
        warm_up: warm_up.unwrap_or_default(),
        breaches: breaches
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(defaults::GUARDRAIL_BREACHES),
        min_samples: min_samples.unwrap_or(defaults::GUARDRAIL_MIN_SAMPLES),
        on_no_data: on_no_data.unwrap_or_default(),
        grace: grace.unwrap_or(defaults::GUARDRAIL_GRACE),
        dry_run: dry_run.unwrap_or(false),
    })
}

/// Counts are kept by the minute.
fn window(slot: &Slot<'_>) -> Option<Millis> {
    let window = slot.duration()?;
    if GUARDRAIL_WINDOWS.contains(&window) && window.0.is_multiple_of(GUARDRAIL_WINDOWS.start().0) {
        return Some(window);
    }
    let (least, most) = GUARDRAIL_WINDOWS.into_inner();
    slot.problem(
        format!("is {window}"),
        format!("write whole minutes, {least} to {most}"),
    );
    None
}

fn cadence(slot: &Slot<'_>) -> Option<Millis> {
    let cadence = slot.duration()?;
    if GUARDRAIL_CADENCES.contains(&cadence) {
        return Some(cadence);
    }
    let (least, most) = GUARDRAIL_CADENCES.into_inner();
    slot.problem(format!("is {cadence}"), format!("write {least} to {most}"));
    None
}

/// A key of another kind is told apart from a key that nobody knows.
fn check_keys(table: &Reader<'_>, kind: Kind) {
    let known: Vec<&str> = KEYS.iter().chain(kind.keys).copied().collect();
    for (key, slot) in table.slots() {
        if known.contains(&key) {
            continue;
        }
        let owner = KINDS.iter().find(|(_, other)| other.keys.contains(&key));
        match owner {
            Some((word, _)) => slot.problem_named(
                format!("belongs to guardrails of the kind \"{word}\""),
                format!("remove it; known here: {}", kind.keys.join(", ")),
            ),
            None => table.unknown_key(key, slot.at(), &known),
        }
    }
}
