//! A quantile sketch that shards add up to: how many values fell into each of a row of buckets, every bucket 1 % wider
//! than the one before (Masson, Rim and Lee 2019). The same values in any order and any parts give the same sketch.

use std::collections::BTreeMap;

use super::varint::{self, Malformed};

/// A bucket's upper end over its lower one.
const RATIO: f64 = 1.01;

/// Values below this count as this, and those above [`GREATEST`] as that: 4,165 buckets at most.
const LEAST: f64 = 1e-6;
const GREATEST: f64 = 1e12;

/// Of what the bytes are.
const FORMAT: u8 = 1;

/// How many values there were of each size. Quantiles are within 0.5 % of the true ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuantileSketch(BTreeMap<i32, u64>);

impl QuantileSketch {
    /// Counts a value; one that is no number is nothing.
    pub fn add(&mut self, value: f64) {
        if !value.is_nan() {
            *self.0.entry(bucket(value)).or_default() += 1;
        }
    }

    /// Counts all that another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// How many of them are greater than `limit`; a value up to 1 % above it may be taken for one that is not.
    pub fn over(&self, limit: f64) -> u64 {
        self.0
            .range(bucket(limit).saturating_add(1)..)
            .map(|(_, count)| count)
            .sum()
    }

    /// The value that the share `q` (in `0..=1`) of all values does not exceed, within 0.5 %; `None` without values.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = (q * self.count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let (bucket, _) = self.0.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        })?;
        Some(2.0 * RATIO.powi(*bucket) / (RATIO + 1.0))
    }

    /// For storage: a few bytes a bucket that is not empty.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        let mut before = 0;
        for (bucket, count) in &self.0 {
            varint::write_signed(&mut bytes, i64::from(bucket - before));
            varint::write(&mut bytes, *count);
            before = *bucket;
        }
        bytes
    }

    /// What [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut rest = bytes.strip_prefix(&[FORMAT]).ok_or(Malformed)?;
        let mut buckets = BTreeMap::new();
        let mut bucket: i32 = 0;
        while !rest.is_empty() {
            let step = i32::try_from(varint::read_signed(&mut rest)?).map_err(|_| Malformed)?;
            bucket = bucket.checked_add(step).ok_or(Malformed)?;
            if !(bucket_of(LEAST)..=bucket_of(GREATEST)).contains(&bucket) {
                return Err(Malformed);
            }
            buckets.insert(bucket, varint::read(&mut rest)?);
        }
        Ok(Self(buckets))
    }
}

fn bucket(value: f64) -> i32 {
    bucket_of(value.clamp(LEAST, GREATEST))
}

/// The bucket `i` has the values in `RATIO^(i-1)..=RATIO^i`, the lower end excluded.
fn bucket_of(value: f64) -> i32 {
    (value.ln() / RATIO.ln()).ceil() as i32
}
