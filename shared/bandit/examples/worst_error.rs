//! Prints how far the quadrature is from the 160-bit truth of `tests/data/a_beta_pbest.json`, and on which posteriors.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use anyhow::Context as _;
use bandit::posterior::{BetaPosterior, Posterior};
use bandit::probability::best_arm;
use serde::Deserialize;

/// Losses below this are compared absolutely: the truth itself has 17 digits.
const LEAST_LOSS: f64 = 1e-14;

#[derive(Deserialize)]
struct Truth {
    configs: Vec<Config>,
}

#[derive(Deserialize)]
struct Config {
    name: String,
    alpha: Vec<f64>,
    beta: Vec<f64>,
    p_best: Vec<f64>,
    expected_loss: Vec<f64>,
}

/// The greatest error so far, and where.
struct Worst {
    what: &'static str,
    error: f64,
    name: String,
}

impl Worst {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            error: 0.0,
            name: String::new(),
        }
    }

    fn see(&mut self, error: f64, name: &str) {
        if error.is_nan() || error > self.error {
            self.error = error;
            name.clone_into(&mut self.name);
        }
    }
}

fn main() -> anyhow::Result<()> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/a_beta_pbest.json"
    );
    let text = std::fs::read_to_string(path).context(path)?;
    let truth: Truth = serde_json::from_str(&text)?;
    let mut worst = [
        Worst::new("P(best), absolute"),
        Worst::new("expected loss, absolute"),
        Worst::new("expected loss, relative"),
    ];
    for config in &truth.configs {
        let arms: Vec<Posterior> = config
            .alpha
            .iter()
            .zip(&config.beta)
            .map(|(&alpha, &beta)| BetaPosterior { alpha, beta }.into())
            .collect();
        let got = best_arm(&arms).with_context(|| config.name.clone())?;
        for (got, want) in got.p_best.iter().zip(&config.p_best) {
            worst[0].see((got - want).abs(), &config.name);
        }
        for (got, want) in got.expected_loss.iter().zip(&config.expected_loss) {
            worst[1].see((got - want).abs(), &config.name);
            worst[2].see((got - want).abs() / want.max(LEAST_LOSS), &config.name);
        }
    }
    println!("{} configurations of 2 to 50 arms", truth.configs.len());
    for Worst { what, error, name } in &worst {
        println!("worst error of {what}: {error:.1e} ({name})");
    }
    Ok(())
}
