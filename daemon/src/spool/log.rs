//! The log of segments: append and sync, read back, remove. It runs on one thread and knows nothing of what
//! a record means.
//!
//! A segment whose append or sync failed is closed: nothing is acknowledged on it any more, because a later
//! sync may say yes to a file with a hole. Its acknowledged part stays.

mod aside;
mod segment;

use std::collections::VecDeque;
use std::io;

use chrono::{DateTime, Utc};
use metrics::Histogram;

use super::record::{self, HEADER, LONGEST, Piece, Record};
use crate::clock::Stopwatch;
use crate::durable::{Directory, Growing};
use aside::{Aside, Put};

pub(super) use segment::{Segment, number_of};

/// How much a log may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A segment that would be longer with the next batch is closed before it.
    pub segment_bytes: u64,
    /// All segments together.
    pub total_bytes: u64,
}

/// The log. Open it once per directory.
pub(super) struct Log<D: Directory> {
    directory: D,
    limits: Limits,
    /// Closed, oldest first.
    closed: VecDeque<Segment>,
    /// Written, but the file could not be removed yet.
    written: Vec<String>,
    active: Option<Active<D::File>>,
    next_segment: u64,
    next_record: u64,
    found: Found,
    aside: Aside,
    syncs: Histogram,
}

struct Active<F> {
    file: F,
    segment: Segment,
}

/// What was not as it should be, since the log was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Stretches of bytes between records, or records without meaning, that were skipped and kept aside.
    pub damaged: u64,
    /// Unfinished ends that were cut off: they had not been acknowledged.
    pub torn: u64,
    /// Files that could not be read.
    pub unreadable: u64,
    /// Batches whose append or sync failed.
    pub failed: u64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Segment files.
    pub segments: u64,
    /// Records that are not in the database yet.
    pub records: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// When the oldest record was kept, microseconds of Unix time.
    pub oldest: Option<i64>,
    /// What was not as it should be.
    pub found: Found,
}

impl Usage {
    /// When the oldest record was kept.
    pub fn oldest(&self) -> Option<DateTime<Utc>> {
        self.oldest.and_then(DateTime::from_timestamp_micros)
    }
}

impl Found {
    /// Whether every record that was there could be read. Unfinished ends had been promised to nobody, and what a
    /// full disk refused was refused to its callers: neither is left to be looked at.
    pub fn is_well(&self) -> bool {
        let Self {
            damaged,
            torn: _,
            unreadable,
            failed: _,
        } = *self;
        damaged + unreadable == 0
    }
}

/// Why a batch was not kept: none of it is acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// The spool's own limit.
    #[error("the spool is full")]
    Full,
    /// The disk.
    #[error("the spool cannot be written")]
    Disk(#[source] io::Error),
}

/// A closed segment's records.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) segment: String,
    pub(super) payloads: Vec<Vec<u8>>,
}

impl<D: Directory> Log<D> {
    /// Reads what an earlier run left, cuts off torn ends and puts damage aside.
    pub(super) fn open(directory: D, limits: Limits) -> io::Result<Self> {
        let mut log = Self {
            directory,
            limits,
            closed: VecDeque::new(),
            written: Vec::new(),
            active: None,
            next_segment: 0,
            next_record: 0,
            found: Found::default(),
            aside: Aside::default(),
            syncs: metrics::histogram!("pitboss_spool_fsync_duration_seconds"),
        };
        let names = log.directory.list()?;
        log.aside = Aside::look(&log.directory, &names);
        let mut numbered: Vec<(u64, String)> = names
            .into_iter()
            .filter_map(|name| Some((number_of(&name)?, name)))
            .collect();
        numbered.sort();
        for (number, name) in numbered {
            log.next_segment = log.next_segment.max(number.saturating_add(1));
            log.recover(name);
        }
        Ok(log)
    }

    /// Takes in a segment of an earlier run.
    fn recover(&mut self, name: String) {
        let bytes = match self.directory.read(&name) {
            Ok(bytes) => bytes,
            Err(error) => return self.leave_out(&name, &error),
        };
        let mut segment = Segment::new(name);
        let mut end = 0;
        let mut left = false;
        for piece in record::scan(&bytes) {
            match piece {
                Piece::Record(record) => {
                    self.next_record = self.next_record.max(record.id.wrapping_add(1));
                    segment.add(record.at);
                    end += HEADER + record.payload.len();
                }
                Piece::Damage(range) => {
                    let at = range.start;
                    if range.end == bytes.len() {
                        self.found.torn += 1;
                    } else {
                        self.found.damaged += 1;
                        end = range.end;
                    }
                    let put = self
                        .aside
                        .put(&self.directory, &segment.name, at, &bytes[range]);
                    left |= put == Put::Left;
                }
            }
        }
        segment.bytes = end as u64;
        if segment.records == 0 {
            return self.give_up(segment.name, left);
        }
        if end < bytes.len()
            && !left
            && let Err(error) = self.directory.cut(&segment.name, segment.bytes)
        {
            // It is found again at the next start; until then it only takes room.
            tracing::warn!(segment = segment.name, %error, "torn end not cut off");
        }
        self.closed.push_back(segment);
    }

    /// A file without a record goes, unless its bytes could not be kept elsewhere: it may be of a newer build.
    fn give_up(&mut self, name: String, left: bool) {
        if left {
            let _ = self.directory.rename(&name, &segment::unreadable(&name));
            return;
        }
        self.remove(name);
    }

    /// A file that cannot be read gets a name that nobody reads, so that it stands in nobody's way.
    fn leave_out(&mut self, name: &str, error: &io::Error) {
        self.found.unreadable += 1;
        tracing::error!(segment = name, %error, "segment of the spool unreadable: left out");
        let _ = self.directory.rename(name, &segment::unreadable(name));
    }

