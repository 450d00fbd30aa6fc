//! Whether the fold keeps up: a real daemon under a load of tracked events for minutes.
//!
//! `cargo run --release -p tests --bin fold -- --seconds 600`
#![allow(clippy::print_stdout, reason = "a benchmark's table is its output")]

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use harness::binaries;
use harness::sustained::{self, Load, Look};

/// Tracks events as fast as the data port takes them, and says how far behind the fold is.
#[derive(Parser)]
struct Options {
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Units that are assigned before, and that the events are of.
    #[arg(long, default_value_t = 200_000)]
    units: usize,
    /// Connections that send batches.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Events of a batch.
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    /// Of a hundred events, those that are the reward.
    #[arg(long, default_value_t = 10)]
    rewards: u32,
    /// Each event has an id of its sender's.
    #[arg(long)]
    ids: bool,
    /// Events a second; as fast as they are taken unless given.
    #[arg(long)]
    per_sec: Option<f64>,
    /// Connections that assign new units meanwhile.
    #[arg(long, default_value_t = 0)]
    assigning: usize,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 5)]
    every: u64,
    /// The directory of the daemon and the console, as they are; without it they are built.
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// One JSON object instead of the table.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(directory) = &options.binaries {
        binaries::take_from(directory);
    }
    let load = Load {
        run: Duration::from_secs(options.seconds),
        units: options.units,
        connections: options.connections,
        batch: options.batch,
        rewards: options.rewards,
        ids: options.ids,
        per_sec: options.per_sec,
        assigning: options.assigning,
        look_every: Duration::from_secs(options.every),
    };
    if !options.json {
        println!(
            "{:>6} {:>12} {:>10} {:>7} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>10}",
            "s",
            "accepted",
            "landed",
            "lag s",
            "RSS MiB",
            "landing",
            "events",
            "+indexes",
            "rewards",
            "assigned",
            "other",
            "dead rows"
        );
    }
    let found = sustained::run(&load, |look| {
        if !options.json {
            row(look);
        }
    })
    .await?;
    if options.json {
        println!("{}", serde_json::to_string(&found)?);
        return Ok(());
    }
    println!(
        "\naccepted {:.0}/s, folded {:.0}/s, assigned {:.0}/s, refused {}; lag median {:.1} s, worst {:.1} s; \
         caught up in {:.1} s; RSS at most {:.0} MiB; lost {}",
        found.accepted_per_sec,
        found.folded_per_sec,
        found.assigned_per_sec,
        found.refused,
        found.lag_median_s,
        found.lag_worst_s,
        found.caught_up_s,
        found.rss_worst_mib,
        found.lost,
    );
    Ok(())
}

fn row(look: &Look) {
    println!(
        "{:>6.0} {:>12} {:>10} {:>7.1} {:>8.0} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>7.1} {:>10}",
        look.at_s,
        look.accepted,
        look.landed,
        look.lag_s,
        look.rss_mib,
        look.landing_mib,
        look.events_mib,
        look.events_indexes_mib,
        look.rewards_mib,
        look.assignments_mib,
        look.other_mib,
        look.landing_dead,
    );
}
