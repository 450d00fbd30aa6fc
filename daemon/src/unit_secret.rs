//! The secret behind unit keys: read or made once, never shown.
//!
//! Whoever has it can tell whether a known unit id took part; whoever loses it turns every sticky unit into
//! a stranger. The database keeps its fingerprint and refuses another.

use std::fmt;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// 32 bytes.
#[derive(Clone)]
pub struct UnitSecret([u8; 32]);

/// A secret that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnitSecretError {
    /// The file cannot be read or written.
    #[error("cannot {doing} the unit secret {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Neither form.
    #[error("{} is not a unit secret: 32 raw bytes or 64 hex digits are needed; make one with:  openssl rand -hex 32", .0.display())]
    Malformed(PathBuf),
}

/// Separates the fingerprint from every other use of the secret (BLAKE3's key derivation).
const FINGERPRINT_CONTEXT: &str = "pitboss 2026 unit secret fingerprint";

impl UnitSecret {
    /// The key of the keyed hash.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// 16 bytes that tell secrets apart and say nothing about them.
    pub fn fingerprint(&self) -> [u8; 16] {
        let derived = blake3::derive_key(FINGERPRINT_CONTEXT, &self.0);
        let mut short = [0; 16];
        short.copy_from_slice(&derived[..16]);
        short
    }

    /// Reads `path`; `None` if there is no such file.
    pub fn read(path: &Path) -> Result<Option<Self>, UnitSecretError> {
        match std::fs::read(path) {
            Ok(bytes) => match parse(&bytes) {
                Some(secret) => Ok(Some(Self(secret))),
                None => Err(UnitSecretError::Malformed(path.to_owned())),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(io("read", path, source)),
        }
    }

    /// Makes a new one in `path`, which must not exist: readable by its owner only, and on disk before it
    /// is used, because rows depend on it from then on.
    pub fn make(path: &Path) -> Result<Self, UnitSecretError> {
        let secret: [u8; 32] = rand::random();
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| io("create", path, source))?;
        let text = format!("{}\n", blake3::Hash::from_bytes(secret).to_hex());
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_parent(path))
            .map_err(|source| io("write", path, source))?;
        Ok(Self(secret))
    }
}

impl fmt::Debug for UnitSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnitSecret(hidden)")
    }
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn io(doing: &'static str, path: &Path, source: std::io::Error) -> UnitSecretError {
    UnitSecretError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn parse(bytes: &[u8]) -> Option<[u8; 32]> {
    if let Ok(raw) = <[u8; 32]>::try_from(bytes) {
        return Some(raw);
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    Some(*blake3::Hash::from_hex(text).ok()?.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_made_secret_is_read_back_and_closed_to_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("unit-secret");
        assert!(UnitSecret::read(&path).unwrap().is_none());
        let made = UnitSecret::make(&path).unwrap();
        let read = UnitSecret::read(&path).unwrap().unwrap();
        assert_eq!(made.expose(), read.expose());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(UnitSecret::make(&path).is_err(), "never overwritten");
    }

    #[test]
    fn raw_bytes_and_hex_are_the_same_secret_and_anything_else_is_refused() {
        assert_eq!(parse(&[7; 32]), Some([7; 32]));
        assert_eq!(parse("07".repeat(32).as_bytes()), Some([7; 32]));
        assert_eq!(parse(b"hunter2"), None);
        assert!(!format!("{:?}", UnitSecret([7; 32])).contains('7'));
    }
}
