//! Prints how far the posterior quantities are from high-precision arithmetic, and on which posteriors: the reference
//! numbers of `tests/data/a_*.json` and `a2_decision.json`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::BTreeMap;
use std::iter::zip;

use anyhow::Context as _;
use bandit::guardrail::{Limit, Window, ln_e_value};
use bandit::posterior::{BetaPosterior, NormalPosterior, Posterior, StudentTPosterior};
use bandit::probability::{
    Equivalence, best_arm, p_equivalent, p_less_than_reference, p_lift_greater,
    p_value_remaining_greater, value_remaining,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Losses below this are compared absolutely: the truth itself has 17 digits.
const LEAST_LOSS: f64 = 1e-14;

#[derive(Deserialize)]
struct Sets {
    configs: Vec<Set>,
}

#[derive(Deserialize)]
struct Set {
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

impl Arms {
    fn posteriors(&self) -> Vec<Posterior> {
        match self {
            Self::Beta { alpha, beta } => zip(alpha, beta)
                .map(|(&alpha, &beta)| BetaPosterior { alpha, beta }.into())
                .collect(),
            Self::Normal { mean, sd } => zip(mean, sd)
                .map(|(&mean, &sd)| NormalPosterior { mean, sd }.into())
                .collect(),
            Self::StudentT { df, loc, scale } => zip(df, zip(loc, scale))
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

#[derive(Deserialize)]
struct Decisions {
    value_remaining: Vec<Remaining>,
    two_arm: Vec<Pair>,
    tails: Vec<Tail>,
}

#[derive(Deserialize)]
struct Remaining {
    name: String,
    alpha: Vec<f64>,
    beta: Vec<f64>,
    leader: usize,
    p_vr_gt: BTreeMap<String, f64>,
    vr_quantile_95: f64,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    control: (f64, f64),
    treatment: (f64, f64),
    p_lift_gt: BTreeMap<String, f64>,
    rope_absolute: BTreeMap<String, f64>,
    rope_relative: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Tail {
    threshold: f64,
    n: u64,
    events: u64,
    prior: (f64, f64),
    ln_p_rate_gt_threshold: f64,
    log_e_value: f64,
}

/// The greatest error of each quantity so far, and where.
#[derive(Default)]
struct Worst(BTreeMap<&'static str, (f64, String)>);

impl Worst {
    fn see(&mut self, what: &'static str, error: f64, name: &str) {
        let worst = self.0.entry(what).or_default();
        if error.is_nan() || error > worst.0 {
            *worst = (error, name.to_owned());
        }
    }
}

fn main() -> anyhow::Result<()> {
    let mut worst = Worst::default();
    for file in ["a_beta_pbest.json", "a_normal_t_pbest.json"] {
        let sets: Sets = read(file)?;
        println!("{file}: {} sets of arms", sets.configs.len());
        for set in &sets.configs {
            see_set(&mut worst, set).with_context(|| set.name.clone())?;
        }
    }
    let decisions: Decisions = read("a2_decision.json")?;
    for it in &decisions.value_remaining {
        see_remaining(&mut worst, it).with_context(|| it.name.clone())?;
    }
    for pair in &decisions.two_arm {
        see_pair(&mut worst, pair).with_context(|| pair.name.clone())?;
    }
    for tail in &decisions.tails {
        see_tail(&mut worst, tail)?;
    }
    println!("a2_decision.json: {} tails", decisions.tails.len());
    for (what, (error, name)) in &worst.0 {
        println!("worst error of {what}: {error:.1e} ({name})");
    }
    Ok(())
}

fn read<T: DeserializeOwned>(file: &str) -> anyhow::Result<T> {
    let path = format!("{}/../../tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).context(path)?;
    Ok(serde_json::from_str(&text)?)
}

fn see_set(worst: &mut Worst, set: &Set) -> anyhow::Result<()> {
    let arms = set.arms.posteriors();
    let got = best_arm(&arms)?;
    for (got, want) in zip(&got.p_best, &set.p_best) {
        worst.see("P(best), absolute", (got - want).abs(), &set.name);
    }
    let size = set.expected_max.abs().max(1.0);
    for (got, want) in zip(&got.expected_loss, &set.expected_loss) {
        let error = (got - want).abs();
        worst.see("expected loss, of E[max]", error / size, &set.name);
        let relative = error / want.max(LEAST_LOSS * size);
        worst.see("expected loss, relative", relative, &set.name);
    }
    let references = [
        (set.leader, &set.p_less_than_leader),
        (0, &set.p_less_than_arm0),
    ];
    for (reference, truth) in references {
        let got = p_less_than_reference(&arms, reference)?;
        for (got, want) in zip(got.iter().flatten(), truth.iter().flatten()) {
            worst.see("P(less), absolute", (got - want).abs(), &set.name);
        }
    }
    Ok(())
}

fn see_remaining(worst: &mut Worst, it: &Remaining) -> anyhow::Result<()> {
    let pairs = zip(&it.alpha, &it.beta);
    let arms: Vec<Posterior> = pairs.map(|(&a, &b)| beta((a, b)).into()).collect();
    for (v, want) in &it.p_vr_gt {
        let got = p_value_remaining_greater(&arms, it.leader, v.parse()?)?;
        worst.see("P(V > v), absolute", (got - want).abs(), &it.name);
    }
    let got = value_remaining(&arms, it.leader, 0.95)?;
    let error = (got - it.vr_quantile_95).abs() / it.vr_quantile_95.max(1e-3);
    worst.see("value remaining, relative", error, &it.name);
    Ok(())
}

fn see_pair(worst: &mut Worst, pair: &Pair) -> anyhow::Result<()> {
    let control = Posterior::from(beta(pair.control));
    let treatment = Posterior::from(beta(pair.treatment));
    for (lift, want) in &pair.p_lift_gt {
        let got = p_lift_greater(treatment, control, lift.parse()?)?;
        worst.see("P(lift > r), absolute", (got - want).abs(), &pair.name);
    }
    let mut region = |by: &str, want: f64, region: fn(f64) -> Equivalence| -> anyhow::Result<()> {
        let got = p_equivalent(treatment, control, region(by.parse()?))?;
        worst.see("P(equivalent), absolute", (got - want).abs(), &pair.name);
        Ok(())
    };
    for (by, want) in &pair.rope_absolute {
        region(by, *want, Equivalence::Absolute)?;
    }
    for (by, want) in &pair.rope_relative {
        region(by, *want, Equivalence::Relative)?;
    }
    Ok(())
}

fn see_tail(worst: &mut Worst, tail: &Tail) -> anyhow::Result<()> {
    let name = format!("{} of {} over {}", tail.events, tail.n, tail.threshold);
    let prior = beta(tail.prior);
    let posterior = beta((
        tail.prior.0 + tail.events as f64,
        tail.prior.1 + (tail.n - tail.events) as f64,
    ));
    let got = posterior.ln_upper_tail(tail.threshold);
    let error = (got - tail.ln_p_rate_gt_threshold).abs();
    worst.see("a tail, relative", error, &name);
    let counted = Window::new(tail.n, tail.events);
    let got = ln_e_value(prior, Limit::new(tail.threshold)?, counted);
    let error = (got - tail.log_e_value).abs();
    worst.see("an e-value, relative", error, &name);
    Ok(())
}

fn beta((alpha, beta): (f64, f64)) -> BetaPosterior {
    BetaPosterior { alpha, beta }
}
