//! Small files with a checksum: a first line that says what it is, and JSON.
//!
//! ```text
//! pitboss-world 1 <BLAKE3 of all that follows the line, in hex>
//! {..}
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file that does not say what it should.
#[derive(Debug, thiserror::Error)]
pub enum Unsealed {
    /// It is something else, or of another format.
    #[error("it is not a file of this kind and format")]
    Foreign,
    /// Its checksum does not fit.
    #[error("its checksum does not fit: it is damaged")]
    Damaged,
    /// It is whole and does not mean anything to this build.
    #[error("it is not what this build writes")]
    Unreadable(#[source] serde_json::Error),
}

/// The content of a file with `value` in it; `mark` is what it is and its format's number.
pub fn seal(mark: &str, value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(value).expect("plain data with text keys");
    let mut file = format!("{mark} {}\n", blake3::hash(&json).to_hex()).into_bytes();
    file.extend_from_slice(&json);
    file
}

/// The value in a file's content.
pub fn open<T: DeserializeOwned>(mark: &str, file: &[u8]) -> Result<T, Unsealed> {
    let rest = file.strip_prefix(mark.as_bytes());
    let (checksum, json) = rest
        .and_then(|rest| rest.strip_prefix(b" "))
        .and_then(|rest| rest.split_at_checked(blake3::OUT_LEN * 2))
        .ok_or(Unsealed::Foreign)?;
    let json = json.strip_prefix(b"\n").ok_or(Unsealed::Foreign)?;
    if checksum != blake3::hash(json).to_hex().as_bytes() {
        return Err(Unsealed::Damaged);
    }
    serde_json::from_slice(json).map_err(Unsealed::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_is_opened() {
        let file = seal("test 1", &["a", "b"]);
        assert_eq!(open::<Vec<String>>("test 1", &file).unwrap(), ["a", "b"]);
        for length in 0..file.len() {
            assert!(open::<Vec<String>>("test 1", &file[..length]).is_err());
        }
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert!(open::<Vec<String>>("test 1", &damaged).is_err(), "{at}");
        }
        let other = open::<Vec<String>>("test 2", &file);
        assert!(matches!(other, Err(Unsealed::Foreign)));
        let meaning = open::<Vec<u8>>("test 1", &file);
        assert!(matches!(meaning, Err(Unsealed::Unreadable(_))));
    }
}
