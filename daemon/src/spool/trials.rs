//! Trials of the log on disks that lose power, break, fill up and rot; for tests, small and large.
//!
//! The oracle is simple: a payload is issued once; what was acknowledged must be delivered by the log at some
//! time, and what is delivered must have been issued.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::log::{Limits, Log, NotKept, number_of};
use super::record::{self, HEADER, Record};
use crate::durable::Directory;
use crate::durable::model::{Fault, Model};

/// Small segments, so that a trial has many.
const LIMITS: Limits = Limits {
    segment_bytes: 600,
    total_bytes: 6_000,
};

/// Something that happens to a spool.
#[derive(Debug, Clone)]
pub enum Step {
    /// A batch of so many records comes.
    Append(u8),
    /// The oldest segment is delivered, and removed if the flag is set: otherwise the daemon dies in between.
    Deliver(bool),
    /// Power is lost and comes back; the number decides what of the unsynced is there.
    Crash(u64),
    /// The n-th call from now fails.
    Break(u8),
    /// No sync succeeds until something else is broken or healed.
    BreakSyncs,
    /// Nothing fails any more.
    Heal,
    /// The disk takes so many bytes, or any number.
    Capacity(Option<u16>),
}

/// What came of trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Trials.
    pub cases: u64,
    /// Payloads that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged ones that were delivered.
    pub found: u64,
    /// Faults that were injected.
    pub faults: u64,
}

/// Carries out `steps`, then lets the disk be well and delivers everything. An error says what was lost or
/// invented.
pub fn power_cut(steps: &[Step]) -> Result<Tally, String> {
    let mut trial = Trial::begin()?;
    for step in steps {
        trial.step(step)?;
    }
    trial.finish()
}

/// `cases` random trials of `steps` steps each.
pub fn power_cuts(cases: u64, steps: usize, seed: u64) -> Result<Tally, String> {
    let mut sum = Tally::default();
    for case in 0..cases {
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(case));
        let script: Vec<Step> = (0..steps).map(|_| random_step(&mut random)).collect();
        let tally =
            power_cut(&script).map_err(|error| format!("case {case}: {error}: {script:?}"))?;
        sum.cases += 1;
        sum.acknowledged += tally.acknowledged;
        sum.found += tally.found;
        sum.faults += tally.faults;
    }
    Ok(sum)
}

fn random_step(random: &mut StdRng) -> Step {
    match random.random_range(0..16) {
        0..7 => Step::Append(random.random_range(1..8)),
        7..9 => Step::Deliver(random.random_bool(0.7)),
        9..11 => Step::Crash(random.random()),
        11..13 => Step::Break(random.random_range(0..6)),
        13 => Step::BreakSyncs,
        14 => Step::Heal,
        _ => Step::Capacity(
            random
                .random_bool(0.5)
                .then(|| random.random_range(0..3_000)),
        ),
    }
}

struct Trial {
    disk: Model,
    log: Log<Model>,
    issued: u64,
    acknowledged: BTreeSet<u64>,
    delivered: BTreeSet<u64>,
    faults: u64,
}

impl Trial {
    fn begin() -> Result<Self, String> {
        let disk = Model::default();
        Ok(Self {
            log: open(&disk)?,
            disk,
            issued: 0,
            acknowledged: BTreeSet::new(),
            delivered: BTreeSet::new(),
            faults: 0,
        })
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Append(count) => self.append(count),
            Step::Deliver(removed) => {
                self.deliver(removed)?;
            }
            Step::Crash(seed) => {
                self.disk.crash(seed);
                self.log = open(&self.disk)?;
            }
            Step::Break(nth) => self.disk.fail(Fault::Nth(nth.into())),
            Step::BreakSyncs => self.disk.fail(Fault::EverySync),
            Step::Heal => self.disk.heal(),
            Step::Capacity(bytes) => self.disk.capacity(bytes.map(usize::from)),
        }
        self.faults += u64::from(!matches!(
            step,
            Step::Append(_) | Step::Deliver(true) | Step::Heal | Step::Capacity(None)
        ));
        Ok(())
    }

    fn append(&mut self, count: u8) {
        let ids = self.issued..self.issued + u64::from(count);
        self.issued = ids.end;
        let payloads: Vec<Vec<u8>> = ids.clone().map(payload).collect();
        if self.log.append(&payloads, 1).is_ok() {
            self.acknowledged.extend(ids);
        }
    }

    /// Delivers the oldest segment; whether there was one.
    fn deliver(&mut self, removed: bool) -> Result<bool, String> {
        let Some(batch) = self.log.oldest() else {
            return Ok(false);
        };
        for payload in &batch.payloads {
            let id = id_of(payload).ok_or_else(|| format!("invented: {payload:?}"))?;
            if id >= self.issued {
                return Err(format!("record {id} was delivered before it was issued"));
            }
            self.delivered.insert(id);
        }
        if removed {
            self.log.done(&batch.segment);
        }
        Ok(true)
    }

    fn finish(mut self) -> Result<Tally, String> {
        self.disk.heal();
        self.disk.capacity(None);
        self.disk.crash(0);
        self.log = open(&self.disk)?;
        let segments = self.log.usage().segments;
        for _ in 0..segments {
            self.deliver(true)?;
        }
        if self.log.oldest().is_some() {
            return Err("delivering does not end".to_owned());
        }
        if let Some(lost) = self.acknowledged.difference(&self.delivered).next() {
            return Err(format!("record {lost} was acknowledged and is lost"));
        }
        Ok(Tally {
            cases: 1,
            acknowledged: self.acknowledged.len() as u64,
            found: self.acknowledged.intersection(&self.delivered).count() as u64,
            faults: self.faults,
        })
    }
}

