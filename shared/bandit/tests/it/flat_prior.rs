//! Normal posteriors of two means against gbstats' Bayesian engine with its flat prior: where both answer the same
//! question, by closed forms there and by quadrature here.

use std::collections::BTreeMap;

use bandit::posterior::{NormalPosterior, Posterior};
use bandit::probability::{best_arm, p_greater};
use serde::Deserialize;

use crate::common::read_json;

#[derive(Deserialize)]
struct Gbstats {
    pairs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    a: Sample,
    b: Sample,
    tests: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Sample {
    n: f64,
    mean: f64,
    variance: f64,
}

#[derive(Deserialize)]
struct Effect {
    expected: f64,
    ci: (f64, f64),
    stddev: f64,
    error: Option<String>,
    chance_to_win: f64,
    /// Of staying with the control, and of taking the arm.
    risk: (f64, f64),
}

impl Sample {
    fn standard_error(&self) -> f64 {
        (self.variance / self.n).sqrt()
    }

    /// Under a flat prior; turned round where less is better.
    fn posterior(&self, inverse: bool) -> Posterior {
        let mean = if inverse { -self.mean } else { self.mean };
        NormalPosterior {
            mean,
            sd: self.standard_error(),
        }
        .into()
    }
}

impl Pair {
    /// Whether its two samples are all there is to it, and can be told apart at all.
    fn is_plain(&self) -> bool {
        // its means are adjusted by a covariate that both arms share
        self.name != "cuped"
    }
}

/// Chance to win, risks and intervals of absolute effects. Worst errors: 7e-16 absolute for probabilities, 3e-14
/// relative for risks, 4e-16 of the width for intervals.
#[test]
fn absolute_effects_agree_with_gbstats_under_a_flat_prior() {
    let truth: Gbstats = read_json("b_gbstats_tests.json");
    let (mut compared, mut probability, mut risk, mut width) = (0, 0.0_f64, 0.0_f64, 0.0_f64);
    for pair in truth.pairs.iter().filter(|pair| pair.is_plain()) {
        for inverse in [false, true] {
            let name = if inverse {
                "bayes_flat_inverse"
            } else {
                "bayes_flat"
            };
            let wanted = &pair.tests[&format!("absolute/{name}")];
            let wanted: Effect = serde_json::from_value(wanted.clone()).unwrap();
            let (control, arm) = (pair.a.posterior(inverse), pair.b.posterior(inverse));
            if wanted.error.is_some() {
                assert_eq!(pair.name, "zero baseline");
                assert!(p_greater(arm, control).is_err());
                continue;
            }
            let better = p_greater(arm, control).unwrap();
            let best = best_arm(&[control, arm]).unwrap();
            for p in [better, best.p_best[1], 1.0 - best.p_best[0]] {
                probability = probability.max((p - wanted.chance_to_win).abs());
            }
            for (loss, wanted) in [
                (best.expected_loss[0], wanted.risk.0),
                (best.expected_loss[1], wanted.risk.1),
            ] {
                risk = risk.max((loss / wanted - 1.0).abs());
            }
            let effect = NormalPosterior {
                mean: pair.b.mean - pair.a.mean,
                sd: pair.a.standard_error().hypot(pair.b.standard_error()),
            };
            let (low, high) = effect.interval(0.95);
            let whole = wanted.ci.1 - wanted.ci.0;
            for (end, wanted) in [(low, wanted.ci.0), (high, wanted.ci.1)] {
                width = width.max((end - wanted).abs() / whole);
            }
            assert!((effect.mean - wanted.expected).abs() <= 1e-15 * whole.max(1.0));
            assert!((effect.sd / wanted.stddev - 1.0).abs() < 1e-14);
            compared += 1;
        }
    }
    println!("worst: probability {probability:e}, risk {risk:e}, interval {width:e}");
    assert_eq!(compared, 12 * 2);
    assert!(probability < 1e-12 && risk < 1e-9 && width < 1e-13);
}
