//! The configuration file: TOML, one level and a table for each alert channel, unknown keys refused.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::channels;
use super::error::{ConfigError, ConfigProblem};
use super::key::{KEYS, Key};
use super::layers::Origin;
use super::suggest::nearest;

/// What a table of an alert channel is called.
const CHANNEL: &str = "alert_channel";

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The values by key name, each with its line.
    pub(super) values: BTreeMap<&'static str, (String, Origin)>,
    /// The alert channels in the order of the file.
    pub(super) channels: Vec<WrittenChannel>,
}

/// One alert channel as it was written.
#[derive(Debug, Clone)]
pub(super) struct WrittenChannel {
    /// Where it begins.
    pub(super) origin: Origin,
    /// Its values.
    pub(super) values: channels::Values,
}

/// Reads the file's `text`.
pub(super) fn parse(path: &Path, text: &str) -> Result<Written, ConfigError> {
    let at = |offset: usize| Origin::File(path.to_owned(), line_of(text, offset));
    let table = DeTable::parse(text).map_err(|error| ConfigError {
        problems: vec![ConfigProblem::NotToml {
            origin: at(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        }],
    })?;
    let mut written = Written::default();
    let mut problems = Vec::new();
    for (name, value) in table.get_ref() {
        let origin = at(name.span().start);
        if name.get_ref() == CHANNEL {
            match channels(value.get_ref(), &at) {
                Ok(channels) => written.channels = channels,
                Err(mut found) => problems.append(&mut found),
            }
            continue;
        }
        let Some(key) = Key::find(name.get_ref()) else {
            let known = KEYS.iter().map(|key| key.name).chain([CHANNEL]);
            problems.push(ConfigProblem::UnknownKey {
                origin,
                name: name.get_ref().to_string(),
                suggestion: nearest(name.get_ref(), known),
            });
            continue;
        };
        match as_text(value.get_ref()) {
            Some(text) => {
                written.values.insert(key.name, (text, origin));
            }
            None => problems.push(bad_type(key.name, origin, value.get_ref())),
        }
    }
    if problems.is_empty() {
        return Ok(written);
    }
    Err(ConfigError { problems })
}

fn bad_type(key: &'static str, origin: Origin, value: &DeValue<'_>) -> ConfigProblem {
    ConfigProblem::BadValue {
        origin,
        key,
        message: format!(
            "a text, a whole number or true/false goes here, not {}",
            value.type_str()
        ),
    }
}

fn channels(
    value: &DeValue<'_>,
    at: &impl Fn(usize) -> Origin,
) -> Result<Vec<WrittenChannel>, Vec<ConfigProblem>> {
    let wrong = |offset: usize| ConfigProblem::BadValue {
        origin: at(offset),
        key: CHANNEL,
        message: "each channel is a table of its own, under [[alert_channel]]".to_owned(),
    };
    let Some(tables) = value.as_array() else {
        return Err(vec![wrong(0)]);
    };
    let mut problems = Vec::new();
    let mut channels = Vec::new();
    for table in tables {
        let start = table.span().start;
        match table.get_ref() {
            DeValue::Table(table) => match channel(table, at(start), at) {
                Ok(channel) => channels.push(channel),
                Err(mut found) => problems.append(&mut found),
            },
            _ => problems.push(wrong(start)),
        }
    }
    if problems.is_empty() {
        return Ok(channels);
    }
    Err(problems)
}

fn channel(
    table: &DeTable<'_>,
    origin: Origin,
    at: &impl Fn(usize) -> Origin,
) -> Result<WrittenChannel, Vec<ConfigProblem>> {
    let mut problems = Vec::new();
    let mut values = BTreeMap::new();
    for (name, value) in table {
        let origin = at(name.span().start);
        let key = channels::KEYS
            .into_iter()
            .find(|key| name.get_ref() == *key);
        let Some(key) = key else {
            problems.push(ConfigProblem::UnknownKey {
                origin,
                name: name.get_ref().to_string(),
                suggestion: nearest(name.get_ref(), channels::KEYS.into_iter()),
            });
            continue;
        };
        match as_texts(value.get_ref()) {
            Some(texts) => {
                values.insert(key, (texts, origin));
            }
            None => problems.push(bad_type(key, origin, value.get_ref())),
        }
    }
    if problems.is_empty() {
        return Ok(WrittenChannel { origin, values });
    }
    Err(problems)
}

/// One text, or a list of them.
fn as_texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(texts) => texts.iter().map(|text| as_text(text.get_ref())).collect(),
        _ => as_text(value).map(|text| vec![text]),
    }
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
