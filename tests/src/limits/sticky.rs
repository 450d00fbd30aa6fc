//! Sticky assigns over HTTP against bare handlers that parse the same body and answer as much.

use super::bench::Bench;
use super::body::Body;
use super::table::{Cost, Goal, Row, Table};

/// Units that were assigned before: more than a processor's caches hold.
pub(super) const KNOWN_UNITS: usize = 20_000;

/// LIMITS section 1.
const GOAL: Goal = Goal::AtLeast(0.90);

/// The load of units that come again. Everyone is assigned once, and the caches are warm.
pub(super) fn known(bench: &Bench) -> anyhow::Result<Body> {
    let known = Body::assigns("known", Some(KNOWN_UNITS)).over(bench.site.experiments);
    bench
        .server
        .block_on(bench.site.assign_all(&known, KNOWN_UNITS))?;
    Ok(known)
}

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    for connections in [1, 16, 64, 256] {
        at(bench, connections, "sticky assign over HTTP", table)?;
    }
    Ok(())
}

/// The two rows of one number of connections.
pub(super) fn at(
    bench: &Bench,
    connections: usize,
    part: &'static str,
    table: &mut Table,
) -> anyhow::Result<()> {
    let known = known(bench)?;
    let runs = bench.turns(|_| {
        let load = |address| bench.load(address, connections, &known);
        Ok([bench.site.address, bench.bare.axum, bench.bare.hyper].map(load))
    })?;
    let speeds = |at: usize| -> Vec<f64> { runs.iter().map(|run| run[at].per_sec).collect() };
    let costs = |at: usize| -> Vec<Cost> { runs.iter().map(|run| run[at].cost).collect() };
    let beside = |at: usize, name: &str| {
        let what = format!("{connections} connections");
        Row::beside(part, what, "1/s", speeds(0), (name, speeds(at))).costs(&costs(0), &costs(at))
    };
    table.add(beside(1, "bare axum").goal(GOAL));
    table.add(beside(2, "bare hyper"));
    Ok(())
}
