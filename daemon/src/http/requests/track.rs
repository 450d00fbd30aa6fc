//! Tracked events: one in a body, or a batch as an array, as `{"items": [...]}`, or one a line.

use chrono::{DateTime, Utc};

use super::super::json::{self, Fields, Loose, MAX_LIST};
use super::fields::{self, Once};
use super::{not_json, object, too_many_fields, unit, unknown_field, usual};
use crate::calls::{Code, EventFields, MAX_NAME_LEN, Problem, TrackItem};

/// The items of a batch, in the caller's order; a bad one does not spoil the others.
pub(in crate::http) type Items = Vec<Result<TrackItem, Problem>>;

/// Reads the body of a track to one experiment.
pub(in crate::http) fn track(body: &[u8]) -> Result<TrackItem, Problem> {
    let item = item(object(body)?)?;
    if item.experiment().is_some() {
        return Err(unknown_field("experiment", "unit, event, value, id, at"));
    }
    Ok(item)
}

/// Reads a batch. `lines`: one JSON object a line, instead of one JSON value.
pub(in crate::http) fn track_batch(body: &[u8], lines: bool) -> Result<Items, Problem> {
    if lines {
        return by_line(body);
    }
    match usual::batch(body) {
        Some(items) => Ok(items),
        None => one_value(body),
    }
}

/// Reads whatever JSON value a batch may be, and tells what is wrong with it.
pub(super) fn one_value(body: &[u8]) -> Result<Items, Problem> {
    match json::parse(body).map_err(|error| not_json(&error))? {
        Loose::List(items) => Ok(items.into_iter().map(one_of_many).collect()),
        Loose::TooLong => Err(too_many_items()),
        Loose::Object(fields) => listed(fields),
        other => Err(Problem::new(
            Code::Invalid,
            format!(
                "the body is {}; send a list of events or {{\"items\": [...]}}",
                other.kind()
            ),
        )),
    }
}

fn by_line(body: &[u8]) -> Result<Items, Problem> {
    let lines = || {
        body.split(|&byte| byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
    };
    if lines().count() > MAX_LIST {
        return Err(too_many_items());
    }
    Ok(lines()
        .map(|line| one_of_many(json::parse(line).map_err(|error| not_json(&error))?))
        .collect())
}

fn listed(fields: Fields<'_>) -> Result<Items, Problem> {
    let mut items = Once::new();
    for (name, value) in fields {
        match name.as_ref() {
            "items" => items.set(&name, value)?,
            _ => return Err(unknown_field(&name, "items")),
        }
    }
    match items.value {
        Some(Loose::List(items)) => Ok(items.into_iter().map(one_of_many).collect()),
        Some(Loose::TooLong) => Err(too_many_items()),
        Some(other) => Err(Problem::field(
            "items",
            format!("`items` is {}; send a list of events", other.kind()),
        )),
        None => Err(Problem::field("items", "`items` is required")),
    }
}

fn too_many_items() -> Problem {
    Problem::new(
        Code::TooLarge,
        format!("a batch has at most {MAX_LIST} events; send the rest in another"),
    )
}

fn one_of_many(value: Loose<'_>) -> Result<TrackItem, Problem> {
    let item = match value {
        Loose::Object(fields) => item(fields)?,
        Loose::TooLong => return Err(too_many_fields()),
        other => {
            return Err(Problem::new(
                Code::Invalid,
                format!("the item is {}; send an object", other.kind()),
            ));
        }
    };
    item.of_batch()
}

fn item(body: Fields<'_>) -> Result<TrackItem, Problem> {
    let (mut experiment, mut unit_id, mut event) = (Once::new(), Once::new(), Once::new());
    let (mut value, mut id, mut at) = (Once::new(), Once::new(), Once::new());
    for (name, found) in body {
        match name.as_ref() {
            "experiment" => experiment.set(&name, found)?,
            "unit" | "user_id" => unit_id.set(&name, found)?,
            "event" | "event_type" => event.set(&name, found)?,
            "value" => value.set(&name, found)?,
            "id" => id.set(&name, found)?,
            "at" => at.set(&name, found)?,
            _ => {
                return Err(unknown_field(
                    &name,
                    "experiment, unit, event, value, id, at",
                ));
            }
        }
    }
    let experiment = fields::text("experiment", experiment.value, MAX_NAME_LEN)?;
    let unit = unit(unit_id.value)?;
    let event = EventFields {
        name: fields::text("event", event.value, MAX_NAME_LEN)?
            .ok_or_else(|| Problem::field("event", "`event` is required: say what happened"))?,
        value: fields::number("value", value.value)?,
        id: fields::text("id", id.value, MAX_NAME_LEN)?,
        at: instant(at.value)?,
    };
    TrackItem::new(experiment, unit, event)
}

/// Longest instant, in bytes: longer than any of RFC 3339 that PostgreSQL can hold.
pub(super) const MAX_INSTANT_LEN: usize = 64;

fn instant(value: Option<Loose<'_>>) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(text) = fields::text("at", value, MAX_INSTANT_LEN)? else {
        return Ok(None);
    };
    let at = DateTime::parse_from_rfc3339(&text).map_err(|_| {
        Problem::field(
            "at",
            format!("`{text}` is not an instant; send RFC 3339 such as 2026-01-31T12:00:00Z"),
        )
    })?;
    Ok(Some(at.to_utc()))
}
