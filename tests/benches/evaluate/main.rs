//! Off-policy evaluation of a made-up log: rows a second, in memory and from the file.
//!
//! `cargo bench -p tests --bench evaluate [-- --rows 1000000 --log PATH]`; the log stays at PATH
//! (without it: `target/evaluate.csv`) so that others can read the same file:
//!
//! ```text
//! /tmp/obp/bin/python tests/clients/obp_evaluate.py target/evaluate.csv --policy uniform
//! ```
#![allow(clippy::print_stdout, reason = "a benchmark's table is its output")]

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use bandit::offpolicy::{Evaluator, Replay, Row, Settings, Survey, Target};
use bandit::spec::model::PolicyKind;
use tokio::time::Instant;

/// Runs of each figure, of which the median counts.
const RUNS: usize = 5;

/// Arms of the log, and what they earn on average.
const MEANS: [f64; 10] = [0.05, 0.06, 0.04, 0.08, 0.05, 0.03, 0.07, 0.05, 0.06, 0.02];

/// A thousandth of rows per version: propensities change that often.
const VERSIONS: usize = 1_000;

fn main() -> anyhow::Result<()> {
    let (rows, path) = arguments()?;
    let log = made_up(rows)?;
    write(&log, &path)?;
    println!(
        "{} rows, {} arms, {} propensity vectors: {}",
        rows,
        MEANS.len(),
        VERSIONS,
        path.display()
    );
    let even = [1.0 / MEANS.len() as f64; MEANS.len()];
    let target = Target::same(1, &even)?;
    report("evaluator, in memory, one pass", rows, || {
        pass(&log, &target)
    })?;
    report("replay of thompson, in memory", rows, || replay(&log))?;
    let pitboss = harness::binaries::pitboss();
    for (what, words) in [
        (
            "pitboss evaluate, CSV file, two passes",
            &["evaluate", "--policy", "uniform"][..],
        ),
        (
            "pitboss replay, CSV file, one run",
            &["replay", "--policy", "thompson", "--runs", "1"],
        ),
    ] {
        report(what, rows, || {
            let ended = Command::new(&pitboss)
                .args(words)
                .arg(&path)
                .arg("--json")
                .output()?;
            // 3: a value that is refused is a value all the same here.
            anyhow::ensure!(matches!(ended.status.code(), Some(0 | 3)), "{ended:?}");
            Ok(())
        })?;
    }
    Ok(())
}

fn arguments() -> anyhow::Result<(usize, PathBuf)> {
    let mut rows = 1_000_000;
    let mut path = harness::binaries::project().join("target/evaluate.csv");
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rows" => rows = words.next().context("--rows NUMBER")?.parse()?,
            "--log" => path = words.next().context("--log PATH")?.into(),
            // cargo adds this one
            "--bench" => {}
            other => anyhow::bail!("unknown argument {other}"),
        }
    }
    Ok((rows, path))
}

/// `SplitMix64` (Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

/// Arms drawn by propensities that change from version to version, each at least 0.02.
fn made_up(rows: usize) -> anyhow::Result<Vec<Row>> {
    let mut chance = Chance(2026);
    let mut log = Vec::with_capacity(rows);
    let mut propensities = [0.0; MEANS.len()];
    for number in 0..rows {
        if number % rows.div_ceil(VERSIONS) == 0 {
            let raw: Vec<f64> = MEANS.iter().map(|_| chance.uniform()).collect();
            let sum: f64 = raw.iter().sum();
            for (propensity, raw) in propensities.iter_mut().zip(raw) {
                *propensity = 0.02 + (1.0 - 0.02 * MEANS.len() as f64) * raw / sum;
            }
        }
        let mut at = chance.uniform();
        let mut arm = 0;
        while arm + 1 < MEANS.len() && at >= propensities[arm] {
            at -= propensities[arm];
            arm += 1;
        }
        let reward = f64::from(u8::from(chance.uniform() < MEANS[arm]));
        log.push(Row::new(0, arm, reward, propensities[arm])?);
    }
    Ok(log)
}

fn write(log: &[Row], path: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
    let mut out = BufWriter::new(file);
    writeln!(out, "arm,reward,propensity")?;
    for row in log {
        writeln!(
            out,
            "arm-{},{},{}",
            row.arm(),
            row.reward(),
            row.propensity()
        )?;
    }
    Ok(out.flush()?)
}

fn pass(log: &[Row], target: &Target) -> anyhow::Result<()> {
    let mut survey = Survey::default();
    for row in log {
        survey.add(row);
    }
    let mut evaluator = Evaluator::new(Settings::of(&survey), survey.segments(target));
    for row in log {
        evaluator.add(row)?;
    }
    let evaluation = evaluator.finish();
    anyhow::ensure!(evaluation.rows == log.len() as u64, "rows were lost");
    Ok(())
}

fn replay(log: &[Row]) -> anyhow::Result<()> {
    let policy = Replay::usual(PolicyKind::Thompson, MEANS.len());
    let every = (log.len() / MEANS.len() / 100).max(10) as u64;
    let mut replay = Replay::learning(policy, MEANS.len(), every, 0.02, 1)?;
    for row in log {
        replay.add(row)?;
    }
    anyhow::ensure!(replay.finish(None).matched > 0, "nothing matched");
    Ok(())
}

fn report(
    what: &str,
    rows: usize,
    mut run: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut took = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let begun = Instant::now();
        run()?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let median: Duration = took[RUNS / 2];
    let per_second = rows as f64 / median.as_secs_f64();
    println!(
        "{what:<42} {:>8.3} s {per_second:>12.0} rows/s",
        median.as_secs_f64()
    );
    Ok(())
}