fn open(disk: &Model) -> Result<Log<Model>, String> {
    Log::open(disk.clone(), LIMITS).map_err(|error| format!("not opened: {error}"))
}

/// 16 to 55 bytes that say which they are.
fn payload(id: u64) -> Vec<u8> {
    let mut payload = id.to_le_bytes().to_vec();
    payload.extend(std::iter::repeat_n(id as u8, 8 + (id % 40) as usize));
    payload
}

fn id_of(payload: &[u8]) -> Option<u64> {
    let id = u64::from_le_bytes(*payload.first_chunk()?);
    (self::payload(id) == payload).then_some(id)
}

/// A segment of about `bytes` bytes: truncated at every byte of its last 3 records, with every bit of the
/// headers of `headers` records flipped one by one, and with copies, gaps and other orders of segments. Each
/// time the log must open, lose the damaged records and no others, and be empty when it is delivered.
pub fn damage(bytes: usize, headers: usize) -> Result<Tally, String> {
    let whole = Whole::of(bytes);
    let mut tally = Tally::default();
    let last = whole.starts.len().saturating_sub(3);
    for end in whole.starts[last]..whole.bytes.len() {
        let intact = whole.starts.iter().filter(|start| **start < end).count() - 1;
        let exact = usize::from(whole.starts.contains(&end));
        let lost = whole.starts.len() - intact - exact;
        whole.check(&whole.bytes[..end], lost, &mut tally)?;
    }
    let step = (whole.starts.len() / headers.max(1)).max(1);
    for start in whole.starts.iter().step_by(step) {
        for bit in 0..HEADER * 8 {
            let mut damaged = whole.bytes.clone();
            damaged[start + bit / 8] ^= 1 << (bit % 8);
            whole.check(&damaged, 1, &mut tally)?;
        }
    }
    whole.rearranged(&mut tally)?;
    Ok(tally)
}

/// A segment and where its records begin.
struct Whole {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Whole {
    fn of(size: usize) -> Self {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        while bytes.len() < size || starts.len() < 8 {
            let id = starts.len() as u64;
            starts.push(bytes.len());
            let payload = payload(id);
            record::write(
                &mut bytes,
                Record {
                    id,
                    at: 1,
                    payload: &payload,
                },
            );
        }
        Self { bytes, starts }
    }

    /// Opens a log on a disk with this one segment, and counts.
    fn check(&self, bytes: &[u8], lost: usize, tally: &mut Tally) -> Result<(), String> {
        let disk = Model::default();
        disk.put("0000000000000000.spool", bytes);
        let wanted = self.starts.len() - lost;
        let delivered = drain(&disk)?;
        tally.cases += 1;
        tally.faults += 1;
        tally.acknowledged += wanted as u64;
        tally.found += delivered.len() as u64;
        if delivered.len() != wanted {
            let found = delivered.len();
            return Err(format!("{found} records where {wanted} are whole"));
        }
        Ok(())
    }

    /// The segment in three, with one copied, missing, or under another's name.
    fn rearranged(&self, tally: &mut Tally) -> Result<(), String> {
        let cuts = [1, 2].map(|third| self.starts[self.starts.len() * third / 3]);
        let (first, rest) = self.bytes.split_at(cuts[0]);
        let (second, third) = rest.split_at(cuts[1] - cuts[0]);
        let all = self.starts.len();
        let without_second = all - (all * 2 / 3 - all / 3);
        let arrangements: [(&[&[u8]], usize); 4] = [
            (&[first, second, third, second], all),
            (&[third, first, second], all),
            (&[first, third], without_second),
            (&[first, first, first], all / 3),
        ];
        for (segments, wanted) in arrangements {
            let disk = Model::default();
            for (number, bytes) in segments.iter().enumerate() {
                disk.put(&format!("{number:016x}.spool"), bytes);
            }
            let found = drain(&disk)?.len();
            tally.cases += 1;
            tally.faults += 1;
            tally.acknowledged += wanted as u64;
            tally.found += found as u64;
            if found != wanted {
                return Err(format!("{found} records where {wanted} are there"));
            }
        }
        Ok(())
    }
}

/// Opens, keeps one more record, delivers everything and says which old records there were.
fn drain(disk: &Model) -> Result<BTreeSet<u64>, String> {
    let mut log = open_large(disk)?;
    let fresh = u64::MAX;
    match log.append(&[payload(fresh)], 2) {
        Ok(()) => {}
        Err(NotKept::Full | NotKept::Disk(_)) => return Err("a new record is refused".to_owned()),
    }
    let mut delivered = BTreeSet::new();
    while let Some(batch) = log.oldest() {
        for payload in &batch.payloads {
            delivered.insert(id_of(payload).ok_or("a record was invented")?);
        }
        log.done(&batch.segment);
    }
    if !delivered.remove(&fresh) {
        return Err("the new record is lost".to_owned());
    }
    let left = disk.list().map_err(|error| error.to_string())?;
    if let Some(name) = left.iter().find(|name| number_of(name).is_some()) {
        return Err(format!("{name} is left"));
    }
    Ok(delivered)
}

fn open_large(disk: &Model) -> Result<Log<Model>, String> {
    let limits = Limits {
        segment_bytes: 1 << 20,
        total_bytes: 1 << 30,
    };
    Log::open(disk.clone(), limits).map_err(|error| format!("not opened: {error}"))
}
