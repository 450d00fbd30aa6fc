//! The table again with many experiments, and with many assignments in the ledger.

use super::bench::Bench;
use super::table::Table;
use super::{durable, ledger, sticky};

/// Connections of the sticky rows.
const CONNECTIONS: usize = 64;

pub(super) fn measure(mut bench: Bench, table: &mut Table) -> anyhow::Result<()> {
    let experiments: &[(usize, &str)] = if bench.options.quick {
        &[(100, "100 experiments")]
    } else {
        &[(100, "100 experiments"), (10_000, "10,000 experiments")]
    };
    for &(experiments, part) in experiments {
        bench = bench.again(experiments)?;
        both(&bench, part, table)?;
    }
    if bench.options.quick {
        return Ok(());
    }
    bench = bench.again(1)?;
    for (millions, part) in [(1, "1,000,000 assignments"), (5, "5,000,000 assignments")] {
        let options = bench.site.database.cluster().connect_options();
        let there = if millions == 1 { 0 } else { 1_000_000 };
        let rows = there..millions * 1_000_000;
        bench
            .server
            .block_on(ledger::fill(&options, &[7; 32], "ledger", rows))?;
        both(&bench, part, table)?;
    }
    Ok(())
}

fn both(bench: &Bench, part: &'static str, table: &mut Table) -> anyhow::Result<()> {
    sticky::at(bench, CONNECTIONS, part, table)?;
    durable::measure_some(bench, part, table)
}
