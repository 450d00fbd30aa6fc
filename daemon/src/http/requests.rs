//! What callers may send: bodies turned into typed requests, each problem named by its field.

mod attributes;
mod fields;
mod track;

use bandit::spec::model::Attributes;

use super::json::{self, Loose};
use super::problem::{Code, Problem};
use fields::Once;

pub(super) use track::{TrackItem, track, track_batch};

/// Longest unit id, in bytes: an e-mail address has at most 254, a URL-shaped id may have more.
const MAX_UNIT_LEN: usize = 512;

/// A valid assign request.
#[derive(Debug, PartialEq)]
pub(super) struct Assign {
    /// The unit's id, as the caller calls it; hashed before anything else happens to it.
    pub(super) unit: String,
    /// What is known about the unit.
    pub(super) attributes: Attributes,
    /// Whether the unit meets its arm now; `false` holds the exposure back.
    pub(super) expose: bool,
}

/// Reads the body of an assign.
pub(super) fn assign(body: &[u8]) -> Result<Assign, Problem> {
    let mut unit = Once::new();
    let mut attributes = Once::new();
    let mut expose = Once::new();
    for (name, value) in object(body)? {
        match name.as_ref() {
            "unit" | "user_id" => unit.set(&name, value)?,
            "attributes" => attributes.set(&name, value)?,
            "expose" => expose.set(&name, value)?,
            _ => return Err(unknown_field(&name, "unit, attributes, expose")),
        }
    }
    Ok(Assign {
        unit: self::unit(unit.value)?,
        attributes: attributes::attributes(attributes.value)?,
        expose: fields::flag("expose", expose.value)?.unwrap_or(true),
    })
}

/// Reads the body of an expose: the unit's id.
pub(super) fn expose(body: &[u8]) -> Result<String, Problem> {
    let mut unit = Once::new();
    for (name, value) in object(body)? {
        match name.as_ref() {
            "unit" | "user_id" => unit.set(&name, value)?,
            _ => return Err(unknown_field(&name, "unit")),
        }
    }
    self::unit(unit.value)
}

fn object(body: &[u8]) -> Result<json::Fields<'_>, Problem> {
    match json::parse(body).map_err(|error| not_json(&error))? {
        Loose::Object(fields) => Ok(fields),
        Loose::TooLong => Err(too_many_fields()),
        other => Err(Problem::new(
            Code::Invalid,
            format!("the body is {}; send a JSON object", other.kind()),
        )),
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(Code::Invalid, format!("the body is not JSON: {error}"))
}

fn too_many_fields() -> Problem {
    Problem::new(
        Code::Invalid,
        format!("the object has more than {} fields", json::MAX_FIELDS),
    )
}

fn unknown_field(name: &str, known: &str) -> Problem {
    let shown: String = name.chars().take(64).collect();
    Problem::field(
        &shown,
        format!("`{shown}` is not known here; known: {known}"),
    )
}

/// The unit's id: a text, or a whole number in its decimal form.
fn unit(value: Option<Loose<'_>>) -> Result<String, Problem> {
    let text = match value {
        None | Some(Loose::Null) => return Err(Problem::missing_unit()),
        Some(Loose::Text(text)) => text.into_owned(),
        Some(Loose::Integer(number)) => number.to_string(),
        Some(other) => {
            return Err(Problem::field(
                "unit",
                format!("`unit` is {}; send a text or a whole number", other.kind()),
            ));
        }
    };
    if text.is_empty() {
        return Err(Problem::missing_unit());
    }
    if text.len() > MAX_UNIT_LEN {
        return Err(Problem::field(
            "unit",
            format!(
                "`unit` has {} bytes; the most is {MAX_UNIT_LEN}",
                text.len()
            ),
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