    /// Keeps `payloads`: when this returns `Ok`, they survive the power.
    pub(super) fn append(&mut self, payloads: &[Vec<u8>], at: i64) -> Result<(), NotKept> {
        let mut bytes = Vec::with_capacity(payloads.iter().map(|it| HEADER + it.len()).sum());
        for (nth, payload) in (0_u64..).zip(payloads) {
            let id = self.next_record.wrapping_add(nth);
            debug_assert!(payload.len() <= LONGEST, "items are short");
            record::write(&mut bytes, Record { id, at, payload });
        }
        if !self.fits(0, bytes.len()) {
            return Err(NotKept::Full);
        }
        // Once more on a new segment: the fault may have been the old one's alone.
        let kept = self
            .append_bytes(&bytes)
            .or_else(|_| self.append_bytes(&bytes));
        kept.map_err(NotKept::Disk)?;
        let active = self.active.as_mut().expect("the batch went there");
        for _ in payloads {
            active.segment.add(at);
        }
        active.segment.bytes += bytes.len() as u64;
        self.next_record = self.next_record.wrapping_add(payloads.len() as u64);
        Ok(())
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let full = |it: &Active<D::File>| {
            it.segment.records > 0
                && it.segment.bytes + bytes.len() as u64 > self.limits.segment_bytes
        };
        if self.active.as_ref().is_some_and(full) {
            self.close();
        }
        let written = self.write_to_active(bytes);
        if written.is_err() {
            self.found.failed += 1;
            self.abandon();
        }
        written
    }

    fn write_to_active(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.active.is_none();
        if fresh {
            let segment = Segment::new(segment::name(self.next_segment));
            // A name is used once, whatever becomes of the file.
            self.next_segment += 1;
            let file = self.directory.create(&segment.name)?;
            self.active = Some(Active { file, segment });
        }
        let active = self.active.as_mut().expect("made just now if needed");
        active.file.append(bytes)?;
        let started = Stopwatch::start();
        active.file.sync()?;
        if fresh {
            self.directory.sync()?;
        }
        self.syncs.record(started.elapsed().as_secs_f64());
        Ok(())
    }

    /// Closes the active segment after a failure: what it has acknowledged stays, the rest goes if it can.
    fn abandon(&mut self) {
        let Some(Active { segment, .. }) = self.active.take() else {
            return;
        };
        if segment.records == 0 {
            let _ = self.directory.remove(&segment.name);
            return;
        }
        let _ = self.directory.cut(&segment.name, segment.bytes);
        self.closed.push_back(segment);
    }

    fn close(&mut self) {
        if let Some(active) = self.active.take() {
            self.closed.push_back(active.segment);
        }
    }

    /// The oldest records there are; `None` if there are none. The segment takes no more.
    pub(super) fn oldest(&mut self) -> Option<Batch> {
        self.remove_what_is_written();
        if self.closed.is_empty()
            && self
                .active
                .as_ref()
                .is_some_and(|it| it.segment.records > 0)
        {
            self.close();
        }
        while let Some(segment) = self.closed.front() {
            let name = segment.name.clone();
            match self.directory.read(&name) {
                Ok(bytes) => {
                    let payloads = self.payloads(&name, &bytes);
                    return Some(Batch {
                        segment: name,
                        payloads,
                    });
                }
                Err(error) => {
                    self.closed.pop_front();
                    self.leave_out(&name, &error);
                }
            }
        }
        None
    }

    /// The payloads of a segment, again: the disk may have changed since it was opened.
    fn payloads(&mut self, name: &str, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        for piece in record::scan(bytes) {
            match piece {
                Piece::Record(record) => payloads.push(record.payload.to_vec()),
                Piece::Damage(range) => {
                    let at = range.start;
                    let put = self.aside.put(&self.directory, name, at, &bytes[range]);
                    self.found.damaged += u64::from(put == Put::Kept);
                }
            }
        }
        payloads
    }

    /// Puts a record aside that nobody understands.
    pub(super) fn put_aside(&mut self, segment: &str, nth: usize, payload: &[u8]) {
        let segment = format!("{segment}.record");
        let put = self.aside.put(&self.directory, &segment, nth, payload);
        self.found.damaged += u64::from(put != Put::Known);
    }

    /// Removes a segment whose records are in the database.
    pub(super) fn done(&mut self, segment: &str) {
        self.closed.retain(|it| it.name != segment);
        self.remove(segment.to_owned());
    }

    fn remove(&mut self, name: String) {
        let removed = self.directory.remove(&name);
        match removed.and_then(|()| self.directory.sync()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(segment = name, %error, "segment of the spool not removed yet");
                self.written.push(name);
            }
            _ => {}
        }
    }

    fn remove_what_is_written(&mut self) {
        for name in std::mem::take(&mut self.written) {
            self.remove(name);
        }
    }

    /// Whether so many bytes of payload in so many records are within the limit.
    pub(super) fn fits(&self, records: usize, payload: usize) -> bool {
        let more = (records * HEADER + payload) as u64;
        self.bytes() + more <= self.limits.total_bytes
    }

    fn bytes(&self) -> u64 {
        let active = self.active.as_ref().map(|it| &it.segment);
        self.closed.iter().chain(active).map(|it| it.bytes).sum()
    }

    /// How much there is.
    pub(super) fn usage(&self) -> Usage {
        let active = self.active.as_ref().map(|it| &it.segment);
        let mut usage = Usage {
            found: self.found,
            ..Usage::default()
        };
        for segment in self.closed.iter().chain(active) {
            usage.segments += 1;
            usage.records += segment.records;
            usage.bytes += segment.bytes;
            usage.oldest = usage.oldest.into_iter().chain(segment.oldest).min();
        }
        usage
    }
}
