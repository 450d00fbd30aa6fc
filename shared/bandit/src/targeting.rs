//! Who is eligible: typed matchers on the attributes a caller sends.
//!
//! - All attributes must match; an empty targeting matches everyone.
//! - Numbers compare as numbers: `1` equals `1.0`. Text, numbers and flags never equal each other, and text is
//!   compared letter by letter.
//! - An attribute that is missing, or sent as JSON `null`, does not match: neither a value nor `not`. Only
//!   `exists = false` wants it missing.
//! - An attribute that is a list matches if one of its elements does, by all of `any_of`, `min`, `max` and
//!   `prefix` together; `not` wants none of its elements among the excluded.

mod value;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::spec::model::Attributes;

pub(crate) use value::{compare, equal};

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

    /// Whether both say the same, with numbers as numbers: a database may write `1e16` without its exponent.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let Self {
            any_of,
            not,
            min,
            max,
            prefix,
            exists,
        } = self;
        let values = |one: &[Value], two: &[Value]| {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| equal(one, two))
        };
        values(any_of, &other.any_of)
            && values(not, &other.not)
            && *min == other.min
            && *max == other.max
            && *prefix == other.prefix
            && *exists == other.exists
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matcher(spec: Value) -> Matcher {
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn matchers_take_what_they_say() {
        for (spec, value, expected) in [
            (json!({"any_of": ["SN", "CI"]}), json!("CI"), true),
            (json!({"any_of": ["SN"]}), json!("sn"), false),
            (json!({"any_of": [1]}), json!(1.0), true),
            (json!({"any_of": [1]}), json!("1"), false),
            (json!({"any_of": [1]}), json!(true), false),
            (
                json!({"any_of": [9_007_199_254_740_993_i64]}),
                json!(9_007_199_254_740_992_i64),
                false,
            ),
            (json!({"not": ["fr"]}), json!("de"), true),
            (json!({"not": ["fr"]}), json!("fr"), false),
            (json!({"not": [2]}), json!(2.0), false),
            (json!({"min": 10.0}), json!(10), true),
            (json!({"min": 10.0}), json!(9.99), false),
            (json!({"min": 10.0}), json!("12"), false),
            (json!({"min": 1.0, "max": 2.0}), json!(3), false),
            (
                json!({"prefix": ["ios", "android"]}),
                json!("android 14"),
                true,
            ),
            (json!({"prefix": ["ios"]}), json!(5), false),
            (json!({"exists": true}), json!(false), true),
            (json!({"exists": false}), json!("x"), false),
            (json!({"exists": false}), json!(null), true),
            (json!({"any_of": ["x"]}), json!({"x": 1}), false),
        ] {
            assert_eq!(
                matcher(spec.clone()).matches(Some(&value)),
                expected,
                "{spec} {value}"
            );
        }
    }

    #[test]
    fn a_missing_attribute_matches_nothing_but_its_absence() {
        for (spec, expected) in [
            (json!({"any_of": ["x"]}), false),
            (json!({"not": ["x"]}), false),
            (json!({"min": 0.0}), false),
            (json!({"exists": true}), false),
            (json!({"exists": false}), true),
        ] {
            let matcher = matcher(spec.clone());
            assert_eq!(matcher.matches(None), expected, "{spec}");
            assert_eq!(matcher.matches(Some(&Value::Null)), expected, "{spec}");
        }
    }

    #[test]
    fn a_list_matches_by_one_element_and_is_excluded_by_one() {
        for (spec, value, expected) in [
            (json!({"any_of": ["new"]}), json!(["old", "new"]), true),
            (json!({"any_of": ["new"]}), json!([]), false),
            (json!({"min": 2.0, "max": 3.0}), json!([1, 9]), false),
            (json!({"min": 2.0, "max": 3.0}), json!([1, 2.5, 9]), true),
            (json!({"not": ["staff"]}), json!(["new", "staff"]), false),
            (json!({"not": ["staff"]}), json!(["new"]), true),
            (json!({"not": ["staff"]}), json!([]), true),
            (json!({"exists": true}), json!([]), true),
        ] {
            assert_eq!(
                matcher(spec.clone()).matches(Some(&value)),
                expected,
                "{spec} {value}"
            );
        }
    }

    #[test]
    fn an_explanation_names_what_was_met_and_what_was_wanted() {
        let targeting = Targeting(BTreeMap::from([
            (
                "country".to_owned(),
                matcher(json!({"any_of": ["CI", "SN"]})),
            ),
            ("txn".to_owned(), matcher(json!({"min": 10.0}))),
        ]));
        let attributes = Attributes::from([("country".to_owned(), json!("FR"))]);
        assert!(!targeting.matches(&attributes));
        assert_eq!(
            targeting.explain(&attributes),
            [
                (
                    "country".to_owned(),
                    "\"FR\", wanted \"CI\" or \"SN\"".to_owned(),
                    false
                ),
                (
                    "txn".to_owned(),
                    "missing, wanted at least 10".to_owned(),
                    false
                ),
            ]
        );
    }
}
