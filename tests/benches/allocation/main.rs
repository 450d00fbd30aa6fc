//! The probabilities that an allocation is made of, for 2, 5, 20 and 64 arms, beside what is usually done in their
//! place: 10,000 draws from the same posteriors, each of which votes for its greatest.
//!
//! Both in the same run and in turns, single thread; every figure is the median of [`RUNS`] runs, each of which lasts
//! [`LEAST`] or longer. The draws' error is how far their shares are from the exact ones, at most over the arms.
//!
//! `cargo bench -p tests --bench allocation`. With `-- --smoke` a short run, to see that it runs.
#![allow(clippy::print_stdout, reason = "a benchmark's table is its output")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bandit::posterior::{BetaPosterior, Posterior, StudentTPosterior};
use bandit::probability::best_arm;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand_distr::{Beta, Distribution, StudentT};

/// Runs of each figure; odd, so that there is a median.
const RUNS: usize = 7;

/// A run of a figure repeats it until so much time is over: far more than the clock's grain.
const LEAST: Duration = Duration::from_millis(200);

/// The same for `--smoke`.
const LEAST_OF_SMOKE: Duration = Duration::from_millis(1);

/// A standard error of a share of up to 0.005.
const DRAWS: usize = 10_000;

fn main() -> anyhow::Result<()> {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let least = if smoke { LEAST_OF_SMOKE } else { LEAST };
    println!("milliseconds an allocation, one thread (median of {RUNS})");
    println!(
        "{:>10} {:>5} {:>10} {:>14} {:>7} {:>14}",
        "posterior", "arms", "exact", "10,000 draws", "ratio", "draws' error"
    );
    for arms in [2, 5, 20, 64] {
        compare("Beta", &rates(arms), least)?;
    }
    for arms in [2, 5, 20, 64] {
        compare("Student-t", &means(arms), least)?;
    }
    Ok(())
}

/// Arms around 5 % after 20,000 units each.
fn rates(arms: u32) -> Vec<Posterior> {
    (0..arms)
        .map(|arm| {
            let successes = 1_000.0 + 60.0 * f64::from(arm) / f64::from(arms);
            let posterior = BetaPosterior {
                alpha: successes + 1.0,
                beta: 20_000.0 - successes + 1.0,
            };
            posterior.into()
        })
        .collect()
}

/// Arms whose means are as far from each other as their standard errors.
fn means(arms: u32) -> Vec<Posterior> {
    (0..arms)
        .map(|arm| {
            let posterior = StudentTPosterior {
                df: 30.0 + f64::from(arm),
                location: 30.0 + 2.0 * f64::from(arm) / f64::from(arms),
                scale: 1.0,
            };
            posterior.into()
        })
        .collect()
}

fn compare(name: &str, posteriors: &[Posterior], least: Duration) -> anyhow::Result<()> {
    let samplers: Vec<Sampler> = posteriors
        .iter()
        .map(Sampler::new)
        .collect::<anyhow::Result<_>>()?;
    let mut generator = StdRng::seed_from_u64(1);
    let truth = best_arm(posteriors)?.p_best;
    let shares = shares(&samplers, &mut generator);
    let error = truth
        .iter()
        .zip(&shares)
        .map(|(exact, drawn)| (exact - drawn).abs())
        .fold(0.0, f64::max);
    let (mut exact, mut drawn) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        exact.push(milliseconds(least, || {
            black_box(best_arm(black_box(posteriors)).is_ok());
        }));
        drawn.push(milliseconds(least, || {
            black_box(self::shares(black_box(&samplers), &mut generator));
        }));
    }
    let (exact, drawn) = (median(exact), median(drawn));
    println!(
        "{name:>10} {:>5} {exact:>10.3} {drawn:>14.3} {:>7.1} {error:>14.4}",
        posteriors.len(),
        drawn / exact
    );
    Ok(())
}

/// How much of the draws each arm wins.
fn shares(samplers: &[Sampler], generator: &mut StdRng) -> Vec<f64> {
    let mut wins = vec![0.0; samplers.len()];
    for _ in 0..DRAWS {
        let mut best = (0, f64::NEG_INFINITY);
        for (arm, sampler) in samplers.iter().enumerate() {
            let draw = sampler.draw(generator);
            if draw > best.1 {
                best = (arm, draw);
            }
        }
        wins[best.0] += 1.0 / DRAWS as f64;
    }
    wins
}

enum Sampler {
    Rate(Beta<f64>),
    Mean {
        standard: StudentT<f64>,
        location: f64,
        scale: f64,
    },
}

impl Sampler {
    fn new(posterior: &Posterior) -> anyhow::Result<Self> {
        match *posterior {
            Posterior::Beta(it) => Ok(Self::Rate(Beta::new(it.alpha, it.beta)?)),
            Posterior::StudentT(it) => Ok(Self::Mean {
                standard: StudentT::new(it.df)?,
                location: it.location,
                scale: it.scale,
            }),
            Posterior::Normal(_) => anyhow::bail!("no arm here is a normal"),
        }
    }

    fn draw(&self, generator: &mut StdRng) -> f64 {
        match self {
            Self::Rate(beta) => beta.sample(generator),
            Self::Mean {
                standard,
                location,
                scale,
            } => location + scale * standard.sample(generator),
        }
    }
}

/// How long one call takes, from as many as fill the time.
fn milliseconds(least: Duration, mut call: impl FnMut()) -> f64 {
    let started = clock();
    let mut calls = 0.0;
    while started.elapsed() < least {
        call();
        calls += 1.0;
    }
    1_000.0 * started.elapsed().as_secs_f64() / calls
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn clock() -> Instant {
    Instant::now()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
