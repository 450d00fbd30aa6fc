//! Reading an experiment file, or standard input where it is `-`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Failure;

/// More than the greatest file that is read anywhere: a device that never ends must not fill the memory.
const MAX_READ_BYTES: u64 = 16 * 1024 * 1024;

/// A file's text and the name it goes by in messages.
pub(super) struct ReadFile {
    /// As it was named on the command line; `<stdin>` for `-`.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Read `path`; at most 16 MiB of it.
pub(super) fn read(path: &Path) -> Result<ReadFile, Failure> {
    let unreadable = |source| Failure::Unreadable {
        path: PathBuf::from(path),
        source,
    };
    let mut text = String::new();
    if path == Path::new("-") {
        let input = std::io::stdin().lock();
        input
            .take(MAX_READ_BYTES)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        return Ok(ReadFile {
            name: "<stdin>".to_owned(),
            text,
        });
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_READ_BYTES)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(ReadFile {
        name: path.display().to_string(),
        text,
    })
}
