//! A daemon that starts on a ledger of 1,000,000 assignments: from the start of its process to its first sticky
//! answer, and how fast it learns the rest.

use std::time::Duration;

use anyhow::Context;
use daemon::clock::Stopwatch;
use daemon::testing;
use daemon::unit_secret::UnitSecret;

use super::bench::Bench;
use super::body::{Body, experiment};
use super::load::Load;
use super::table::{Row, Table};
use super::{ledger, site};
use crate::installation::Installation;

const UNITS: usize = 1_000_000;

const PART: &str = "cold start, 1,000,000 assignments";

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let mut daemon = bench.client.block_on(Installation::start())?;
    daemon.apply(&site::declared(0))?;
    let secret = UnitSecret::read(&daemon.data_dir().join("unit-secret"))?;
    let secret = secret.context("the daemon made a unit secret")?;
    let options = daemon::postgres::connect_options_of(&testing::settings(daemon.data_dir()));
    bench
        .client
        .block_on(ledger::fill(&options, secret.expose(), "ledger", 0..UNITS))?;
    let body = Body::assigns("ledger", Some(UNITS));
    let (mut first, mut learned) = (vec![], vec![]);
    for turn in 0..bench.options.runs {
        daemon.stop_daemon()?;
        let started = Stopwatch::start();
        let answer = bench.client.block_on(async {
            daemon.start_daemon().await?;
            let path = format!("/api/experiments/{}/assign", experiment(0));
            let unit = serde_json::json!({"unit": format!("ledger-{turn}")});
            daemon.http().await?.post(&path, &unit).await
        })?;
        first.push(started.elapsed().as_secs_f64() * 1_000.0);
        anyhow::ensure!(answer.json["reason"] == "sticky", "{}", answer.text);
        let load = Load {
            address: daemon.data_address().parse()?,
            connections: 64,
            run: bench.options.run().max(Duration::from_millis(500)),
        };
        learned.push(bench.client.block_on(load.run(&body)));
    }
    table.add(Row::alone(PART, "first sticky answer", "ms", first));
    table.add(Row::alone(
        PART,
        "sticky, all new to the cache",
        "1/s",
        learned,
    ));
    Ok(())
}
