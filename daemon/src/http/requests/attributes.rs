//! What a caller knows about a unit: texts, numbers and flags by name, and lists of them.

use bandit::spec::model::Attributes;
use serde_json::Value;

use super::super::json::{Fields, Loose};
use super::super::problem::Problem;
use super::too_many_fields;

/// Attributes of one request: targeting looks at a handful.
const MAX_ATTRIBUTES: usize = 64;

/// Longest name or text of an attribute, in bytes.
const MAX_TEXT_LEN: usize = 1_024;

/// Longest list of an attribute.
const MAX_LIST: usize = 64;

pub(super) fn attributes(value: Option<Loose<'_>>) -> Result<Attributes, Problem> {
    match value {
        None | Some(Loose::Null) => Ok(Attributes::new()),
        Some(Loose::Object(fields)) => collect(fields),
        Some(Loose::TooLong) => Err(too_many_fields()),
        Some(other) => Err(Problem::field(
            "attributes",
            format!("`attributes` is {}; send an object", other.kind()),
        )),
    }
}

fn collect(fields: Fields<'_>) -> Result<Attributes, Problem> {
    if fields.len() > MAX_ATTRIBUTES {
        return Err(Problem::field(
            "attributes",
            format!(
                "`attributes` has {} entries; the most is {MAX_ATTRIBUTES}",
                fields.len()
            ),
        ));
    }
    let mut attributes = Attributes::new();
    for (name, value) in fields {
        if name.len() > MAX_TEXT_LEN {
            return Err(about("...", "has a name of more than 1024 bytes"));
        }
        let value = attribute(value).map_err(|wrong| about(&name, wrong))?;
        if attributes.insert(name.to_string(), value).is_some() {
            return Err(about(&name, "comes twice"));
        }
    }
    Ok(attributes)
}

fn about(name: &str, wrong: &str) -> Problem {
    let shown: String = name.chars().take(64).collect();
    Problem::field(
        format!("attributes.{shown}"),
        format!("the attribute `{shown}` {wrong}"),
    )
}

fn attribute(value: Loose<'_>) -> Result<Value, &'static str> {
    match value {
        Loose::List(list) if list.len() > MAX_LIST => Err("is a list of more than 64"),
        Loose::List(list) => list.into_iter().map(scalar).collect(),
        scalar_or_wrong => scalar(scalar_or_wrong),
    }
}

fn scalar(value: Loose<'_>) -> Result<Value, &'static str> {
    match value {
        Loose::Null => Ok(Value::Null),
        Loose::Flag(flag) => Ok(Value::Bool(flag)),
        Loose::Integer(number) => Ok(integer(number)),
        Loose::Number(number) => Ok(Value::from(number)),
        Loose::Text(text) if text.len() > MAX_TEXT_LEN => Err("has more than 1024 bytes"),
        Loose::Text(text) => Ok(Value::String(text.into_owned())),
        Loose::List(_) | Loose::Object(_) | Loose::TooLong | Loose::TooDeep => {
            Err("is nested or too long: send a text, a number, a boolean or a list of them")
        }
    }
}

/// The reader gives 64-bit numbers only; the wider type holds both of their ranges.
fn integer(number: i128) -> Value {
    if let Ok(number) = i64::try_from(number) {
        return Value::from(number);
    }
    u64::try_from(number).map_or(Value::Null, Value::from)
}
