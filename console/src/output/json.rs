//! JSON for scripts: one object, a `schema` number first, fields that stay.

use serde::Serialize;
use serde_json::Value;

/// The version of every JSON answer. Fields may be added under the same number; a field that goes or changes
/// its meaning raises it.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Versioned<'a, T> {
    schema: u32,
    #[serde(flatten)]
    body: &'a T,
}

/// `body`'s fields after the schema's number. `body` must be a struct or a map.
pub fn versioned<T: Serialize>(body: &T) -> Value {
    let versioned = Versioned {
        schema: SCHEMA,
        body,
    };
    serde_json::to_value(versioned).expect("wire types have text keys and finite numbers")
}

/// Indented, with a last line end.
pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_says_its_schema() {
        let value = versioned(&std::collections::BTreeMap::from([("key", "pricing")]));
        assert_eq!(value["schema"], 1);
        assert_eq!(value["key"], "pricing");
    }
}
