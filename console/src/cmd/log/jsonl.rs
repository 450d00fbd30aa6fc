//! One JSON object a line.

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::{Map, Value};

use super::columns::{Columns, Found, Propensity};
use super::source::Source;
use super::{Sink, Written};
use crate::cmd::Failure;

/// 1 MiB: more than any row, and a file without line ends must not fill the memory.
const LONGEST_LINE: u64 = 1 << 20;

pub(super) fn each(
    source: Source,
    columns: &mut Columns,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let path = source.path().to_owned();
    let mut reader = BufReader::with_capacity(1 << 16, source);
    let mut text = Vec::new();
    let mut line = 0;
    loop {
        text.clear();
        let mut limited = reader.by_ref().take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut text);
        let read = read.map_err(|source| Failure::Unreadable {
            path: path.clone(),
            source,
        })?;
        if read == 0 {
            return Ok(());
        }
        line += 1;
        if read as u64 == LONGEST_LINE && text.last() != Some(&b'\n') {
            let path = path.display();
            return Err(Failure::Usage(format!(
                "{path}:{line}: the line is longer than 1 MiB"
            )));
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let object = match serde_json::from_slice::<Map<String, Value>>(&text) {
            Ok(object) => object,
            Err(error) => {
                sink(line, Err(format!("not a JSON object: {error}")))?;
                continue;
            }
        };
        let names: Vec<&str> = object.keys().map(String::as_str).collect();
        let found = columns.find(&names)?;
        one(&object, found, |written| sink(line, written))?;
    }
}

fn one(
    object: &Map<String, Value>,
    found: &Found,
    sink: impl FnOnce(Result<Written<'_>, String>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let parts = || {
        let arm = text(object, &found.arm)?;
        let cell = match &found.position {
            Some(name) => text(object, name)?,
            None => Cow::Borrowed(""),
        };
        let propensity = match &found.propensity {
            Propensity::Column(name) => number(object, name)?,
            Propensity::Constant(number) => *number,
        };
        Ok((arm, cell, number(object, &found.reward)?, propensity))
    };
    match parts() {
        Ok((arm, cell, reward, propensity)) => sink(Ok(Written {
            arm: &arm,
            cell: &cell,
            reward,
            propensity,
        })),
        Err(reason) => sink(Err(reason)),
    }
}

fn text<'o>(object: &'o Map<String, Value>, name: &str) -> Result<Cow<'o, str>, String> {
    match object.get(name) {
        Some(Value::String(text)) => Ok(Cow::Borrowed(text)),
        Some(Value::Number(number)) => Ok(Cow::Owned(number.to_string())),
        Some(Value::Bool(truth)) => Ok(Cow::Borrowed(if *truth { "true" } else { "false" })),
        _ => Err(format!("the {name} is missing")),
    }
}

fn number(object: &Map<String, Value>, name: &str) -> Result<f64, String> {
    match object.get(name) {
        Some(Value::Number(number)) => number
            .as_f64()
            .ok_or_else(|| format!("the {name} is not finite")),
        Some(Value::Bool(truth)) => Ok(f64::from(u8::from(*truth))),
        Some(Value::String(text)) => text
            .parse()
            .map_err(|_| format!("the {name} `{text}` is not a number")),
        _ => Err(format!("the {name} is missing")),
    }
}
