//! The quadrature and the quantiles against other people's arithmetic.

use bandit::posterior::BetaPosterior;
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
    alpha: Vec<f64>,
    beta: Vec<f64>,
    p_best: Vec<f64>,
    expected_loss: Vec<f64>,
    p_less_than_arm0: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct IntervalTruth {
    credible_intervals: Vec<Interval>,
    two_arm: Vec<Pair>,
}

#[derive(Deserialize)]
struct Interval {
    alpha: f64,
    beta: f64,
    ci95: (f64, f64),
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    control: (f64, f64),
    treatment: (f64, f64),
    p_treatment_gt_control: f64,
}

fn read<T: DeserializeOwned>(file: &str) -> T {
    let path = format!("{}/../../tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn posteriors(config: &Config) -> Vec<BetaPosterior> {
    let pairs = config.alpha.iter().zip(&config.beta);
    pairs
        .map(|(&alpha, &beta)| BetaPosterior { alpha, beta })
        .collect()
}

#[test]
fn probabilities_and_losses_agree_with_160_bit_arithmetic() {
    let truth: BestArmTruth = read("a_beta_pbest.json");
    assert!(truth.configs.len() >= 49);
    for config in &truth.configs {
        let got = best_arm(&posteriors(config)).unwrap();
        for (got, want) in got.p_best.iter().zip(&config.p_best) {
            assert!(
                (got - want).abs() < 1e-11,
                "{}: {got} is not {want}",
                config.name
            );
        }
        for (got, want) in got.expected_loss.iter().zip(&config.expected_loss) {
            let off = (got - want).abs();
            assert!(
                off < 1e-15 || off < 1e-8 * want,
                "{}: {got} is not {want}",
                config.name
            );
        }
    }
}

#[test]
fn pairs_agree_with_160_bit_arithmetic() {
    let truth: BestArmTruth = read("a_beta_pbest.json");
    for config in &truth.configs {
        let arms = posteriors(config);
        for (arm, want) in arms.iter().zip(&config.p_less_than_arm0) {
            let Some(want) = want else { continue };
            let got = p_greater(arms[0], *arm).unwrap();
            assert!(
                (got - want).abs() < 1e-11,
                "{}: {got} is not {want}",
                config.name
            );
        }
    }
}

#[test]
fn pairs_agree_with_adaptive_quadrature() {
    let truth: IntervalTruth = read("a2_intervals.json");
    for pair in &truth.two_arm {
        let of = |(alpha, beta): (f64, f64)| BetaPosterior { alpha, beta };
        let got = p_greater(of(pair.treatment), of(pair.control)).unwrap();
        let want = pair.p_treatment_gt_control;
        assert!(
            (got - want).abs() < 1e-9,
            "{}: {got} is not {want}",
            pair.name
        );
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
