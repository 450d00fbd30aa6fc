//! Request bodies as they come: a borrowed tree that keeps wrong types, so that they can be told by field.
//!
//! Typed parsing would end at the first surprise with a message about a byte; callers deserve the name of
//! the field, and a batch must lose one item, not all. Depth, list length and field count are bounded here,
//! so a body costs memory in proportion to its size and never more.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Items of a list that are kept: the size of a track batch. A longer list is [`Loose::TooLong`].
pub(super) const MAX_LIST: usize = 1_000;

/// Fields of an object that are kept; bodies have at most 6, attributes at most 64. More is [`Loose::TooLong`].
pub(super) const MAX_FIELDS: usize = 128;

/// Fields of an object that there is room for at once: an event has at most 6, and most assigns know less.
const USUAL_FIELDS: usize = 6;

/// Levels of lists and objects that are kept: body, attributes, a list in an attribute; or `items`, item,
/// and one level to name what is wrong. Deeper values are [`Loose::TooDeep`]; the parser itself stops at 128.
const MAX_DEPTH: u8 = 3;

/// Fields in the order of the body, duplicates included.
pub(super) type Fields<'a> = Vec<(Cow<'a, str>, Loose<'a>)>;

/// Any JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Loose<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Flag(bool),
    /// A whole number that fits, as it was written.
    Integer(i128),
    /// Any other number; finite.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Loose<'a>>),
    /// An object.
    Object(Fields<'a>),
    /// A list or object with more entries than are kept.
    TooLong,
    /// A list or object deeper than is kept.
    TooDeep,
}

impl Loose<'_> {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "a boolean",
            Self::Integer(_) | Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
            Self::TooLong => "too long",
            Self::TooDeep => "nested too deeply",
        }
    }
}

/// Reads one JSON value from all of `body`.
pub(super) fn parse(body: &[u8]) -> Result<Loose<'_>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Level(MAX_DEPTH).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// How many more levels are kept.
#[derive(Clone, Copy)]
struct Level(u8);

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Loose<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Loose<'de>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Loose<'de>, E> {
        Ok(Loose::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Loose<'de>, E> {
        Ok(Loose::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Loose<'de>, E> {
        Ok(Loose::Integer(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Loose<'de>, E> {
        Ok(Loose::Integer(i128::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose<'de>, A::Error> {
        let Some(below) = self.0.checked_sub(1) else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Loose::TooDeep);
        };
        let mut kept = Vec::new();
        while let Some(value) = list.next_element_seed(Self(below))? {
            if kept.len() == MAX_LIST {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Loose::TooLong);
            }
            kept.push(value);
        }
        Ok(Loose::List(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Loose<'de>, A::Error> {
        let Some(below) = self.0.checked_sub(1) else {
            while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Loose::TooDeep);
        };
        let mut kept: Fields<'de> = Vec::with_capacity(USUAL_FIELDS);
        while let Some(Key(name)) = object.next_key()? {
            let value = object.next_value_seed(Self(below))?;
            if kept.len() == MAX_FIELDS {
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Loose::TooLong);
            }
            kept.push((name, value));
        }
        Ok(Loose::Object(kept))
    }
}

/// A field's name, borrowed where it has no escapes (serde's `Cow` always copies).
pub(super) struct Key<'a>(pub(super) Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }
        reader.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_wrong_types_and_duplicates_for_the_reader_to_name() {
        let Loose::Object(fields) = parse(br#"{"a":1,"a":"x","b":[1.5,null,{"c":true}]}"#).unwrap()
        else {
            panic!("an object")
        };
        assert_eq!(fields[0], ("a".into(), Loose::Integer(1)));
        assert_eq!(fields[1], ("a".into(), Loose::Text("x".into())));
        let Loose::List(list) = &fields[2].1 else {
            panic!("a list")
        };
        assert_eq!(list[0], Loose::Number(1.5));
        assert_eq!(
            list[2],
            Loose::Object(vec![("c".into(), Loose::Flag(true))])
        );
    }

    #[test]
    fn refuses_what_is_not_json() {
        let deep = "[".repeat(10_000);
        for bad in [
            "",
            "{",
            "nul",
            "NaN",
            "1e400",
            "{\"a\":}",
            "{} {}",
            "\"\\ud800\"",
            "'a'",
            &deep,
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:.20}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn marks_what_is_too_long_or_too_deep() {
        let long = format!("[{}0]", "0,".repeat(MAX_LIST));
        assert_eq!(parse(long.as_bytes()).unwrap(), Loose::TooLong);
        let wide: Vec<String> = (0..=MAX_FIELDS).map(|n| format!("\"{n}\":0")).collect();
        let wide = format!("{{{}}}", wide.join(","));
        assert_eq!(parse(wide.as_bytes()).unwrap(), Loose::TooLong);
        assert_eq!(
            parse(b"[[[[1],{}]]]").unwrap(),
            Loose::List(vec![Loose::List(vec![Loose::List(vec![
                Loose::TooDeep,
                Loose::TooDeep
            ])])])
        );
    }
}
