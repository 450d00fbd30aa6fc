//! What is in a spool, for people and scripts. Changes nothing, whether a daemon runs or not.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::item::{self, Item};
use super::log::number_of;
use super::record::{self, Piece};
use crate::durable::{Directory, Disk};
use crate::store::landing::LandedKind;

/// A spool as it lies there.
#[derive(Debug, Default, Serialize)]
pub struct Inspection {
    /// Where.
    pub directory: PathBuf,
    /// Whole records.
    pub records: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// When the oldest record was kept.
    pub oldest: Option<DateTime<Utc>>,
    /// Records that are events.
    pub events: u64,
    /// Records that are exposures.
    pub exposures: u64,
    /// Records that are assignments.
    pub assignments: u64,
    /// Whole records that this build does not understand.
    pub unknown: u64,
    /// Stretches of bytes that are no records. The last of a segment may be a record that is being written.
    pub corrupt: u64,
    /// Numbers between the first and the last record that no record has: a segment is missing.
    pub missing: u64,
    /// The segments, oldest first.
    pub segments: Vec<SegmentFile>,
    /// Damaged bytes that were kept aside, and segments that could not be read.
    pub aside: Vec<AsideFile>,
}

/// One segment.
#[derive(Debug, Serialize)]
pub struct SegmentFile {
    /// Its file.
    pub name: String,
    /// Whole records.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
    /// When its oldest record was kept.
    pub oldest: Option<DateTime<Utc>>,
    /// Stretches of bytes that are no records.
    pub corrupt: u64,
    /// Why it cannot be read.
    pub unreadable: Option<String>,
}

/// A file that is only kept for whoever wants to look.
#[derive(Debug, Serialize)]
pub struct AsideFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// Looks at the spool in `directory`; one that is not there is empty.
pub fn inspect(directory: &Path) -> io::Result<Inspection> {
    let mut inspection = Inspection {
        directory: directory.to_owned(),
        ..Inspection::default()
    };
    if !directory.exists() {
        return Ok(inspection);
    }
    let disk = Disk::existing(directory)?;
    let mut names = disk.list()?;
    names.sort();
    let mut ids = Vec::new();
    for name in names {
        if number_of(&name).is_some() {
            inspection.segment(&disk, name, &mut ids);
        } else if name.ends_with(".damaged") || name.ends_with(".unreadable") {
            let length = std::fs::metadata(directory.join(&name)).map(|it| it.len());
            let bytes = length.unwrap_or(0);
            inspection.aside.push(AsideFile { name, bytes });
        }
    }
    inspection.missing = missing(ids);
    Ok(inspection)
}

impl Inspection {
    fn segment(&mut self, disk: &Disk, name: String, ids: &mut Vec<u64>) {
        let mut segment = SegmentFile {
            name,
            records: 0,
            bytes: 0,
            oldest: None,
            corrupt: 0,
            unreadable: None,
        };
        match disk.read(&segment.name) {
            // A running daemon has just removed it: its records are in the database.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => segment.unreadable = Some(error.to_string()),
            Ok(bytes) => {
                segment.bytes = bytes.len() as u64;
                for piece in record::scan(&bytes) {
                    match piece {
                        Piece::Damage(_) => segment.corrupt += 1,
                        Piece::Record(record) => {
                            segment.records += 1;
                            ids.push(record.id);
                            let at = DateTime::from_timestamp_micros(record.at);
                            segment.oldest = segment.oldest.into_iter().chain(at).min();
                            self.count(record.payload);
                        }
                    }
                }
            }
        }
        self.records += segment.records;
        self.bytes += segment.bytes;
        self.corrupt += segment.corrupt;
        self.oldest = self.oldest.into_iter().chain(segment.oldest).min();
        self.segments.push(segment);
    }

    fn count(&mut self, payload: &[u8]) {
        let counter = match item::decode(payload) {
            Ok(Item::Landed(row)) if row.kind == LandedKind::Event => &mut self.events,
            Ok(Item::Landed(_)) => &mut self.exposures,
            Ok(Item::Assigned { .. }) => &mut self.assignments,
            Err(_) => &mut self.unknown,
        };
        *counter += 1;
    }
}

fn missing(mut ids: Vec<u64>) -> u64 {
    ids.sort_unstable();
    ids.dedup();
    match (ids.first(), ids.last()) {
        (Some(first), Some(last)) => (last - first).wrapping_add(1) - ids.len() as u64,
        _ => 0,
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "spool      {}", self.directory.display())?;
        write!(f, "records    {}", self.records)?;
        if self.records > 0 {
            write!(
                f,
                " ({} events, {} exposures, {} assignments)",
                self.events, self.exposures, self.assignments
            )?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "bytes      {} in {} segments",
            self.bytes,
            self.segments.len()
        )?;
        if let Some(oldest) = self.oldest {
            writeln!(f, "oldest     {}", oldest.format("%Y-%m-%d %H:%M:%S UTC"))?;
        }
        writeln!(
            f,
            "corrupt    {} stretches, {} unknown records, {} missing",
            self.corrupt, self.unknown, self.missing
        )?;
        for segment in &self.segments {
            let state = segment.unreadable.as_deref().unwrap_or("readable");
            writeln!(
                f,
                "  {}  {} records  {} bytes  {} corrupt  {state}",
                segment.name, segment.records, segment.bytes, segment.corrupt
            )?;
        }
        for file in &self.aside {
            writeln!(f, "  {}  {} bytes, kept aside", file.name, file.bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::{Limits, Log};
    use super::*;

    #[test]
    fn counts_what_is_there_and_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("spool");
        assert_eq!(inspect(&path).unwrap().records, 0);
        assert!(!path.exists());

        let limits = Limits {
            segment_bytes: 50,
            total_bytes: 10_000,
        };
        let mut log = Log::open(Disk::open(&path).unwrap(), limits).unwrap();
        for n in 0..4 {
            log.append(&[vec![b'{', n]], 1_000_000 * i64::from(n))
                .unwrap();
        }
        std::fs::remove_file(path.join("0000000000000001.spool")).unwrap();
        std::fs::write(path.join("0000000000000009.spool"), "rubbish").unwrap();
        std::fs::write(path.join("0000000000000001.spool.00000000.damaged"), "x").unwrap();
        let found = inspect(&path).unwrap();
        assert_eq!((found.records, found.unknown, found.missing), (3, 3, 1));
        assert_eq!((found.segments.len(), found.corrupt), (4, 1));
        assert_eq!(found.oldest, Some(DateTime::UNIX_EPOCH));
        assert_eq!(found.aside.len(), 1);
        assert!(found.to_string().contains("records    3"), "{found}");
        assert_eq!(inspect(&path).unwrap().records, 3);
    }
}
