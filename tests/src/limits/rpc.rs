//! Assigns over tarpc against a bare tarpc echo with the same frames, messages and client.

use super::bench::{Bench, measured};
use super::body::Body;
use super::sticky::{self, KNOWN_UNITS};
use super::table::{Goal, Row, Table};
use crate::rpc::{RpcLoad, echo};

/// LIMITS section 1.
const GOAL: Goal = Goal::AtLeast(0.85);

const PART: &str = "sticky assign over tarpc";

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let known = sticky::known(bench)?;
    let echo = bench.server.block_on(echo())?;
    for (connections, in_flight) in [(1, 1), (1, 64), (4, 256)] {
        let (mut ours, mut theirs) = (vec![], vec![]);
        bench.turns(|_| {
            for (address, ran) in [(bench.site.rpc, &mut ours), (echo, &mut theirs)] {
                let load = RpcLoad {
                    address,
                    connections,
                    in_flight,
                    run: bench.options.run(),
                };
                let known: Body = known.clone();
                let unit = move |caller: usize, turn: usize| {
                    known.known((turn * 31 + caller * 7_919) % KNOWN_UNITS)
                };
                ran.push(measured(|| bench.client.block_on(load.assigns(unit)))?);
                bench.site.tidy();
            }
            Ok(())
        })?;
        let speeds = |ran: &[super::bench::Ran]| ran.iter().map(|ran| ran.per_sec).collect();
        let costs = |ran: &[super::bench::Ran]| ran.iter().map(|ran| ran.cost).collect::<Vec<_>>();
        let what = format!("{connections} connections, {in_flight} in flight");
        let row = Row::beside(
            PART,
            what,
            "1/s",
            speeds(&ours),
            ("bare echo", speeds(&theirs)),
        );
        table.add(row.costs(&costs(&ours), &costs(&theirs)).goal(GOAL));
    }
    Ok(())
}
