//! Bytes of memory per unit of the sticky cache: by how much the process grows when it takes a million units.

use bandit::assign::{Stored, UnitKey};
use bandit::experiment::{ArmId, ExperimentId, LaneId, Version};
use daemon::sticky::{Recorded, Sticky};

use super::Options;
use super::process::resident_bytes;
use super::table::{Goal, Row, Table};

/// Fewer would measure the allocator's pages.
const UNITS: usize = 1_000_000;

/// More than they need.
const ROOM: u64 = 1 << 30;

/// 128 MiB: the default of the configuration.
const BOUND: u64 = 128 * 1024 * 1024;

/// Twice what fits.
const MORE_THAN_FIT: usize = 3_000_000;

const MIB: f64 = 1024.0 * 1024.0;

/// What the cache reckons for a unit when it holds itself to its bound.
const GOAL: Goal = Goal::AtMost(116.0);

pub(super) fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    // Kept until the end: memory that one cache gives back would be what the next one takes.
    let mut kept = Vec::new();
    for _ in 0..if options.quick {
        1
    } else {
        options.runs.min(3)
    } {
        let before = resident_bytes()?;
        let sticky = filled(ROOM, UNITS);
        bytes.push((resident_bytes()? - before) as f64 / UNITS as f64);
        kept.push(sticky);
    }
    table.add(Row::alone("memory", "one sticky unit of 1,000,000", "bytes", bytes).goal(GOAL));
    let before = resident_bytes()?;
    let _full = filled(BOUND, MORE_THAN_FIT);
    let grown = vec![(resident_bytes()? - before) as f64 / MIB];
    let bound = ("its bound", vec![BOUND as f64 / MIB]);
    let row = Row::beside("memory", "a full sticky cache", "MiB", grown, bound);
    table.add(row.goal(Goal::AtMost(1.0)));
    Ok(())
}

/// A cache of at most `bytes` that was given so many units.
fn filled(bytes: u64, units: usize) -> Sticky {
    let sticky = Sticky::new(bytes);
    for n in 0..units {
        let unit = UnitKey::derive(&[7; 32], &n.to_string());
        sticky.insert(ExperimentId(1), unit, recorded());
    }
    sticky
}

fn recorded() -> Recorded {
    Recorded {
        stored: Stored {
            lane: LaneId::MAIN,
            arm: ArmId(0),
            version: Version(1),
        },
        propensity: 0.5,
        exposed: true,
    }
}
