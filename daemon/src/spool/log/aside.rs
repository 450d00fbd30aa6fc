//! Where damaged bytes are kept, for whoever wants to look: nobody has to.

use crate::durable::{Directory, replace};

/// Bytes that are kept, all files together: enough to see what happened to a disk.
const MOST: usize = 16 * 1024 * 1024;

/// What is kept so far.
#[derive(Debug, Default)]
pub(super) struct Aside {
    names: Vec<String>,
    bytes: usize,
}

/// What became of damaged bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// They had been kept before.
    Known,
    /// They are kept now.
    Kept,
    /// They are where they were and nowhere else: there is too much, or the disk refuses.
    Left,
}

impl Aside {
    /// What earlier runs kept.
    pub(super) fn look(directory: &impl Directory, names: &[String]) -> Self {
        let names: Vec<String> = names
            .iter()
            .filter(|name| name.ends_with(".damaged"))
            .cloned()
            .collect();
        let bytes = names
            .iter()
            .filter_map(|name| directory.read(name).ok())
            .map(|bytes| bytes.len())
            .sum();
        Self { names, bytes }
    }

    /// Keeps `bytes`, which were in `segment` at `at`.
    pub(super) fn put(
        &mut self,
        directory: &impl Directory,
        segment: &str,
        at: usize,
        bytes: &[u8],
    ) -> Put {
        let name = format!("{segment}.{at:08x}.damaged");
        if self.names.contains(&name) {
            return Put::Known;
        }
        let length = bytes.len();
        tracing::warn!(segment, at, length, "damage in the spool");
        if self.bytes + length > MOST {
            return Put::Left;
        }
        if let Err(error) = replace(directory, &name, bytes) {
            tracing::warn!(segment, at, length, %error, "damage not kept aside");
            return Put::Left;
        }
        self.bytes += length;
        self.names.push(name);
        Put::Kept
    }
}
