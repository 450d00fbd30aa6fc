//! The quadrature and the quantiles against other people's arithmetic.

use std::iter::zip;

use bandit::posterior::{BetaPosterior, NormalPosterior, Posterior, StudentTPosterior};
use bandit::probability::{best_arm, p_greater};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct BestArmTruth {
    configs: Vec<Config>,
}

#[derive(Deserialize)]
struct Config {
    name: String,
    leader: usize,
    #[serde(flatten)]
    arms: Arms,
    p_best: Vec<f64>,
    expected_loss: Vec<f64>,
    expected_max: f64,
    p_less_than_leader: Vec<Option<f64>>,
    p_less_than_arm0: Vec<Option<f64>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Arms {
    Beta {
        alpha: Vec<f64>,
        beta: Vec<f64>,
    },
    StudentT {
        df: Vec<f64>,
        loc: Vec<f64>,
        scale: Vec<f64>,
    },
    Normal {
        mean: Vec<f64>,
        sd: Vec<f64>,
    },
}

#[derive(Deserialize)]
struct IntervalTruth {
    credible_intervals: Vec<Interval>,
}

#[derive(Deserialize)]
struct Interval {
    alpha: f64,
    beta: f64,
    ci95: (f64, f64),
}

pub(crate) fn read<T: DeserializeOwned>(file: &str) -> T {
    let path = format!("{}/../../tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

impl Config {
    fn posteriors(&self) -> Vec<Posterior> {
        match &self.arms {
            Arms::Beta { alpha, beta } => zip(alpha, beta)
                .map(|(&alpha, &beta)| BetaPosterior { alpha, beta }.into())
                .collect(),
            Arms::Normal { mean, sd } => zip(mean, sd)
                .map(|(&mean, &sd)| NormalPosterior { mean, sd }.into())
                .collect(),
            Arms::StudentT { df, loc, scale } => zip(df, zip(loc, scale))
                .map(|(&df, (&location, &scale))| {
                    let posterior = StudentTPosterior {
                        df,
                        location,
                        scale,
                    };
                    posterior.into()
                })
                .collect(),
        }
    }
}

/// All of them: 49 sets of Betas, 12 of normals and Student-ts.
fn configs() -> Vec<Config> {
    let mut all = read::<BestArmTruth>("a_beta_pbest.json").configs;
    assert!(all.len() >= 49);
    all.extend(read::<BestArmTruth>("a_normal_t_pbest.json").configs);
    assert!(all.len() >= 61);
    all
}

#[track_caller]
pub(crate) fn close(got: f64, want: f64, tolerance: f64, name: &str) {
    assert!(
        (got - want).abs() <= tolerance,
        "{name}: {got} is not {want}"
    );
}

#[test]
fn probabilities_and_losses_agree_with_160_bit_arithmetic() {
    for config in configs() {
        let arms = config.posteriors();
        let got = best_arm(&arms).unwrap();
        for (got, want) in zip(&got.p_best, &config.p_best) {
            close(*got, *want, 1e-11, &config.name);
        }
        for ((got, want), arm) in zip(zip(&got.expected_loss, &config.expected_loss), &arms) {
            // the truth is itself a difference of numbers of the size of the rewards
            let least = 1e-15 * config.expected_max.abs().max(1.0);
            close(*got, *want, least.max(1e-8 * want), &config.name);
            let tolerance = 1e-11 * config.expected_max.abs().max(1.0);
            close(
                got + arm.mean(),
                config.expected_max,
                tolerance,
                &config.name,
            );
        }
    }
}

#[test]
fn pairs_agree_with_160_bit_arithmetic() {
    for config in configs() {
        let arms = config.posteriors();
        let references = [
            (config.leader, &config.p_less_than_leader),
            (0, &config.p_less_than_arm0),
        ];
        for (reference, truth) in references {
            for (arm, want) in zip(&arms, truth) {
                let Some(want) = want else { continue };
                let got = p_greater(arms[reference], *arm).unwrap();
                close(got, *want, 1e-11, &config.name);
            }
        }
    }
}

#[test]
fn intervals_agree_with_30_digit_arithmetic() {
    let truth: IntervalTruth = read("a2_intervals.json");
    assert!(truth.credible_intervals.len() >= 9);
    for &Interval { alpha, beta, ci95 } in &truth.credible_intervals {
        let got = BetaPosterior { alpha, beta }.interval(0.95);
        for (got, want) in [(got.0, ci95.0), (got.1, ci95.1)] {
            assert!(
                (got / want - 1.0).abs() < 1e-11,
                "Beta({alpha}, {beta}): {got} is not {want}"
            );
        }
    }
}
