//! Fields of a body, each at most once and of its type.

use super::super::json::Loose;
use crate::calls::{Problem, check_text};

/// A field that may come once. Twice is refused: which of two values a caller meant cannot be known, and
/// parsers between it and us may disagree.
pub(super) struct Once<'a> {
    pub(super) value: Option<Loose<'a>>,
}

impl<'a> Once<'a> {
    pub(super) fn new() -> Self {
        Self { value: None }
    }

    pub(super) fn set(&mut self, name: &str, value: Loose<'a>) -> Result<(), Problem> {
        if self.value.is_some() {
            return Err(Problem::field(
                name,
                format!("`{name}` comes twice, or together with its other name"),
            ));
        }
        self.value = Some(value);
        Ok(())
    }
}

/// A boolean, if there is one.
pub(super) fn flag(name: &'static str, value: Option<Loose<'_>>) -> Result<Option<bool>, Problem> {
    match value {
        None | Some(Loose::Null) => Ok(None),
        Some(Loose::Flag(flag)) => Ok(Some(flag)),
        Some(other) => Err(wrong(name, &other, "true or false")),
    }
}

/// A finite number, if there is one.
pub(super) fn number(name: &'static str, value: Option<Loose<'_>>) -> Result<Option<f64>, Problem> {
    match value {
        None | Some(Loose::Null) => Ok(None),
        Some(Loose::Number(number)) => Ok(Some(number)),
        Some(Loose::Integer(number)) => Ok(Some(number as f64)),
        Some(other) => Err(wrong(name, &other, "a number")),
    }
}

/// A text of 1 to `max_len` bytes without control characters, if there is one.
pub(super) fn text(
    name: &'static str,
    value: Option<Loose<'_>>,
    max_len: usize,
) -> Result<Option<String>, Problem> {
    let text = match value {
        None | Some(Loose::Null) => return Ok(None),
        Some(Loose::Text(text)) => text,
        Some(other) => return Err(wrong(name, &other, "a text")),
    };
    check_text(name, &text, max_len)?;
    Ok(Some(text.into_owned()))
}

fn wrong(name: &'static str, got: &Loose<'_>, want: &str) -> Problem {
    Problem::field(name, format!("`{name}` is {}; send {want}", got.kind()))
}
