//! Equality and order of attribute values: numbers as numbers, text by letter.

use std::cmp::Ordering;

use serde_json::Value;

/// Equality that takes numbers as numbers.
pub(crate) fn equal(one: &Value, other: &Value) -> bool {
    compare(one, other) == Ordering::Equal
}

/// An order of plain values: flags, numbers by size, text by letter, then everything else by its JSON text.
pub(crate) fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => {
            // Whole numbers are compared as such: as floats, those above 2^53 would meet their neighbours.
            match (whole(one), whole(other)) {
                (Some(one), Some(other)) => one.cmp(&other),
                _ => one
                    .as_f64()
                    .partial_cmp(&other.as_f64())
                    .unwrap_or(Ordering::Equal),
            }
        }
        (Value::String(one), Value::String(other)) => one.cmp(other),
        _ => rank(one)
            .cmp(&rank(other))
            .then_with(|| one.to_string().cmp(&other.to_string())),
    }
}

fn whole(number: &serde_json::Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
