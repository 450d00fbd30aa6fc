//! What callers may send: bodies turned into typed requests, each problem named by its field.

mod attributes;
mod fields;
mod track;
mod usual;

use super::json::{self, Loose};
use crate::calls::{Assign, Code, Problem, Unit};
use fields::Once;

pub(super) use track::{track, track_batch};

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
    Ok(Assign::new(
        self::unit(unit.value)?,
        attributes::attributes(attributes.value)?,
        fields::flag("expose", expose.value)?.unwrap_or(true),
    ))
}

/// Reads the body of an expose.
pub(super) fn expose(body: &[u8]) -> Result<Unit, Problem> {
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
fn unit(value: Option<Loose<'_>>) -> Result<Unit, Problem> {
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
    Unit::new(text)
}

#[cfg(test)]
mod tests;
