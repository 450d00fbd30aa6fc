//! What experiments, arms and lanes are called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest experiment key or arm name, in bytes.
pub const MAX_NAME_LEN: usize = 128;

/// The public name of an experiment: `[a-z0-9][a-z0-9._-]{0,127}`, without `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExperimentKey(String);

/// The name of an arm inside its experiment, of the same form as an experiment key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArmName(String);

/// The name of a lane inside its experiment, of the same form as an experiment key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LaneName(String);

/// Why a text is not a key or the name of an arm or a lane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a valid name: use 1 to {MAX_NAME_LEN} of a-z 0-9 . _ - and start with a letter or digit"
)]
pub struct InvalidName {
    text: String,
}

fn check_name(text: &str) -> Result<(), InvalidName> {
    let mut bytes = text.bytes();
    let starts_well = bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let goes_on_well =
        bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if starts_well && goes_on_well && text.len() <= MAX_NAME_LEN && !text.contains("..") {
        return Ok(());
    }
    let shown: String = text.chars().take(MAX_NAME_LEN).collect();
    Err(InvalidName { text: shown })
}

macro_rules! name_type {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check_name(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                check_name(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(ExperimentKey);
name_type!(ArmName);
name_type!(LaneName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_alphabet() {
        for good in ["a", "checkout_button", "9.lives", "a-b"] {
            assert!(good.parse::<ExperimentKey>().is_ok(), "{good}");
        }
        let long = "a".repeat(129);
        for bad in ["", ".", "..", "a..b", "A", "-a", "a/b", "ü", &long] {
            assert!(bad.parse::<ExperimentKey>().is_err(), "{bad}");
        }
    }
}
