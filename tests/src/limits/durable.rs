//! New assigns and tracked events against the combined limit of web server and database (LIMITS section 1).

use super::bench::{Bench, measured};
use super::body::Body;
use super::raw::Raw;
use super::table::{Goal, Row, Table};

/// LIMITS section 1.
const GOAL: Goal = Goal::AtLeast(0.70);

/// A load, and the size of the statements that bring as much into the database.
struct Kind {
    what: &'static str,
    connections: usize,
    /// Events of one request; `None`: a new assign.
    events: Option<usize>,
    /// Rows of one raw statement: half of what waits gathers while the other half is flushed, on two writers.
    raw_rows: usize,
}

const KINDS: [Kind; 4] = [
    Kind {
        what: "new assigns, 64 connections",
        connections: 64,
        events: None,
        raw_rows: 32,
    },
    Kind {
        what: "events by 1, 64 connections",
        connections: 64,
        events: Some(1),
        raw_rows: 32,
    },
    Kind {
        what: "events by 100, 16 connections",
        connections: 16,
        events: Some(100),
        raw_rows: 800,
    },
    Kind {
        what: "events by 1000, 8 connections",
        connections: 8,
        events: Some(1_000),
        raw_rows: 2_000,
    },
];

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    measure_as(bench, "durable, beside 1/(1/bare + 1/raw)", &KINDS, table)
}

/// The rows that are measured again with many experiments or assignments.
pub(super) fn measure_some(
    bench: &Bench,
    part: &'static str,
    table: &mut Table,
) -> anyhow::Result<()> {
    let [new_assigns, _, events, _] = KINDS;
    measure_as(bench, part, &[new_assigns, events], table)
}

fn measure_as(
    bench: &Bench,
    part: &'static str,
    kinds: &[Kind],
    table: &mut Table,
) -> anyhow::Result<()> {
    let raw = bench.server.block_on(Raw::open(&bench.site))?;
    for kind in kinds {
        let (mut ours, mut limit) = (vec![], vec![]);
        let (mut our_cost, mut cost) = (vec![], vec![]);
        bench.turns(|turn| {
            let prefix = format!("{part}-{}-{turn}", kind.what);
            let body = kind.body(&prefix);
            let body = body.over(bench.site.experiments);
            let mine = bench.load(bench.site.address, kind.connections, &body);
            let bare = bench.load(bench.bare.axum, kind.connections, &body);
            let rows = measured(|| bench.server.block_on(kind.insert(&raw, bench, &prefix)))?;
            ours.push(mine.per_sec);
            limit.push(1.0 / (1.0 / bare.per_sec + 1.0 / rows.per_sec));
            our_cost.push(mine.cost);
            cost.push(bare.cost + rows.cost);
            Ok(())
        })?;
        let row = Row::beside(part, kind.what, "1/s", ours, ("combined limit", limit))
            .costs(&our_cost, &cost);
        table.add(row.goal(GOAL));
    }
    Ok(())
}

impl Kind {
    fn body(&self, prefix: &str) -> Body {
        let prefix = prefix.replace([' ', ','], "");
        match self.events {
            None => Body::assigns(&prefix, None),
            Some(count) => Body::events(&prefix, count),
        }
    }

    async fn insert(&self, raw: &Raw, bench: &Bench, prefix: &str) -> anyhow::Result<f64> {
        let run = bench.options.run();
        match self.events {
            None => raw.assignments(prefix, self.raw_rows, run).await,
            Some(_) => raw.events(self.raw_rows, run).await,
        }
    }
}
