//! The data port beside what it could be at best, in one run on the same cores: a table of ratios.
//!
//! A figure of ours and the figure it is held against are measured in turns, so that a machine that is slow for a
//! minute is slow for both; each ratio is of one turn, and the table shows the median of them with the smallest and
//! the largest. The client shares the cores with the server, for us and for the others alike.
//!
//! LIMITS.md says what the limits are and section 1 what is aimed at.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its output")]

mod bare;
mod bench;
mod body;
mod cold_start;
mod durable;
mod fold;
mod ledger;
mod load;
mod memory;
mod overload;
mod process;
mod raw;
mod rpc;
mod scale;
mod site;
mod steady;
mod sticky;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use crate::binaries;
use bench::Bench;
use table::Table;

/// What is measured, how often and for how long.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "limits",
    about = "The data port beside what this machine could do at best"
)]
struct Options {
    /// Under two minutes: shorter runs, fewer sizes.
    #[arg(long)]
    quick: bool,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,
    /// Only these parts of the table.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Runs of each figure.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// How long each run loads, in milliseconds: 250 when quick, else 800. A long one can be looked at with a profiler.
    #[arg(long)]
    millis: Option<u64>,
    /// Where the binaries of the cold start are; without it they are built.
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// What `cargo bench` passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Sticky assigns against bare handlers.
    Sticky,
    /// Assigns over tarpc against a bare echo.
    Rpc,
    /// New assigns and tracked events against the combined limit.
    Durable,
    /// Latency at half of the maximum load.
    Latency,
    /// Bytes of memory per unit of the sticky cache.
    Memory,
    /// Five times more events than can be taken.
    Overload,
    /// What is tracked on its way into the ledger.
    Fold,
    /// From the start of the process to the first sticky answer.
    ColdStart,
    /// Many experiments, many assignments.
    Scale,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// How long one run loads: long enough for a hundred requests of the slowest kind.
    fn run(&self) -> Duration {
        let usual = if self.quick { 250 } else { 800 };
        Duration::from_millis(self.millis.unwrap_or(usual))
    }
}

/// Measures what the command line asks for.
pub fn main() -> ExitCode {
    let options = Options::parse();
    match measure(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}", serde_json::json!({"error": format!("{error:#}")}));
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> anyhow::Result<()> {
    if let Some(directory) = &options.binaries {
        binaries::take_from(directory);
    }
    let mut table = Table::new(options.json, options.quick, options.runs);
    // First, while the process is small: what the cache takes is what the process grows by.
    if options.wants(Part::Memory) {
        memory::measure(options, &mut table).context("memory of the sticky cache")?;
    }
    let bench = Bench::open(options.clone())?;
    if options.wants(Part::Sticky) {
        sticky::measure(&bench, &mut table)?;
    }
    if options.wants(Part::Rpc) {
        rpc::measure(&bench, &mut table)?;
    }
    if options.wants(Part::Durable) {
        durable::measure(&bench, &mut table)?;
    }
    if options.wants(Part::Latency) {
        steady::measure(&bench, &mut table)?;
    }
    if options.wants(Part::Overload) {
        overload::measure(&bench, &mut table)?;
    }
    if options.wants(Part::Fold) {
        fold::measure(&bench, &mut table).context("the fold")?;
    }
    if options.wants(Part::ColdStart) {
        cold_start::measure(&bench, &mut table).context("cold start")?;
    }
    if options.wants(Part::Scale) {
        scale::measure(bench, &mut table)?;
    }
    table.end();
    Ok(())
}
