//! The data port beside what it could be at best, in one run on the same cores.
//!
//! Sticky assigns against a bare axum handler that parses the same body and answers JSON of the same size;
//! new assigns and tracked events against the combined limit of LIMITS section 1,
//! `1 / (1 / bare + 1 / raw)`. Every figure is the median of [`RUNS`] runs, ours and the others' in turns.
//!
//! `cargo bench -p tests --bench data_port`; under three minutes. The workers that learn do not run.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its output")]

mod bare;
mod load;
mod raw;
mod site;

use std::net::SocketAddr;
use std::time::Duration;

use load::{Load, Measured, median};
use raw::Raw;
use site::Site;
use tokio::runtime::Runtime;

/// Runs of each figure.
const RUNS: usize = 5;

/// How long each run loads.
const RUN: Duration = Duration::from_millis(800);

/// Units that were assigned before the sticky runs: more than a processor's caches hold.
const KNOWN_UNITS: usize = 20_000;

/// Rows of a body that carries one event, and of one new unit.
const ONE: usize = 1;

/// The two sides that share the cores.
struct Bench {
    server: Runtime,
    client: Runtime,
    site: Site,
    bare: SocketAddr,
}

fn main() -> anyhow::Result<()> {
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let client = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let site = server.block_on(Site::open())?;
    let bare = server.block_on(bare::serve())?;
    let bench = Bench {
        server,
        client,
        site,
        bare,
    };
    bench.sticky();
    bench.durable()?;
    Ok(())
}

impl Bench {
    fn load(&self, address: SocketAddr, connections: usize, body: load::Body) -> Measured {
        let load = Load {
            address,
            connections,
            run: RUN,
        };
        let measured = self.client.block_on(load.run(body));
        self.site.tidy();
        measured
    }

    fn sticky(&self) {
        println!("sticky assign, requests/s (median of {RUNS})");
        println!(
            "{:>12} {:>10} {:>10} {:>7} {:>20} {:>20}",
            "connections", "ours", "bare axum", "ratio", "ours p50/p99 ms", "bare p50/p99 ms"
        );
        let known = load::Body::assigns("known", Some(KNOWN_UNITS));
        // Everyone is assigned once, and the caches are warm.
        self.server
            .block_on(self.site.assign_all(&known, KNOWN_UNITS));
        for connections in [1, 16, 64] {
            let (mut ours, mut bare) = (Vec::new(), Vec::new());
            for _ in 0..RUNS {
                ours.push(self.load(self.site.address, connections, known.clone()));
                bare.push(self.load(self.bare, connections, known.clone()));
            }
            let (ours, bare) = (Measured::median(ours), Measured::median(bare));
            println!(
                "{connections:>12} {:>10.0} {:>10.0} {:>7.2} {:>20} {:>20}",
                ours.per_sec,
                bare.per_sec,
                ours.per_sec / bare.per_sec,
                ours.latency(),
                bare.latency(),
            );
        }
    }

    fn durable(&self) -> anyhow::Result<()> {
        println!("\ndurable, items/s (median of {RUNS}); limit = 1 / (1 / bare + 1 / raw)");
        println!(
            "{:>24} {:>10} {:>10} {:>10} {:>10} {:>7}",
            "what", "ours", "bare", "raw", "limit", "ratio"
        );
        let raw = self.server.block_on(Raw::open(&self.site))?;
        // Half of the waiting requests gather while the other half is flushed, on two writers.
        self.row(
            "new assigns, 64 conn",
            64,
            ONE,
            &|run| load::Body::assigns(&format!("new-{run}"), None),
            &|run| self.server.block_on(raw.assignments(run, 32, RUN)),
        )?;
        for (batch, connections) in [(ONE, 64), (100, 16), (1_000, 8)] {
            let rows = (batch * connections / 2).min(2_000).max(batch);
            self.row(
                &format!("events by {batch}, {connections} conn"),
                connections,
                batch,
                &|run| load::Body::events(&format!("e-{run}"), batch),
                &|_| self.server.block_on(raw.events(rows, RUN)),
            )?;
        }
        Ok(())
    }

    fn row(
        &self,
        what: &str,
        connections: usize,
        batch: usize,
        body: &dyn Fn(usize) -> load::Body,
        insert: &dyn Fn(usize) -> anyhow::Result<f64>,
    ) -> anyhow::Result<()> {
        let (mut ours, mut bare, mut raw, mut ratios) = (vec![], vec![], vec![], vec![]);
        for run in 0..RUNS {
            let items = batch as f64;
            let mine = self.load(self.site.address, connections, body(run)).per_sec * items;
            let web = self.load(self.bare, connections, body(run)).per_sec * items;
            let rows = insert(run)?;
            ratios.push(mine / (1.0 / (1.0 / web + 1.0 / rows)));
            ours.push(mine);
            bare.push(web);
            raw.push(rows);
        }
        let (bare, raw) = (median(bare), median(raw));
        println!(
            "{what:>24} {:>10.0} {bare:>10.0} {raw:>10.0} {:>10.0} {:>7.2}",
            median(ours),
            1.0 / (1.0 / bare + 1.0 / raw),
            median(ratios),
        );
        Ok(())
    }
}
