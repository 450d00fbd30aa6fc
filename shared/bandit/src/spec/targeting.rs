//! `targeting`: matchers by attribute, their shorthands, and the ones that contradict each other.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::de::DeValue;

use crate::spec::limits::{MAX_ATTRIBUTES, MAX_LINE_BYTES, MAX_VALUES};
use crate::spec::reader::Reader;
use crate::spec::scalar::{finite, integer};
use crate::spec::slot::Slot;
use crate::targeting::{Matcher, Targeting, compare, equal};

/// The keys of a matcher that is written as a table.
pub(super) const KEYS: &[&str] = &["any_of", "not", "min", "max", "prefix", "exists"];

const HOW: &str =
    "write a value, a list of values, or a table with any_of, not, min, max, prefix or exists";

/// Reads `targeting`. What cannot be read is reported and left out.
pub(super) fn read(experiment: &Reader<'_>) -> Targeting {
    let mut targeting = Targeting::default();
    let Some(slot) = experiment.slot("targeting") else {
        return targeting;
    };
    let Some(table) = slot.table("write a section [experiment.targeting]") else {
        return targeting;
    };
    let slots = table.slots();
    if slots.len() > MAX_ATTRIBUTES {
        slot.problem_named(
            format!(
                "has {} attributes; at most {MAX_ATTRIBUTES} fit",
                slots.len()
            ),
            "decide in the service and send one attribute with the answer",
        );
        return targeting;
    }
    let (bounds, matchers): (Vec<_>, Vec<_>) = slots
        .into_iter()
        .partition(|(name, slot)| bound_of(name, slot).is_some());
    for (name, slot) in matchers {
        if let Some(matcher) = read_matcher(name, &slot) {
            targeting.0.insert(name.to_owned(), matcher);
        }
    }
    for (name, slot) in bounds {
        add_bound(&mut targeting.0, name, &slot);
    }
    targeting
}

/// Which end of which attribute `min_X = 5` or `max_X = 5` is short for.
#[derive(Clone, Copy)]
enum Bound<'a> {
    Min(&'a str),
    Max(&'a str),
}

/// Only with a plain number: `min_age = "x"` and `min_age = { max = 5 }` are about an attribute of that name.
fn bound_of<'a>(name: &'a str, slot: &Slot<'_>) -> Option<Bound<'a>> {
    if !matches!(slot.value(), DeValue::Integer(_) | DeValue::Float(_)) {
        return None;
    }
    let min = name.strip_prefix("min_").map(Bound::Min);
    let max = name.strip_prefix("max_").map(Bound::Max);
    min.or(max)
        .filter(|bound| matches!(bound, Bound::Min(of) | Bound::Max(of) if !of.is_empty()))
}

/// A shorthand joins the table of its attribute; it does not join a value, and does not replace a bound.
fn add_bound(matchers: &mut BTreeMap<String, Matcher>, name: &str, slot: &Slot<'_>) {
    let (Some(bound), Some(number)) = (bound_of(name, slot), slot.number()) else {
        return;
    };
    let (Bound::Min(attribute) | Bound::Max(attribute)) = bound;
    let matcher = matchers.entry(attribute.to_owned()).or_default();
    let place = match bound {
        Bound::Min(_) => &mut matcher.min,
        Bound::Max(_) => &mut matcher.max,
    };
    if place.is_some() {
        slot.problem_named(
            format!("says again what `{attribute}` says already"),
            "keep one of the two",
        );
        return;
    }
    *place = Some(number);
    check_conflicts(attribute, matcher, slot);
}

fn read_matcher(name: &str, slot: &Slot<'_>) -> Option<Matcher> {
    if name.is_empty() || name.len() > MAX_LINE_BYTES || name.chars().any(char::is_control) {
        slot.problem_named(
            "is not the name of an attribute",
            format!("use 1 to {MAX_LINE_BYTES} bytes without control characters"),
        );
        return None;
    }
    let matcher = match slot.value() {
        DeValue::Table(_) => read_table(slot)?,
        _ => Matcher {
            any_of: read_values(slot)?,
            ..Matcher::default()
        },
    };
    check_conflicts(name, &matcher, slot).then_some(matcher)
}

fn read_table(slot: &Slot<'_>) -> Option<Matcher> {
    let table = slot.table(HOW)?;
    table.only(KEYS);
    if table.is_empty() {
        slot.problem("says nothing", HOW);
        return None;
    }
    let values = |key: &str| {
        table
            .slot(key)
            .map_or(Some(vec![]), |slot| read_values(&slot))
    };
    let number = |key: &str| {
        table
            .slot(key)
            .map_or(Some(None), |slot| slot.number().map(Some))
    };
    let (any_of, not) = (values("any_of"), values("not"));
    let (min, max) = (number("min"), number("max"));
    let prefix = table
        .slot("prefix")
        .map_or(Some(vec![]), |slot| read_prefixes(&slot));
    let exists = table
        .slot("exists")
        .map_or(Some(None), |slot| slot.flag().map(Some));
    Some(Matcher {
        any_of: any_of?,
        not: not?,
        min: min?,
        max: max?,
        prefix: prefix?,
        exists: exists?,
    })
}

/// One value or a list, as a set: in order and each once.
fn read_values(slot: &Slot<'_>) -> Option<Vec<Value>> {
    let items = checked_items(slot)?;
    let mut values: Vec<Value> = items.iter().map(read_value).collect::<Option<_>>()?;
    values.sort_by(compare);
    values.dedup_by(|a, b| equal(a, b));
    Some(values)
}

fn checked_items<'a>(slot: &Slot<'a>) -> Option<Vec<Slot<'a>>> {
    let items = slot.one_or_more();
    if items.is_empty() {
        slot.problem(
            "is an empty list: nobody would be eligible",
            "list at least one value",
        );
        return None;
    }
    if items.len() > MAX_VALUES {
        slot.problem(
            format!("lists {} values; at most {MAX_VALUES} fit", items.len()),
            "decide in the service and send one attribute with the answer",
        );
        return None;
    }
    Some(items)
}

