//! `reward`: which events make a unit a success, how much of one, and until when.

use crate::experiment::Millis;
use crate::spec::defaults;
use crate::spec::limits::{MAX_EVENTS_PER_UNIT, MAX_REWARD_EVENTS, MAX_WINDOW};
use crate::spec::model::{Aggregate, Credit, Direction, OutcomeSpec, RewardSpec, SuccessSpec};
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

/// The keys of a reward.
pub(super) const KEYS: &[&str] = &[
    "success",
    "scaled",
    "negative",
    "window",
    "grace",
    "credit",
    "direction",
    "max_events_per_unit",
];

pub(super) const SCALED_KEYS: &[&str] = &["event", "aggregate", "min", "max", "default"];

const HOW: &str = "write reward = \"purchase\" with the event that is a success, or a section [experiment.reward]";
const HOW_OUTCOME: &str =
    "write success = \"purchase\", or scaled = { event = \"rating\", min = 1, max = 5 }";

pub(super) const CREDITS: &[(&str, Credit)] = &[
    ("matured", Credit::Matured),
    ("immediate", Credit::Immediate),
    ("corrected", Credit::Corrected),
];

pub(super) const DIRECTIONS: &[(&str, Direction)] = &[
    ("increase", Direction::Increase),
    ("decrease", Direction::Decrease),
];

pub(super) const AGGREGATES: &[(&str, Aggregate)] = &[
    ("first", Aggregate::First),
    ("last", Aggregate::Last),
    ("max", Aggregate::Max),
    ("sum", Aggregate::Sum),
];

/// Reads `reward`: the name of a success event, a list of them, or a section.
pub(super) fn read(experiment: &Reader<'_>) -> Option<RewardSpec> {
    let slot = experiment.required("reward", HOW)?;
    if !slot.value().is_table() {
        return Some(with_defaults(OutcomeSpec::Binary {
            success: read_successes(&slot)?,
        }));
    }
    let table = slot.table(HOW)?;
    table.only(KEYS);
    let outcome = read_outcome(&table);
    let negative = table
        .slot("negative")
        .map_or(Some(vec![]), |slot| read_names(&slot));
    let window = table.slot("window").and_then(|slot| read_window(&slot));
    let grace = table
        .slot("grace")
        .and_then(|slot| slot.duration_up_to(MAX_WINDOW));
    let credit = table.slot("credit").and_then(|slot| slot.choice(CREDITS));
    let direction = table
        .slot("direction")
        .and_then(|slot| slot.choice(DIRECTIONS));
    let max_events = table
        .slot("max_events_per_unit")
        .and_then(|slot| slot.whole_in(1, MAX_EVENTS_PER_UNIT));
    let mut reward = with_defaults(outcome?);
    reward.negative = negative?;
    reward.window = window.unwrap_or(reward.window);
    reward.grace = grace.unwrap_or_else(|| defaults::grace(reward.window));
    reward.credit = credit.unwrap_or_default();
    reward.direction = direction.unwrap_or_default();
    reward.max_events_per_unit = max_events
        .and_then(|most| u32::try_from(most).ok())
        .unwrap_or(reward.max_events_per_unit);
    check_negatives(&table, &reward);
    Some(reward)
}

/// A reward of which the file says only what counts.
fn with_defaults(outcome: OutcomeSpec) -> RewardSpec {
    RewardSpec {
        outcome,
        negative: Vec::new(),
        window: defaults::WINDOW,
        grace: defaults::grace(defaults::WINDOW),
        credit: Credit::default(),
        direction: Direction::default(),
        max_events_per_unit: defaults::MAX_EVENTS_PER_UNIT,
    }
}

fn read_window(slot: &Slot<'_>) -> Option<Millis> {
    let window = slot.duration_up_to(MAX_WINDOW)?;
    if window.0 == 0 {
        slot.problem(
            "is empty: no event could ever count",
            "write a length such as \"24h\"",
        );
        return None;
    }
    Some(window)
}

