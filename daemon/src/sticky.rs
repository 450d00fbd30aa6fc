//! The sticky cache: recorded assignments, so that a unit that comes again touches no database.
//!
//! A recorded assignment never changes but for being exposed once, so an entry is never wrong, only absent.
//! Units without a record are not remembered: another daemon may record them at any moment.

use bandit::assign::{Stored, UnitKey};
use bandit::experiment::ExperimentId;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Bytes that one entry costs in a full cache: 48 of key and value, and what the cache keeps beside them, which
/// includes the hashes of half as many units that it has let go of. Filled to its bound twice over, it takes 108 to 112.
const ENTRY_BYTES: u64 = 116;

/// A recorded assignment as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recorded {
    /// Lane, arm and version.
    pub stored: Stored,
    /// The probability with which the arm was drawn, in `0..=1`.
    pub propensity: f64,
    /// Whether the unit has met its arm.
    pub exposed: bool,
}

/// Recorded assignments by experiment and unit, the less used ones evicted.
#[derive(Debug)]
pub struct Sticky(Cache<(ExperimentId, UnitKey), Recorded, PerEntry>);

#[derive(Debug, Clone)]
struct PerEntry;

impl Weighter<(ExperimentId, UnitKey), Recorded> for PerEntry {
    fn weight(&self, _: &(ExperimentId, UnitKey), _: &Recorded) -> u64 {
        ENTRY_BYTES
    }
}

impl Sticky {
    /// A cache that takes at most about `bytes`.
    pub fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / ENTRY_BYTES).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(entries, bytes, PerEntry))
    }

    /// What is recorded of the unit, if it is remembered.
    pub fn get(&self, experiment: ExperimentId, unit: UnitKey) -> Option<Recorded> {
        self.0.get(&(experiment, unit))
    }

    /// Remembers a record that is in the database.
    pub fn insert(&self, experiment: ExperimentId, unit: UnitKey, recorded: Recorded) {
        self.0.insert((experiment, unit), recorded);
    }

    /// Tells the recorder how full the cache is and how often it knew the unit. The cache counts by itself, shard by
    /// shard: a counter that every assign adds to would be passed from core to core.
    pub fn publish(&self) {
        metrics::gauge!("pitboss_sticky_cache_units").set(self.len() as f64);
        metrics::gauge!("pitboss_sticky_cache_bytes").set(self.0.memory_used().total() as f64);
        metrics::counter!("pitboss_sticky_cache_hits_total").absolute(self.0.hits());
        metrics::counter!("pitboss_sticky_cache_misses_total").absolute(self.0.misses());
    }

    /// Units that are remembered now.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bandit::experiment::{ArmId, LaneId, Version};

    use super::*;

    fn recorded(arm: u16) -> Recorded {
        Recorded {
            stored: Stored {
                lane: LaneId::MAIN,
                arm: ArmId(arm),
                version: Version(1),
            },
            propensity: 0.5,
            exposed: true,
        }
    }

    #[test]
    fn a_full_cache_takes_no_more_memory_than_it_may() {
        const MIB: u64 = 1024 * 1024;
        for bytes in [MIB, 3 * MIB, 5 * MIB, 8 * MIB, 13 * MIB, 32 * MIB] {
            let sticky = Sticky::new(bytes);
            let more_than_fit = u128::from(2 * bytes / ENTRY_BYTES);
            for n in 0..more_than_fit {
                sticky.insert(ExperimentId(1), UnitKey(n.to_be_bytes()), recorded(0));
            }
            let used = sticky.0.memory_used().total() as u64;
            assert!(used <= bytes, "{used} of {bytes}");
            assert!(used > bytes * 7 / 10, "only {used} of {bytes}");
        }
    }

    #[test]
    fn keeps_experiments_apart() {
        let sticky = Sticky::new(100 * ENTRY_BYTES);
        let unit = UnitKey([1; 16]);
        sticky.insert(ExperimentId(1), unit, recorded(0));
        sticky.insert(ExperimentId(2), unit, recorded(3));
        assert_eq!(sticky.get(ExperimentId(1), unit), Some(recorded(0)));
        assert_eq!(sticky.get(ExperimentId(2), unit), Some(recorded(3)));
        assert_eq!(sticky.get(ExperimentId(3), unit), None);
    }
}