fn read_value(slot: &Slot<'_>) -> Option<Value> {
    match slot.value() {
        DeValue::String(_) => slot.text(MAX_LINE_BYTES).map(Value::String),
        DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
        DeValue::Integer(_) if integer(slot.value()).is_some() => {
            integer(slot.value()).map(Value::from)
        }
        other => {
            let number = finite(other)
                .and_then(serde_json::Number::from_f64)
                .map(Value::Number);
            if number.is_none() {
                slot.problem(
                    "is not something to compare with",
                    "write text in quotes, a number, true or false",
                );
            }
            number
        }
    }
}

fn read_prefixes(slot: &Slot<'_>) -> Option<Vec<String>> {
    let items = checked_items(slot)?;
    let mut prefixes: Vec<String> = items
        .iter()
        .map(Slot::line_of_text)
        .collect::<Option<_>>()?;
    prefixes.sort();
    prefixes.dedup();
    Some(prefixes)
}

/// Says what can never match; whether there is nothing to say.
fn check_conflicts(name: &str, matcher: &Matcher, slot: &Slot<'_>) -> bool {
    let Matcher {
        any_of,
        not,
        min,
        max,
        prefix,
        exists,
    } = matcher;
    let bounded = min.is_some() || max.is_some();
    let positive = !any_of.is_empty() || bounded || !prefix.is_empty();
    let excluded = any_of
        .iter()
        .find(|value| not.iter().any(|other| equal(value, other)));
    let conflict = if *exists == Some(false) && (positive || !not.is_empty()) {
        Some((
            "must be absent and have a value".to_owned(),
            "keep one of the two",
        ))
    } else if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        Some((
            format!("wants at least {min} and at most {max}"),
            "swap them",
        ))
    } else if let Some(value) = excluded {
        Some((
            format!("wants {value} and excludes it"),
            "remove it from one of the two",
        ))
    } else if !any_of.is_empty() && (bounded || !prefix.is_empty()) {
        Some((
            "lists values and also limits them".to_owned(),
            "keep the values, or the limits",
        ))
    } else if bounded && !prefix.is_empty() {
        Some((
            "limits a number and wants a text's prefix".to_owned(),
            "keep one of the two",
        ))
    } else {
        None
    };
    if let Some((what, fix)) = &conflict {
        slot.clone()
            .inside(format!("targeting.{name}"))
            .problem_named(
                format!("{what}: nobody would be eligible, or the rule says nothing"),
                *fix,
            );
    }
    conflict.is_none()
}