fn read_outcome(table: &Reader<'_>) -> Option<OutcomeSpec> {
    match (table.slot("success"), table.slot("scaled")) {
        (Some(success), None) => Some(OutcomeSpec::Binary {
            success: read_successes(&success)?,
        }),
        (None, Some(scaled)) => read_scaled(&scaled),
        (None, None) => {
            table.problem("does not say what counts", HOW_OUTCOME);
            None
        }
        (Some(_), Some(scaled)) => {
            scaled.problem_named("is declared beside `success`", "keep one of the two");
            None
        }
    }
}

fn read_successes(slot: &Slot<'_>) -> Option<Vec<SuccessSpec>> {
    let items = slot.one_or_more();
    if items.is_empty() || items.len() > MAX_REWARD_EVENTS {
        slot.problem(
            format!("lists {} events, not 1 to {MAX_REWARD_EVENTS}", items.len()),
            HOW_OUTCOME,
        );
        return None;
    }
    let mut successes: Vec<SuccessSpec> = Vec::new();
    let mut complete = true;
    for item in &items {
        let Some(success) = read_success(item) else {
            complete = false;
            continue;
        };
        if successes.iter().any(|other| other.event == success.event) {
            item.problem(
                format!("names \"{}\" twice", success.event),
                "keep the one with the lower `min`: it includes the other",
            );
            complete = false;
        }
        successes.push(success);
    }
    // A set: another order in the file is no change.
    successes.sort_by(|one, other| one.event.cmp(&other.event));
    Some(successes).filter(|_| complete)
}

fn read_success(slot: &Slot<'_>) -> Option<SuccessSpec> {
    if !slot.value().is_table() {
        return Some(SuccessSpec {
            event: slot.line_of_text()?,
            min: None,
        });
    }
    let table = slot.table(HOW_OUTCOME)?;
    table.only(&["event", "min"]);
    let event = table
        .required("event", "write { event = \"purchase\", min = 10 }")
        .and_then(|slot| slot.line_of_text());
    let min = table.slot("min").map(|slot| slot.number());
    Some(SuccessSpec {
        event: event?,
        min: min.map_or(Some(None), |min| min.map(Some))?,
    })
}

fn read_scaled(slot: &Slot<'_>) -> Option<OutcomeSpec> {
    let table = slot.table(HOW_OUTCOME)?;
    table.only(SCALED_KEYS);
    let event = table
        .required("event", HOW_OUTCOME)
        .and_then(|slot| slot.line_of_text());
    let aggregate = table
        .slot("aggregate")
        .map_or(Some(Aggregate::Last), |slot| slot.choice(AGGREGATES));
    let bound = |key: &str| {
        table
            .required(
                key,
                "write the range of the values, such as min = 1 and max = 5",
            )
            .and_then(|slot| slot.number())
    };
    let (min, max) = (bound("min"), bound("max"));
    let default = table.slot("default").map(|slot| slot.number());
    let (min, max) = (min?, max?);
    if min >= max {
        table.problem(
            format!("has min = {min}, not below max = {max}"),
            "min becomes 0 and max becomes 1; write direction = \"decrease\" if less is better",
        );
        return None;
    }
    let default = default.unwrap_or(Some(min))?;
    if !(min..=max).contains(&default) {
        table.problem(
            format!("has default = {default}, outside {min} to {max}"),
            "write the value that stands for a unit that sent none",
        );
        return None;
    }
    Some(OutcomeSpec::Scaled {
        event: event?,
        aggregate: aggregate?,
        min,
        max,
        default,
    })
}

fn read_names(slot: &Slot<'_>) -> Option<Vec<String>> {
    let items = slot.one_or_more();
    if items.len() > MAX_REWARD_EVENTS {
        slot.problem(
            format!(
                "lists {} events; at most {MAX_REWARD_EVENTS} fit",
                items.len()
            ),
            "remove some",
        );
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for item in &items {
        let name = item.line_of_text()?;
        names.push(name);
    }
    names.sort();
    names.dedup();
    Some(names)
}

fn check_negatives(table: &Reader<'_>, reward: &RewardSpec) {
    let counted = reward.events();
    for name in &reward.negative {
        if counted.contains(&name.as_str())
            && let Some(slot) = table.slot("negative")
        {
            slot.problem(
                format!("names \"{name}\", which also counts as success"),
                "an event either makes a success or revokes one: remove it from one of the two",
            );
        }
    }
}
