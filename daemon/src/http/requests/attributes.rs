//! The attributes of an assign, from a tree to values.

use serde_json::Value;

use super::super::json::{Fields, Loose};
use super::too_many_fields;
use crate::calls::{Collector, Problem};

pub(super) fn attributes(value: Option<Loose<'_>>) -> Result<Collector, Problem> {
    match value {
        None | Some(Loose::Null) => Ok(Collector::default()),
        Some(Loose::Object(fields)) => collect(fields),
        Some(Loose::TooLong) => Err(too_many_fields()),
        Some(other) => Err(Problem::field(
            "attributes",
            format!("`attributes` is {}; send an object", other.kind()),
        )),
    }
}

fn collect(fields: Fields<'_>) -> Result<Collector, Problem> {
    let mut collected = Collector::for_entries(fields.len())?;
    for (name, value) in fields {
        collected.put(&name, self::value(value))?;
    }
    Ok(collected)
}

fn value(value: Loose<'_>) -> Option<Value> {
    match value {
        Loose::List(list) => list.into_iter().map(scalar).collect(),
        other => scalar(other),
    }
}

fn scalar(value: Loose<'_>) -> Option<Value> {
    match value {
        Loose::Null => Some(Value::Null),
        Loose::Flag(flag) => Some(Value::Bool(flag)),
        Loose::Integer(number) => Some(integer(number)),
        Loose::Number(number) => Some(Value::from(number)),
        Loose::Text(text) => Some(Value::String(text.into_owned())),
        Loose::List(_) | Loose::Object(_) | Loose::TooLong | Loose::TooDeep => None,
    }
}

/// The reader gives 64-bit numbers only; the wider type holds both of their ranges.
fn integer(number: i128) -> Value {
    if let Ok(number) = i64::try_from(number) {
        return Value::from(number);
    }
    u64::try_from(number).map_or(Value::Null, Value::from)
}
