//! The regret of other people's simulators, and the problem of ours that each row is about.

use bandit::experiment::{Millis, Share};
use bandit::simulate::{Mean, Problem, ProblemArms};
use bandit::spec::defaults;
use bandit::spec::model::{BetaPrior, BurnIn, PolicyKind, PolicySpec};
use serde::Deserialize;

/// `tests/data/e_regret.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Reference {
    /// All of them.
    pub(crate) instances: Vec<Instance>,
}

/// Arms, and what policies lost on them.
#[derive(Debug, Deserialize)]
pub(crate) struct Instance {
    /// Where it is from, and what is special.
    pub(crate) name: String,
    /// Rates that stay.
    rates: Option<Vec<f64>>,
    /// Or arms that are replaced.
    replaced: Option<Replaced>,
    /// Feedback comes after so many steps.
    batch: u64,
    /// What was measured.
    pub(crate) policies: Vec<Measured>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Replaced {
    count: usize,
    probability: f64,
    alpha: f64,
    beta: f64,
}

/// Regret of one policy: mean and standard deviation over runs, by checkpoint.
#[derive(Debug, Deserialize)]
pub(crate) struct Measured {
    /// As the reference calls it.
    pub(crate) policy: String,
    /// Over how many runs.
    pub(crate) runs: u64,
    /// After how many steps.
    pub(crate) checkpoints: Vec<u64>,
    mean: Vec<f64>,
    sd: Vec<f64>,
}

impl Reference {
    /// Reads the data.
    pub(crate) fn read() -> Self {
        let text = include_str!("../../../../tests/data/e_regret.json");
        serde_json::from_str(text).expect("the data of the tests are valid")
    }
}

impl Instance {
    /// The same problem for our policy, up to the last checkpoint that is at most `until`; `None` for a policy that
    /// we do not have.
    pub(crate) fn problem(&self, measured: &Measured, until: u64) -> Option<Problem> {
        let checkpoints = measured.checkpoints.iter().copied();
        let checkpoints: Vec<u64> = checkpoints.filter(|&step| step <= until).collect();
        let arms = match (&self.rates, self.replaced) {
            (Some(rates), _) => ProblemArms::Fixed(rates.clone()),
            (None, Some(of)) => ProblemArms::Replaced {
                count: of.count,
                probability: of.probability,
                rates: (of.alpha, of.beta),
            },
            (None, None) => return None,
        };
        Some(Problem {
            policy: policy(&measured.policy)?,
            arms,
            steps: *checkpoints.last()?,
            batch: self.batch,
            checkpoints,
        })
    }
}

impl Measured {
    /// The reference at a checkpoint, by its place.
    pub(crate) fn at(&self, checkpoint: usize) -> Mean {
        Mean::known(self.runs, self.mean[checkpoint], self.sd[checkpoint])
    }
}

/// `(a - b) / sqrt(se_a^2 + se_b^2)`: beyond 3 in one of 370 comparisons of equals.
///
/// Few runs do not know their own spread, and ten of one instance are all that a minute allows. Equals have the same
/// one, so it is taken from the runs of both, as Student's test does.
pub(crate) fn z(a: Mean, b: Mean) -> f64 {
    let degrees = |mean: Mean| mean.count().saturating_sub(1) as f64;
    let variance = |mean: Mean| {
        let se = mean.se().unwrap_or(0.0);
        se * se * mean.count() as f64
    };
    let squares = degrees(a) * variance(a) + degrees(b) * variance(b);
    let pooled = squares / (degrees(a) + degrees(b));
    let part = |mean: Mean| 1.0 / mean.count() as f64;
    (a.mean() - b.mean()) / (pooled * (part(a) + part(b))).sqrt()
}

/// Our policy of this name in the reference, with nothing around it: papers have no floor and no burn-in.
fn policy(name: &str) -> Option<PolicySpec> {
    let epsilon = |epsilon| PolicyKind::EpsilonGreedy {
        epsilon: Share::new(epsilon).expect("a share"),
        decay: false,
    };
    let kind = match name {
        "ts" | "ts_prior_4_4" => PolicyKind::Thompson,
        "uniform" => PolicyKind::Fixed,
        "ucb1" => PolicyKind::Ucb1,
        "ucb1_tuned" => PolicyKind::Ucb1Tuned,
        "kl_ucb" => PolicyKind::KlUcb,
        "eps_0.1" => epsilon(0.1),
        "eps_0.01" => epsilon(0.01),
        _ => return None,
    };
    let mut policy = defaults::policy(kind);
    policy.floor = Share::NONE;
    policy.burn_in = BurnIn {
        for_: Millis(0),
        exposures_per_arm: 0,
        rewards_per_arm: 0,
    };
    if name == "ts_prior_4_4" {
        policy.prior = BetaPrior {
            alpha: 4.0,
            beta: 4.0,
        };
    }
    Some(policy)
}
