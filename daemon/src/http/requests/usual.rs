//! The usual batch of events: a list of objects with the right fields of the right types, read straight into events.
//!
//! The careful reader makes a tree of the whole body first, so that it can say what is wrong with which item. Here
//! anything unusual only gives `None`, and the careful reader is asked: what this one understands it understands in
//! the same way, and it never has to explain itself.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer as _, Error, MapAccess, SeqAccess, Visitor};

use super::super::json::{Key, MAX_LIST};
use super::track::{Items, MAX_INSTANT_LEN};
use crate::calls::{EventFields, TrackItem, Unit};

/// Reads a batch, or leaves it to the careful reader.
pub(super) fn batch(body: &[u8]) -> Option<Items> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let items = reader.deserialize_seq(Batch).ok()?;
    reader.end().ok()?;
    Some(items)
}

struct Batch;

impl<'de> Visitor<'de> for Batch {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
        let mut items = Items::new();
        while let Some(Item(item)) = list.next_element()? {
            if items.len() == MAX_LIST {
                return Err(unusual());
            }
            items.push(Ok(item));
        }
        Ok(items)
    }
}

struct Item(TrackItem);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(Fields).map(Item)
    }
}

/// Not derived: a derived reader also takes a list of the fields' values.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = TrackItem;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<TrackItem, A::Error> {
        let (mut experiment, mut unit, mut event) = (None, None, None);
        let (mut value, mut id) = (None, None);
        let mut at: Option<String> = None;
        while let Some(Key(name)) = object.next_key()? {
            match name.as_ref() {
                "experiment" => once(&mut experiment, &mut object)?,
                "unit" | "user_id" => once(&mut unit, &mut object)?,
                "event" | "event_type" => once(&mut event, &mut object)?,
                "value" => once(&mut value, &mut object)?,
                "id" => once(&mut id, &mut object)?,
                "at" => once(&mut at, &mut object)?,
                _ => return Err(unusual()),
            }
        }
        let unit: String = unit.ok_or_else(unusual)?;
        let event = EventFields {
            name: event.ok_or_else(unusual)?,
            value,
            id,
            at: at.as_deref().map(instant).transpose()?,
        };
        let unit = Unit::new(unit).map_err(|_| unusual())?;
        TrackItem::new(experiment, unit, event)
            .and_then(TrackItem::of_batch)
            .map_err(|_| unusual())
    }
}

/// A field that comes once and is not null.
fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    field: &mut Option<T>,
    object: &mut A,
) -> Result<(), A::Error> {
    match field.replace(object.next_value()?) {
        None => Ok(()),
        Some(_) => Err(unusual()),
    }
}

fn instant<E: Error>(text: &str) -> Result<DateTime<Utc>, E> {
    if text.len() > MAX_INSTANT_LEN {
        return Err(unusual());
    }
    let at = DateTime::parse_from_rfc3339(text).map_err(|_| unusual())?;
    Ok(at.to_utc())
}

fn unusual<E: Error>() -> E {
    E::custom("unusual")
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom;
    use rand::{RngExt, SeedableRng};

    use super::super::track::one_value;
    use super::*;

    const NAMES: [&str; 10] = [
        "experiment",
        "unit",
        "user_id",
        "event",
        "event_type",
        "value",
        "id",
        "at",
        "other",
        "un\\u0069t",
    ];

    const VALUES: [&str; 20] = [
        "\"a\"",
        "\"checkout\"",
        "\"\"",
        "\"$reward\"",
        "\"k\u{e4}ufe\"",
        "\"\\u0000\"",
        "\"\u{85}\"",
        "\"\\ud83d\\ude00\"",
        "null",
        "true",
        "1",
        "-3",
        "12.5",
        "1e400",
        "18446744073709551616",
        "[]",
        "{\"a\":1}",
        "\"2026-01-31T12:00:00Z\"",
        "\"2026-01-31T12:00:00+02:00\"",
        "\"yesterday\"",
    ];

    #[test]
    fn reads_a_usual_batch() {
        let body = br#" [{"experiment":"checkout","unit":"u1","event":"purchase","value":12.5,"id":"order-1",
            "at":"2026-01-31T12:00:00Z"}, {"event_type":"view","user_id":"u2","experiment":"pricing"}] "#;
        let read = batch(body).expect("nothing is odd about it");
        assert_eq!(Ok(read), one_value(body));
        assert_eq!(batch(b"[]"), Some(Items::new()));
    }

    #[test]
    fn leaves_to_the_careful_reader_what_is_too_much_or_another_thing() {
        let item = r#"{"experiment":"checkout","unit":"u1","event":"purchase"}"#;
        let long = format!("[{}]", vec![item; MAX_LIST + 1].join(","));
        let full = format!("[{}]", vec![item; MAX_LIST].join(","));
        assert_eq!(
            batch(full.as_bytes()).map(|items| items.len()),
            Some(MAX_LIST)
        );
        let items = format!("{{\"items\":[{item}]}}");
        let listed = r#"[["checkout","u1","purchase",null,null,null]]"#;
        let twice = format!("[{item}] []");
        for odd in [long.as_str(), &items, listed, &twice, item, "[", "", "[1]"] {
            assert_eq!(batch(odd.as_bytes()), None, "{odd:.60}");
        }
    }

    /// Objects of all kinds of fields and values: what both readers take is the same.
    #[test]
    fn understands_nothing_in_another_way_than_the_careful_reader() {
        let mut chance = StdRng::seed_from_u64(7);
        let mut taken = 0;
        for _ in 0..20_000 {
            let mut item = String::from(r#""experiment":"checkout""#);
            for usual in [r#","unit":"u1""#, r#","event":"view""#] {
                if chance.random_bool(0.5) {
                    item.push_str(usual);
                }
            }
            for _ in 0..chance.random_range(0..4) {
                let (name, value) = (NAMES.choose(&mut chance), VALUES.choose(&mut chance));
                let (name, value) = (name.unwrap(), value.unwrap());
                item.extend([",\"", name, "\":", value]);
            }
            let body = format!("[{{{item}}}]");
            if let Some(read) = batch(body.as_bytes()) {
                assert_eq!(Ok(read), one_value(body.as_bytes()), "{body}");
                taken += 1;
            }
        }
        assert!(taken > 500, "only {taken} were usual");
    }
}
