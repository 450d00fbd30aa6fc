//! How many different units there were, in parts that add up: the least of their hashes (Bar-Yossef and others 2002).

use std::collections::BTreeSet;

use super::varint::Malformed;

/// Hashes that are kept: up to so many units the count is exact, above it is right within about 3 %.
const KEPT: usize = 1_024;

/// Units that were seen, each once, whatever number of times it was seen. Their hashes must be evenly spread, as any 8
/// bytes of a unit key are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DistinctSketch(BTreeSet<u64>);

impl DistinctSketch {
    /// Sees a unit.
    pub fn add(&mut self, hash: u64) {
        if self.0.len() < KEPT {
            self.0.insert(hash);
        } else if self.0.last().is_some_and(|greatest| hash < *greatest) && self.0.insert(hash) {
            self.0.pop_last();
        }
    }

    /// Sees all that another one saw.
    pub fn merge(&mut self, other: &Self) {
        for hash in &other.0 {
            self.add(*hash);
        }
    }

    /// How many units were seen: exact up to 1,024, an estimate above.
    pub fn count(&self) -> f64 {
        match self.0.last() {
            Some(greatest) if self.0.len() >= KEPT => {
                (KEPT - 1) as f64 * (u64::MAX as f64 / *greatest as f64)
            }
            _ => self.0.len() as f64,
        }
    }

    /// For storage: 8 bytes a hash that is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|hash| hash.to_be_bytes()).collect()
    }

    /// What [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let (hashes, []) = bytes.as_chunks::<8>() else {
            return Err(Malformed);
        };
        if hashes.len() > KEPT {
            return Err(Malformed);
        }
        Ok(Self(
            hashes.iter().copied().map(u64::from_be_bytes).collect(),
        ))
    }
}
