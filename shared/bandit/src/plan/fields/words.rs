//! Values of fields as short text.

use serde_json::Value;

/// What stands where there is no value.
pub(in crate::plan) const NONE: &str = "(none)";

/// The longest text of a value; the spec itself has the whole.
const MAX_CHARS: usize = 120;

/// An optional value.
pub(in crate::plan) fn or_none<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| NONE.to_owned(), ToString::to_string)
}

/// A list of words.
pub(in crate::plan) fn list<T: ToString>(values: &[T]) -> String {
    if values.is_empty() {
        return NONE.to_owned();
    }
    let words: Vec<String> = values.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// Two different texts, each cut to fit a line around the place where they begin to differ.
pub(in crate::plan) fn cut(from: &str, to: &str) -> (String, String) {
    let same = from
        .chars()
        .zip(to.chars())
        .take_while(|(one, other)| one == other)
        .count();
    // A third of the line leads up to the difference.
    let start = same.saturating_sub(MAX_CHARS / 3);
    (window(from, start), window(to, start))
}

fn window(text: &str, start: usize) -> String {
    let length = text.chars().count();
    if length <= MAX_CHARS {
        return text.to_owned();
    }
    let before = if start > 0 { "..." } else { "" };
    let after = if length > start + MAX_CHARS {
        "..."
    } else {
        ""
    };
    let shown: String = text.chars().skip(start).take(MAX_CHARS).collect();
    format!("{before}{shown}{after}")
}

/// Whether two JSON values are the same to a caller. A float that a database wrote without its point is the same.
pub(in crate::plan) fn same_json(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.as_f64() == b.as_f64() && a.as_f64().is_some_and(|a| a.abs() >= 1e15))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same_json(a, b)))
        }
        _ => one == other,
    }
}
