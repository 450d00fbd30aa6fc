//! Targeting on one line: `country = DE, AT; age >= 18; plan != free; beta exists`.

use bandit::targeting::{Matcher, Targeting};
use serde_json::Value;

const OPERATORS: [&str; 5] = [">=", "<=", "!=", "^=", "="];

/// Understand a line; empty matches everyone.
pub fn parse(text: &str) -> Result<Targeting, String> {
    let mut targeting = Targeting::default();
    for part in text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (attribute, condition) = condition(part)?;
        let matcher = targeting.0.entry(attribute.to_owned()).or_default();
        condition.add_to(matcher);
    }
    Ok(targeting)
}

enum Condition {
    AnyOf(Vec<Value>),
    Not(Vec<Value>),
    Min(f64),
    Max(f64),
    Prefix(Vec<String>),
    Exists(bool),
}

impl Condition {
    fn add_to(self, matcher: &mut Matcher) {
        match self {
            Self::AnyOf(values) => matcher.any_of.extend(values),
            Self::Not(values) => matcher.not.extend(values),
            Self::Min(min) => matcher.min = Some(min),
            Self::Max(max) => matcher.max = Some(max),
            Self::Prefix(prefixes) => matcher.prefix.extend(prefixes),
            Self::Exists(exists) => matcher.exists = Some(exists),
        }
    }
}

fn condition(part: &str) -> Result<(&str, Condition), String> {
    for (word, exists) in [(" exists", true), (" missing", false)] {
        if let Some(attribute) = part.strip_suffix(word) {
            return Ok((attribute.trim(), Condition::Exists(exists)));
        }
    }
    for operator in OPERATORS {
        let Some((attribute, text)) = part.split_once(operator) else {
            continue;
        };
        let (attribute, text) = (attribute.trim(), text.trim());
        if attribute.is_empty() || text.is_empty() {
            break;
        }
        return Ok((attribute, compared(operator, text)?));
    }
    Err(format!(
        "`{part}` is not a condition; use = != >= <= ^= exists or missing"
    ))
}

fn compared(operator: &str, text: &str) -> Result<Condition, String> {
    let number = || {
        text.parse::<f64>()
            .map_err(|_| format!("`{text}` is not a number"))
    };
    let parts = text.split(',').map(str::trim);
    Ok(match operator {
        ">=" => Condition::Min(number()?),
        "<=" => Condition::Max(number()?),
        "!=" => Condition::Not(parts.map(value).collect()),
        "^=" => Condition::Prefix(parts.map(str::to_owned).collect()),
        _ => Condition::AnyOf(parts.map(value).collect()),
    })
}

/// Numbers and flags are what they look like; everything else, and what is quoted, is text.
fn value(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::String(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_on_one_attribute_add_up() {
        let targeting = parse("country = DE, AT; age >= 18; age <= 99; mail exists").expect("good");
        assert_eq!(targeting.0["age"].min, Some(18.0));
        assert_eq!(targeting.0["age"].max, Some(99.0));
        assert_eq!(targeting.0["country"].any_of, ["DE", "AT"]);
        assert_eq!(targeting.0["mail"].exists, Some(true));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for bad in ["country", "age >= old", "= 5", "x ="] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
