//! What a caller knows about a unit: texts, numbers and flags by name, and lists of them.

use bandit::spec::model::Attributes;
use serde_json::Value;

use super::problem::Problem;

/// Attributes of one request: targeting looks at a handful.
const MAX_ATTRIBUTES: usize = 64;

/// Longest name or text of an attribute, in bytes.
const MAX_TEXT_LEN: usize = 1_024;

/// Longest list of an attribute.
const MAX_LIST: usize = 64;

/// Takes attributes one by one, each checked.
#[derive(Debug, Default)]
pub(crate) struct Collector(Attributes);

impl Collector {
    /// For so many.
    pub(crate) fn for_entries(count: usize) -> Result<Self, Problem> {
        if count > MAX_ATTRIBUTES {
            return Err(Problem::field(
                "attributes",
                format!("`attributes` has {count} entries; the most is {MAX_ATTRIBUTES}"),
            ));
        }
        Ok(Self::default())
    }

    /// Takes one. `None` is a value that has no form here: it is nested, or too long to be kept.
    pub(crate) fn put(&mut self, name: &str, value: Option<Value>) -> Result<(), Problem> {
        if name.len() > MAX_TEXT_LEN {
            return Err(about("...", "has a name of more than 1024 bytes"));
        }
        let Some(value) = value else {
            return Err(about(name, NESTED));
        };
        check(&value).map_err(|wrong| about(name, wrong))?;
        if self.0.insert(name.to_owned(), value).is_some() {
            return Err(about(name, "comes twice"));
        }
        Ok(())
    }

    pub(super) fn done(self) -> Attributes {
        self.0
    }
}

const NESTED: &str = "is nested or too long: send a text, a number, a boolean or a list of them";

fn check(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Array(list) if list.len() > MAX_LIST => Err("is a list of more than 64"),
        Value::Array(list) => list.iter().try_for_each(check_scalar),
        scalar => check_scalar(scalar),
    }
}

fn check_scalar(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::String(text) if text.len() > MAX_TEXT_LEN => Err("has more than 1024 bytes"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        Value::Array(_) | Value::Object(_) => Err(NESTED),
    }
}

fn about(name: &str, wrong: &str) -> Problem {
    let shown: String = name.chars().take(64).collect();
    Problem::field(
        format!("attributes.{shown}"),
        format!("the attribute `{shown}` {wrong}"),
    )
}
