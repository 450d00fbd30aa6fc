//! Prints the regret of every policy beside that of other people's simulators (STATS 12), with the distance in
//! standard errors.
//!
//! `cargo run --release -p bandit --example regret -- [--runs N] [--until STEP] [--policy NAME] [--by-index]
//! [PART OF A NAME ...]`
//!
//! With `--by-index`, the policies that have an index play the arm with the greatest one, as the reference does; without
//! it they draw from the weights that are published.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

#[path = "../tests/it/regret_reference.rs"]
mod reference;
#[path = "../tests/it/regret_by_index.rs"]
mod regret_by_index;

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, anyhow, bail};
use bandit::simulate::{Mean, Problem};
use reference::{Instance, Measured, Reference, z};
use regret_by_index::regret_by_index;

/// What to compare.
struct Options {
    runs: u64,
    until: u64,
    policy: Option<String>,
    by_index: bool,
    names: Vec<String>,
}

/// What is said of the index policies where their published weights are measured.
const ROLLED_OUT: &str = "\
ucb1, ucb1_tuned and kl_ucb draw from the weights that are published, the policy rolled forward on frozen means. The
reference repeats one arm for a whole batch: another law, which may lose more, so a z below -3 is no fault. In batches
of 2,000 on four conversion rates (500 runs) ucb1 loses 302.1, not 308.8, and kl_ucb 145.9, not 168.9. --by-index
compares the bounds, which are held to the reference on either side.
";

fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    if !options.by_index {
        println!("{ROLLED_OUT}");
    }
    println!(
        "{:<46} {:<12} {:>5} {:>8} {:>20} {:>20} {:>6}",
        "instance", "policy", "runs", "step", "ours", "reference", "z"
    );
    for instance in &Reference::read().instances {
        for measured in &instance.policies {
            if options.wants(instance, measured) {
                compare(instance, measured, &options)?;
            }
        }
    }
    Ok(())
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            runs: 100,
            until: u64::MAX,
            policy: None,
            by_index: false,
            names: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .context(format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--runs" => options.runs = value()?.parse()?,
                "--until" => options.until = value()?.parse()?,
                "--by-index" => options.by_index = true,
                "--policy" => options.policy = Some(value()?),
                flag if flag.starts_with('-') => bail!("unknown option {flag}"),
                _ => options.names.push(argument),
            }
        }
        Ok(options)
    }

    fn wants(&self, instance: &Instance, measured: &Measured) -> bool {
        let mut names = self.names.iter();
        let named = self.names.is_empty() || names.any(|part| instance.name.contains(part));
        let policy = self.policy.as_ref();
        named && policy.is_none_or(|policy| *policy == measured.policy)
    }
}

fn compare(instance: &Instance, measured: &Measured, options: &Options) -> anyhow::Result<()> {
    let Some(problem) = instance.problem(measured, options.until) else {
        return Ok(());
    };
    let Some(runs) = in_parallel(&problem, options)? else {
        return Ok(());
    };
    for (at, step) in problem.checkpoints.iter().enumerate() {
        let ours: Mean = runs.iter().map(|run| run[at]).collect();
        let theirs = measured.at(at);
        println!(
            "{:<46} {:<12} {:>5} {step:>8} {:>20} {:>20} {:>6.2}",
            instance.name,
            measured.policy,
            options.runs,
            figure(ours),
            figure(theirs),
            z(ours, theirs)
        );
    }
    Ok(())
}

/// The runs by their numbers, on all cores; `None` where the arms are to be drawn by an index that there is not.
fn in_parallel(problem: &Problem, options: &Options) -> anyhow::Result<Option<Vec<Vec<f64>>>> {
    let next = AtomicU64::new(0);
    let regret = |run| -> anyhow::Result<Option<Vec<f64>>> {
        if options.by_index {
            Ok(regret_by_index(problem, 12, run))
        } else {
            Ok(Some(problem.regret(12, run)?))
        }
    };
    let work = || -> anyhow::Result<Vec<(u64, Option<Vec<f64>>)>> {
        let mut done = Vec::new();
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= options.runs {
                return Ok(done);
            }
            done.push((run, regret(run)?));
        }
    };
    let cores = std::thread::available_parallelism()?.get();
    let mut all = Vec::new();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            all.extend(worker.join().map_err(|_| anyhow!("a run panicked"))??);
        }
        Ok(())
    })?;
    all.sort_by_key(|(run, _)| *run);
    Ok(all.into_iter().map(|(_, regret)| regret).collect())
}

fn figure(mean: Mean) -> String {
    let se = mean.se().unwrap_or(f64::NAN);
    format!("{:.2} ± {se:.2}", mean.mean())
}
