//! The configuration file: TOML, one level, unknown keys refused.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigProblem};
use super::key::{KEYS, Key};
use super::layers::Origin;
use super::suggest::nearest;

/// The values by key name, each with its line.
pub(super) fn parse(
    path: &Path,
    text: &str,
) -> Result<BTreeMap<&'static str, (String, Origin)>, ConfigError> {
    let at = |offset: usize| Origin::File(path.to_owned(), line_of(text, offset));
    let table = DeTable::parse(text).map_err(|error| ConfigError {
        problems: vec![ConfigProblem::NotToml {
            origin: at(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        }],
    })?;
    let mut values = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, value) in table.get_ref() {
        let origin = at(name.span().start);
        let Some(key) = Key::find(name.get_ref()) else {
            problems.push(ConfigProblem::UnknownKey {
                origin,
                name: name.get_ref().to_string(),
                suggestion: nearest(name.get_ref(), KEYS.iter().map(|key| key.name)),
            });
            continue;
        };
        match as_text(value.get_ref()) {
            Some(text) => {
                values.insert(key.name, (text, origin));
            }
            None => problems.push(ConfigProblem::BadValue {
                origin,
                key: key.name,
                message: format!(
                    "a text, a whole number or true/false goes here, not {}",
                    value.get_ref().type_str()
                ),
            }),
        }
    }
    if problems.is_empty() {
        return Ok(values);
    }
    Err(ConfigError { problems })
}

fn as_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(on) => Some(on.to_string()),
        _ => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}
