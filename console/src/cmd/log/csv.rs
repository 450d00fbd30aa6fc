//! Comma-separated rows under a heading line.

use csv::{ByteRecord, ReaderBuilder};

use super::columns::{Columns, Propensity};
use super::source::Source;
use super::{Sink, Written};
use crate::cmd::Failure;

/// Where the columns are.
struct Places {
    arm: usize,
    reward: usize,
    propensity: Result<usize, f64>,
    position: Option<usize>,
}

pub(super) fn each(
    source: Source,
    columns: &mut Columns,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let path = source.path().to_owned();
    let unreadable = |error: csv::Error| Failure::Unreadable {
        path: path.clone(),
        source: std::io::Error::other(error),
    };
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(source);
    let heading = reader.byte_headers().map_err(unreadable)?.clone();
    let places = places(&heading, columns)?;
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => return Err(unreadable(error)),
        }
        let line = record.position().map_or(0, csv::Position::line);
        sink(line, written(&record, &heading, &places))?;
    }
}

fn places(heading: &ByteRecord, columns: &mut Columns) -> Result<Places, Failure> {
    let names: Vec<&str> = heading
        .iter()
        .map(|name| std::str::from_utf8(name).unwrap_or_default().trim())
        .collect();
    let found = columns.find(&names)?;
    let place = |name: &str| {
        let place = names.iter().position(|there| *there == name);
        place.expect("found among the names")
    };
    Ok(Places {
        arm: place(&found.arm),
        reward: place(&found.reward),
        propensity: match &found.propensity {
            Propensity::Column(name) => Ok(place(name)),
            Propensity::Constant(number) => Err(*number),
        },
        position: found.position.as_deref().map(place),
    })
}

fn written<'r>(
    record: &'r ByteRecord,
    heading: &ByteRecord,
    places: &Places,
) -> Result<Written<'r>, String> {
    let text = |place: usize| match record.get(place).map(std::str::from_utf8) {
        Some(Ok(text)) if !text.trim().is_empty() => Ok(text.trim()),
        Some(Err(_)) => Err(format!("the {} is not UTF-8", name(heading, place))),
        _ => Err(format!("the {} is missing", name(heading, place))),
    };
    let number = |place: usize| {
        let text = text(place)?;
        text.parse::<f64>()
            .map_err(|_| format!("the {} `{text}` is not a number", name(heading, place)))
    };
    Ok(Written {
        arm: text(places.arm)?,
        cell: places.position.map_or(Ok(""), text)?,
        reward: number(places.reward)?,
        propensity: match places.propensity {
            Ok(place) => number(place)?,
            Err(constant) => constant,
        },
    })
}

fn name(heading: &ByteRecord, place: usize) -> String {
    String::from_utf8_lossy(heading.get(place).unwrap_or_default()).into_owned()
}
