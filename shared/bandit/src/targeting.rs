//! Who is eligible: typed matchers on the attributes a caller sends.
//!
//! - All attributes must match; an empty targeting matches everyone.
//! - Numbers compare as numbers: `1` equals `1.0`. Text, numbers and flags never equal each other, and text is
//!   compared letter by letter.
//! - An attribute that is missing, or sent as JSON `null`, does not match: neither a value nor `not`. Only
//!   `exists = false` wants it missing.
//! - An attribute that is a list matches if one of its elements does, by all of `any_of`, `min`, `max` and
//!   `prefix` together; `not` wants none of its elements among the excluded.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::spec::model::Attributes;

/// Matchers by attribute; all must match. Empty matches everyone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Targeting(pub BTreeMap<String, Matcher>);

/// A condition on one attribute; all parts that are set must hold. A missing attribute does not match,
/// except with `exists = false`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    /// Equal to one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<serde_json::Value>,
    /// Equal to none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<serde_json::Value>,
    /// A number of at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// A number of at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// A text that starts with one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefix: Vec<String>,
    /// Present, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}

impl Targeting {
    /// Whether a unit with these attributes is eligible.
    pub fn matches(&self, attributes: &Attributes) -> bool {
        self.0
            .iter()
            .all(|(name, matcher)| matcher.matches(attributes.get(name)))
    }

    /// Every condition with what it met: the attribute, such as `"FR", wanted "SN" or "CI"`, and whether it holds.
    pub fn explain(&self, attributes: &Attributes) -> Vec<(String, String, bool)> {
        self.0
            .iter()
            .map(|(name, matcher)| {
                let value = attributes.get(name);
                let met = present(value).map_or_else(|| "missing".to_owned(), shown);
                (
                    name.clone(),
                    format!("{met}, wanted {matcher}"),
                    matcher.matches(value),
                )
            })
            .collect()
    }
}

/// The longest value that an explanation quotes; callers may send anything.
const MAX_SHOWN_CHARS: usize = 80;

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_SHOWN_CHARS {
        return text;
    }
    let start: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    format!("{start}...")
}

/// JSON's `null` is how many callers say "none".
fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

impl Matcher {
    /// Whether the attribute's value, if it has one, meets the condition.
    pub fn matches(&self, value: Option<&Value>) -> bool {
        let Some(value) = present(value) else {
            return self.exists == Some(false);
        };
        if self.exists == Some(false) {
            return false;
        }
        match value {
            Value::Array(elements) => {
                let wanted = !self.wants_a_value() || elements.iter().any(|it| self.wants(it));
                wanted && !elements.iter().any(|it| self.excludes(it))
            }
            single => self.wants(single) && !self.excludes(single),
        }
    }

    fn wants_a_value(&self) -> bool {
        !self.any_of.is_empty()
            || self.min.is_some()
            || self.max.is_some()
            || !self.prefix.is_empty()
    }

    fn wants(&self, value: &Value) -> bool {
        let listed = self.any_of.is_empty() || self.any_of.iter().any(|it| equal(it, value));
        let above = self.min.is_none_or(|min| at_least(value, min));
        let below = self.max.is_none_or(|max| at_most(value, max));
        let starts = self.prefix.is_empty() || self.starts_well(value);
        listed && above && below && starts
    }

    fn excludes(&self, value: &Value) -> bool {
        self.not.iter().any(|it| equal(it, value))
    }

    fn starts_well(&self, value: &Value) -> bool {
        value
            .as_str()
            .is_some_and(|text| self.prefix.iter().any(|start| text.starts_with(start)))
    }
}

fn at_least(value: &Value, min: f64) -> bool {
    value.as_f64().is_some_and(|number| number >= min)
}

fn at_most(value: &Value, max: f64) -> bool {
    value.as_f64().is_some_and(|number| number <= max)
}

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

impl fmt::Display for Matcher {
    /// Such as `"SN" or "CI"`, `at least 10`, `not "fr"` or `missing`; long lists are cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(MAX_LISTED))
    }
}

/// At most so many values of a list are spelled out where a matcher is only mentioned.
const MAX_LISTED: usize = 8;

impl Matcher {
    /// The condition in words, with all its values.
    pub(crate) fn whole(&self) -> String {
        self.in_words(usize::MAX)
    }

    fn in_words(&self, most: usize) -> String {
        let Self {
            any_of,
            not,
            min,
            max,
            prefix,
            exists,
        } = self;
        let mut parts = Vec::new();
        parts.extend(listed("", any_of, most));
        parts.extend(min.map(|min| format!("at least {min}")));
        parts.extend(max.map(|max| format!("at most {max}")));
        parts.extend(listed("starting with ", prefix, most));
        parts.extend(listed("not ", not, most));
        parts.extend(exists.map(|exists| if exists { "any value" } else { "missing" }.to_owned()));
        parts.join(", ")
    }
}

fn listed<T: Serialize>(before: &str, values: &[T], most: usize) -> Option<String> {
    if values.is_empty() {
        return None;
    }
    let mut words: Vec<String> = values
        .iter()
        .take(most)
        .map(|value| serde_json::json!(value).to_string())
        .collect();
    if values.len() > most {
        words.push(format!("{} more", values.len() - most));
    }
    Some(format!("{before}{}", words.join(" or ")))
}
