//! Simulated trials a second, beside a plain Monte-Carlo simulator of Thompson sampling in the same run.
//!
//! Ours draws units by their hashes and computes exact probabilities once per version; the plain one draws a Beta
//! variate per arm and unit. Both have the same rates and learn after the same units. Single
//! thread; every figure is the median of [`RUNS`] runs, ours and the other's in turns.
//!
//! `cargo bench -p tests --bench simulate`. With `-- --smoke` a short run, to see that it runs.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its output")]

mod plain;

use std::time::Instant;

use anyhow::{Context as _, anyhow};
use bandit::experiment::Millis;
use bandit::simulate::{Scenario, Simulation, Truth};
use bandit::spec::{self, model::ExperimentSpec};

/// Runs of each figure.
const RUNS: u64 = 5;

/// One day, in milliseconds.
const DAY: u64 = 86_400_000;

/// How many units there are, and how they come.
#[derive(Clone, Copy)]
struct Setting {
    arms: usize,
    units_per_day: u64,
    days: u32,
    /// Looks of the policy a day.
    looks: u64,
}

fn main() -> anyhow::Result<()> {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    println!("simulated trials/s, one thread (median of {RUNS})");
    println!(
        "{:>5} {:>10} {:>10} {:>12} {:>12} {:>7}",
        "arms", "units", "looks/day", "ours", "plain", "ratio"
    );
    for (arms, looks) in [(2, 24), (4, 24), (4, 1), (20, 24), (20, 1), (64, 1)] {
        let setting = Setting {
            arms,
            units_per_day: if smoke { 500 } else { 20_000 },
            days: if smoke { 3 } else { 14 },
            looks,
        };
        compare(setting)?;
    }
    Ok(())
}

fn compare(setting: Setting) -> anyhow::Result<()> {
    let rates: Vec<f64> = (0..setting.arms)
        .map(|arm| 0.05 + 0.01 * arm as f64 / setting.arms as f64)
        .collect();
    let spec = experiment(setting.arms)?;
    let truth = Truth::new(&spec.reward, &rates, None)?;
    let scenario = Scenario {
        units_per_day: setting.units_per_day,
        days: setting.days,
        publish_every: Millis(DAY / setting.looks),
        points: setting.days,
    };
    let simulation = Simulation::new(&spec, &truth, scenario, 1)?;
    let units = simulation.units();
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let started = clock();
        let done = simulation.run(run)?;
        ours.push(units as f64 / started.elapsed().as_secs_f64());
        anyhow::ensure!(done.lanes[0].participants() == units);
        let started = clock();
        let earned = plain::thompson(&rates, setting.looks, setting.units_per_day, units, run)?;
        plain.push(units as f64 / started.elapsed().as_secs_f64());
        anyhow::ensure!(earned < units);
    }
    let (ours, plain) = (median(ours), median(plain));
    println!(
        "{:>5} {units:>10} {:>10} {ours:>12.0} {plain:>12.0} {:>7.2}",
        setting.arms,
        setting.looks,
        ours / plain
    );
    Ok(())
}

/// Thompson sampling over all units, learning from a unit as soon as it was seen, like the plain simulator.
fn experiment(arms: usize) -> anyhow::Result<ExperimentSpec> {
    let names: Vec<String> = (0..arms).map(|arm| format!("\"arm-{arm}\"")).collect();
    let text = format!(
        "[[experiment]]\nkey = \"benchmark\"\ncontrol = \"arm-0\"\nholdback = 0\narms = [{}]\n\
         reward = {{ success = \"purchase\", window = \"1s\", grace = \"0s\" }}\n\
         policy = {{ kind = \"thompson\", burn_in = {{ for = \"0s\", exposures_per_arm = 0, rewards_per_arm = 0 }} }}\n",
        names.join(", ")
    );
    let read = spec::parse("benchmark", &text)
        .map_err(|problems| anyhow!("{:?}", problems.first().map(|it| it.message.clone())))?;
    read.experiments
        .into_iter()
        .next()
        .context("one experiment")
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn clock() -> Instant {
    Instant::now()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
