//! The unit key: 16 bytes that stand for a unit, from which nobody gets back to its id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The first 16 bytes of the BLAKE3 hash of a unit id, keyed with the installation's secret.
///
/// 128 bits: two of a thousand million units share a key with probability 1.5e-21.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitKey(pub [u8; 16]);

/// A text that is not a unit key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a unit key: use its 32 hexadecimal digits, as `explain` shows them")]
pub struct InvalidUnitKey {
    text: String,
}

impl UnitKey {
    /// The key of `unit_id` under the installation's `secret`.
    pub fn derive(secret: &[u8; 32], unit_id: &str) -> Self {
        let hash = blake3::keyed_hash(secret, unit_id.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.as_bytes()[..16]);
        Self(key)
    }
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnitKey({self})")
    }
}

impl FromStr for UnitKey {
    type Err = InvalidUnitKey;

    fn from_str(text: &str) -> Result<Self, InvalidUnitKey> {
        let digits_only = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits_only
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten()
            .map(|number| Self(number.to_be_bytes()))
            .ok_or_else(|| InvalidUnitKey {
                text: text.chars().take(40).collect(),
            })
    }
}

impl TryFrom<String> for UnitKey {
    type Error = InvalidUnitKey;

    fn try_from(text: String) -> Result<Self, InvalidUnitKey> {
        text.parse()
    }
}

impl From<UnitKey> for String {
    fn from(key: UnitKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_the_secret_and_on_the_id() {
        let key = UnitKey::derive(&[7; 32], "user-1");
        assert_eq!(key, UnitKey::derive(&[7; 32], "user-1"));
        assert_ne!(key, UnitKey::derive(&[8; 32], "user-1"));
        assert_ne!(key, UnitKey::derive(&[7; 32], "user-2"));
    }

    #[test]
    fn is_the_documented_hash() {
        // so that a customer's warehouse can compute the same key: blake3(key = secret, id)[..16]
        let full = blake3::keyed_hash(&[0; 32], b"user-1");
        assert_eq!(
            UnitKey::derive(&[0; 32], "user-1").to_string(),
            full.to_hex().as_str()[..32]
        );
    }

    #[test]
    fn round_trips_through_hex() {
        let key = UnitKey([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(key.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(
            serde_json::from_str::<UnitKey>(&serde_json::to_string(&key).unwrap()).unwrap(),
            key
        );
        for bad in [
            "",
            "00",
            "+00102030405060708090a0b0c0d0eff",
            "zz0102030405060708090a0b0c0d0eff",
        ] {
            assert!(bad.parse::<UnitKey>().is_err(), "{bad}");
        }
    }
}
