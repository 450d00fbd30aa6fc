//! TOML text of single values, each of which reads back as the same value.

use serde_json::Value;

use crate::experiment::Share;

/// The longest inline table that still reads well on a screen of 100 columns.
const MAX_INLINE_CHARS: usize = 80;

/// A string in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        escape(letter, &mut out);
    }
    out.push('"');
    out
}

/// A text of several lines in three double quotes; of one line as usual.
pub(super) fn paragraph(text: &str) -> String {
    if !text.contains('\n') {
        return quoted(text);
    }
    let mut out = String::from("\"\"\"\n");
    for letter in text.chars() {
        match letter {
            '\n' => out.push('\n'),
            other => escape(other, &mut out),
        }
    }
    out.push_str("\"\"\"");
    out
}

fn escape(letter: char, out: &mut String) {
    match letter {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other if other.is_control() => {
            let code = format!("\\u{:04X}", u32::from(other));
            out.push_str(&code);
        }
        other => out.push(other),
    }
}

/// A key, quoted if it must be.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if bare { name.to_owned() } else { quoted(name) }
}

/// A list of values that are text already.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(", "))
}

/// One value alone, several as a list.
pub(super) fn one_or_more(items: impl IntoIterator<Item = String>) -> String {
    let mut items: Vec<String> = items.into_iter().collect();
    match items.len() {
        1 => items.remove(0),
        _ => list(items),
    }
}

/// An inline table of the entries that are there.
pub(super) fn table(entries: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let entries: Vec<String> = entries
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} = {}", value?)))
        .collect();
    format!("{{ {} }}", entries.join(", "))
}

/// A finite number.
pub(super) fn number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}").replace("-0", if number == 0.0 { "0" } else { "-0" });
    }
    format!("{number:?}")
}

/// A share as a percentage, or as a number where that would not be the same share.
pub(super) fn share(share: Share) -> String {
    let text = share.to_string();
    if text.ends_with('%') {
        return quoted(&text);
    }
    number(share.get())
}

/// A JSON value in TOML; `None` if TOML cannot say it or an inline table would be too long to read.
pub(super) fn inline(value: &Value) -> Option<String> {
    let text = whole_inline(value)?;
    Some(text).filter(|text| text.chars().count() <= MAX_INLINE_CHARS || !value.is_object())
}

fn whole_inline(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(flag.to_string()),
        // `{:?}` keeps the point of a float, so that 1.0 stays a float.
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Some(whole.to_string()),
            (None, Some(float)) if number.is_f64() => Some(format!("{float:?}")),
            _ => None,
        },
        Value::String(text) => Some(quoted(text)),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(whole_inline).collect();
            items.map(list)
        }
        Value::Object(object) if object.is_empty() => Some("{}".to_owned()),
        Value::Object(object) => {
            let entries: Option<Vec<String>> = object
                .iter()
                .map(|(name, value)| Some(format!("{} = {}", key(name), whole_inline(value)?)))
                .collect();
            entries.map(|entries| format!("{{ {} }}", entries.join(", ")))
        }
    }
}

/// JSON in a string, on lines of its own where that is possible.
pub(super) fn json(value: &Value) -> String {
    let pretty = format!("{value:#}");
    let plain = !pretty.contains("'''")
        && !pretty
            .chars()
            .any(|letter| letter.is_control() && letter != '\n');
    if plain {
        return format!("'''\n{pretty}\n'''");
    }
    quoted(&value.to_string())
}
