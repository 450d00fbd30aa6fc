//! `[[experiment.guardrail]]`: limits that protect users, each kind with its own keys.

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::experiment::Share;
use crate::spec::defaults;
use crate::spec::limits::MAX_GUARDRAILS;
use crate::spec::model::{EventMeasure, GuardrailAction, GuardrailCheck, GuardrailSpec, OnNoData};
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

/// The keys of every guardrail.
pub(super) const KEYS: &[&str] = &[
    "name",
    "kind",
    "action",
    "window",
    "breaches",
    "min_samples",
    "on_no_data",
    "grace",
    "dry_run",
];

/// A kind of guardrail and the keys that only it has.
#[derive(Clone, Copy)]
struct Kind {
    keys: &'static [&'static str],
    read: fn(&Reader<'_>) -> Option<GuardrailCheck>,
}

const KINDS: &[(&str, Kind)] = &[
    (
        "error_rate",
        Kind {
            keys: &["event", "limit"],
            read: error_rate,
        },
    ),
    (
        "latency",
        Kind {
            keys: &["event", "quantile", "limit", "limit_ms"],
            read: latency,
        },
    ),
    (
        "reward_drop",
        Kind {
            keys: &["limit"],
            read: reward_drop,
        },
    ),
    (
        "concentration",
        Kind {
            keys: &["limit"],
            read: concentration,
        },
    ),
    (
        "srm",
        Kind {
            keys: &["p_value"],
            read: srm,
        },
    ),
    (
        "event",
        Kind {
            keys: &["event", "measure", "min", "max"],
            read: event,
        },
    ),
    (
        "staleness",
        Kind {
            keys: &["limit"],
            read: staleness,
        },
    ),
];

pub(super) const ACTIONS: &[(&str, GuardrailAction)] = &[
    ("alert", GuardrailAction::Alert),
    ("quarantine", GuardrailAction::Quarantine),
    ("pause", GuardrailAction::Pause),
    ("rollback", GuardrailAction::Rollback),
];

pub(super) const ON_NO_DATA: &[(&str, OnNoData)] = &[
    ("hold", OnNoData::Hold),
    ("pass", OnNoData::Pass),
    ("fail", OnNoData::Fail),
];

pub(super) const MEASURES: &[(&str, EventMeasure)] =
    &[("rate", EventMeasure::Rate), ("mean", EventMeasure::Mean)];

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
    let window = table.slot("window").and_then(|slot| slot.duration());
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
        window: window.unwrap_or(defaults::GUARDRAIL_WINDOW),
        breaches: breaches
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(defaults::GUARDRAIL_BREACHES),
        min_samples: min_samples.unwrap_or(defaults::GUARDRAIL_MIN_SAMPLES),
        on_no_data: on_no_data.unwrap_or_default(),
        grace: grace.unwrap_or(defaults::GUARDRAIL_GRACE),
        dry_run: dry_run.unwrap_or(false),
    })
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

fn limit_share(table: &Reader<'_>, example: &str) -> Option<Share> {
    let slot = table.required(
        "limit",
        &format!("add a limit such as limit = \"{example}\""),
    )?;
    let limit = slot.share()?;
    if limit == Share::NONE {
        slot.problem("is 0: it would act at once", "write a limit above 0");
        return None;
    }
    Some(limit)
}

fn event_name(table: &Reader<'_>) -> Option<String> {
    table
        .required(
            "event",
            "add the event that services track, such as event = \"error\"",
        )?
        .line_of_text()
}

fn error_rate(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let (event, limit) = (event_name(table), limit_share(table, "1%"));
    Some(GuardrailCheck::ErrorRate {
        event: event?,
        limit: limit?,
    })
}

fn reward_drop(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let limit = limit_share(table, "5%")?;
    Some(GuardrailCheck::RewardDrop { limit })
}

fn concentration(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let limit = limit_share(table, "50%")?;
    Some(GuardrailCheck::Concentration { limit })
}

fn srm(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let p_value = match table.slot("p_value") {
        Some(slot) => inner_share(&slot)?,
        None => defaults::srm_p_value(),
    };
    Some(GuardrailCheck::Srm { p_value })
}

/// A share that is neither 0 nor 1.
fn inner_share(slot: &Slot<'_>) -> Option<Share> {
    let share = slot.share()?;
    if share == Share::NONE || share == Share::ALL {
        slot.problem(
            format!("is {}", share.get()),
            "write a number between 0 and 1",
        );
        return None;
    }
    Some(share)
}

fn latency(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let event = event_name(table);
    let quantile = match table.slot("quantile") {
        Some(slot) => inner_share(&slot),
        None => Some(defaults::latency_quantile()),
    };
    let limit = latency_limit(table);
    Some(GuardrailCheck::Latency {
        event: event?,
        quantile: quantile?,
        limit_ms: limit?,
    })
}

/// `limit = "120ms"`, or `limit_ms = 0.5` for fractions.
fn latency_limit(table: &Reader<'_>) -> Option<f64> {
    const HOW: &str = "add a limit such as limit = \"120ms\"";
    if let Some(slot) = table.slot("limit_ms") {
        if table.has("limit") {
            slot.problem_named("is declared beside `limit`", "keep one of the two");
            return None;
        }
        return slot.positive();
    }
    let slot = table.required("limit", HOW)?;
    let limit = slot.duration()?;
    if limit.0 == 0 {
        slot.problem("is 0: it would act at once", "write a limit above 0");
        return None;
    }
    Some(limit.0 as f64)
}

fn event(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let event = event_name(table);
    let measure = match table.slot("measure") {
        Some(slot) => slot.choice(MEASURES),
        None => Some(EventMeasure::Rate),
    };
    let bound = |key: &str| {
        table
            .slot(key)
            .map_or(Some(None), |slot| bound_of(&slot).map(Some))
    };
    let (min, max) = (bound("min")?, bound("max")?);
    match (min, max) {
        (None, None) => {
            table.problem("has no limit", "add `min`, `max` or both");
            None
        }
        (Some(min), Some(max)) if min > max => {
            table.problem(
                format!("wants at least {min} and at most {max}"),
                "swap them",
            );
            None
        }
        _ => Some(GuardrailCheck::Event {
            event: event?,
            measure: measure?,
            min,
            max,
        }),
    }
}

/// A number, or a percentage in quotes where a rate is meant.
fn bound_of(slot: &Slot<'_>) -> Option<f64> {
    match slot.value() {
        DeValue::String(_) => slot.share().map(Share::get),
        _ => slot.number(),
    }
}

fn staleness(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let slot = table.required("limit", "add the longest silence, such as limit = \"15m\"")?;
    let limit = slot.duration()?;
    if limit.0 == 0 {
        slot.problem("is 0: it would act at once", "write a limit above 0");
        return None;
    }
    Some(GuardrailCheck::Staleness { limit })
}
