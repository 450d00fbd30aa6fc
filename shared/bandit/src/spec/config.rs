//! An arm's configuration: a TOML value, or JSON in a string, as one JSON value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use crate::spec::limits::{MAX_CONFIG_BYTES, MAX_CONFIG_DEPTH, MAX_FILE_BYTES};
use crate::spec::reader::Reader;
use crate::spec::scalar::{finite, integer};
use crate::spec::slot::Slot;

/// The configuration of an arm: `config`, `config_json`, or an empty object.
pub(super) fn read(arm: &Reader<'_>) -> Option<Value> {
    let (toml, json) = (arm.slot("config"), arm.slot("config_json"));
    let slot = match (toml, json) {
        (None, None) => return Some(Value::Object(Map::new())),
        (Some(toml), None) => (from_toml(&toml, toml.value(), 0)?, toml),
        (None, Some(json)) => (from_json(&json)?, json),
        (Some(_), Some(json)) => {
            json.problem_named("is declared beside `config`", "keep one of the two");
            return None;
        }
    };
    let (config, slot) = slot;
    if has_nul(&config) {
        slot.problem_nul();
        return None;
    }
    check_size(&slot, &config)?;
    Some(config)
}

/// PostgreSQL's text and jsonb refuse this one character.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(object) => object
            .iter()
            .any(|(key, value)| key.contains('\0') || has_nul(value)),
    }
}

fn check_size(slot: &Slot<'_>, config: &Value) -> Option<()> {
    let bytes = config.to_string().len();
    if bytes > MAX_CONFIG_BYTES {
        slot.problem(
            format!("has {bytes} bytes as JSON; at most {MAX_CONFIG_BYTES} fit"),
            "it is part of every answer: send an identifier and keep the large part in the service",
        );
        return None;
    }
    Some(())
}

fn from_toml(slot: &Slot<'_>, value: &DeValue<'_>, depth: usize) -> Option<Value> {
    if depth > MAX_CONFIG_DEPTH {
        too_deep(slot, 0);
        return None;
    }
    match value {
        DeValue::String(text) => Some(Value::String(text.as_ref().to_owned())),
        DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
        DeValue::Integer(number) => integer(value).map(Value::from).or_else(|| {
            slot.problem(
                format!("holds {number}, which does not fit 64 bits"),
                "write it in quotes",
            );
            None
        }),
        DeValue::Float(number) => finite(value)
            .and_then(Number::from_f64)
            .map(Value::Number)
            .or_else(|| {
                slot.problem(
                    format!("holds {}, which JSON cannot say", number.as_str()),
                    "write it in quotes, or leave it out",
                );
                None
            }),
        DeValue::Datetime(instant) => {
            slot.problem(
                format!("holds the date {instant}, which JSON cannot say"),
                "write it in quotes",
            );
            None
        }
        DeValue::Array(items) => items
            .iter()
            .map(|item| from_toml(slot, item.get_ref(), depth + 1))
            .collect(),
        DeValue::Table(table) => object(slot, table, depth),
    }
}

fn object(slot: &Slot<'_>, table: &DeTable<'_>, depth: usize) -> Option<Value> {
    let mut object = Map::new();
    for (key, value) in table {
        let value = from_toml(slot, value.get_ref(), depth + 1)?;
        object.insert(key.get_ref().as_ref().to_owned(), value);
    }
    Some(Value::Object(object))
}

fn too_deep(slot: &Slot<'_>, lines_below: u32) {
    slot.problem_below(
        lines_below,
        &format!("is more than {MAX_CONFIG_DEPTH} levels deep"),
        "flatten it",
    );
}

fn from_json(slot: &Slot<'_>) -> Option<Value> {
    let text = slot.text(MAX_FILE_BYTES)?;
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let parsed = Strict { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match parsed {
        Ok(value) => Some(value),
        Err(error) => {
            let lines_below = line_below(slot, error.line());
            slot.problem_below(
                lines_below,
                &format!("cannot be read as JSON: {}", without_place(&error)),
                "correct it, or write `config` as a TOML table",
            );
            None
        }
    }
}

/// How many lines below the opening quotes the `line`th line of the string is. A line break right after
/// three quotes is not part of the string.
fn line_below(slot: &Slot<'_>, line: usize) -> u32 {
    let within = u32::try_from(line.saturating_sub(1)).unwrap_or(u32::MAX);
    within.saturating_add(u32::from(slot.opens_with_line_break()))
}

/// The message alone: serde's own line and column count from the start of the string.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// JSON that says each key once and is not too deep.
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > MAX_CONFIG_DEPTH {
            return Err(serde::de::Error::custom(format!(
                "more than {MAX_CONFIG_DEPTH} levels deep"
            )));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let depth = self.depth + 1;
        while let Some(item) = items.next_element_seed(Strict { depth })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let depth = self.depth + 1;
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(serde::de::Error::custom(format!(
                    "the key `{key}` is there twice"
                )));
            }
            object.insert(key, entries.next_value_seed(Strict { depth })?);
        }
        Ok(Value::Object(object))
    }
}
