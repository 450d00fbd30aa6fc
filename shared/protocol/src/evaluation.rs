//! What another policy would have earned, as a console sees it.

use bandit::offpolicy;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::source::Source;

/// The question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhatIfRequest {
    /// Which experiment.
    pub key: String,
    /// The policy in question, such as `arm:green` or `epsilon_greedy:0.1`.
    pub policy: String,
    /// The lane whose log is looked at; the first that learns without one.
    #[serde(default)]
    pub lane: Option<String>,
}

/// The answer, from the lane's own log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhatIf {
    /// Which experiment.
    pub experiment: String,
    /// The lane whose log was looked at.
    pub lane: String,
    /// The policy in question.
    pub policy: String,
    /// The policy that made the log.
    pub instead_of: String,
    /// All events up to this instant are counted.
    pub as_of: DateTime<Utc>,
    /// Policy versions with resolved units.
    pub versions: u64,
    /// Units of the lane that are exposed and whose window is open: they are not judged.
    pub pending: u64,
    /// What the resolved units say.
    pub evaluation: Evaluation,
    /// Where the log was read from; `None` where no replica is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A policy's value by several estimators, and whether the log can tell it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows, or resolved units, looked at.
    pub rows: u64,
    /// `pass`, `warn`, or `refuse`: then the values must not be used.
    pub verdict: String,
    /// `better`, `worse` or `open`: whether the policy is proven to earn more or less than the log did.
    pub proven: String,
    /// The estimates, the log's own mean first.
    pub estimates: Vec<EstimateRow>,
    /// How much the policy earns more than the log.
    pub difference: EstimateRow,
    /// Estimates that treat great weights otherwise.
    pub sensitivity: Vec<EstimateRow>,
    /// The importance weights.
    pub weights: WeightsRow,
    /// What was checked.
    pub gates: Vec<GateRow>,
}

/// One estimate, in units of the reward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EstimateRow {
    /// `logged`, `ips`, `snips`, `dm`, `dr`, ...
    pub estimator: String,
    /// The estimate.
    pub value: f64,
    /// Its standard error; none where the rows do not tell it.
    #[serde(default)]
    pub standard_error: Option<f64>,
    /// The 95 % interval that holds at any sample size.
    #[serde(default)]
    pub low: Option<f64>,
    /// Its upper end.
    #[serde(default)]
    pub high: Option<f64>,
    /// The normal 95 % interval, too short for few effective rewards.
    #[serde(default)]
    pub normal_low: Option<f64>,
    /// Its upper end.
    #[serde(default)]
    pub normal_high: Option<f64>,
}

/// How the importance weights are spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightsRow {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub sd: f64,
    /// The greatest.
    pub max: f64,
    /// So many rows of equal weight would tell as much.
    pub effective_rows: f64,
    /// On so many equal rewards the estimate rests.
    pub effective_rewards: f64,
    /// The part of all weight that the heaviest row has.
    pub greatest_share: f64,
    /// The probability on arms that the log never tried.
    pub unsupported: f64,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateRow {
    /// `support`, `effective_rows`, `mean_weight`, `greatest_weight` or `effective_rewards`.
    pub gate: String,
    /// `pass`, `warn` or `refuse`.
    pub level: String,
    /// What was found.
    pub sentence: String,
}

impl EstimateRow {
    /// The core's estimate under a name.
    pub fn new(estimator: &str, estimate: &offpolicy::Estimate) -> Self {
        let &offpolicy::Estimate {
            value,
            standard_error,
            normal,
            interval,
        } = estimate;
        Self {
            estimator: estimator.to_owned(),
            value,
            standard_error,
            low: interval.map(|(low, _)| low),
            high: interval.map(|(_, high)| high),
            normal_low: normal.map(|(low, _)| low),
            normal_high: normal.map(|(_, high)| high),
        }
    }
}

impl From<&offpolicy::Evaluation> for Evaluation {
    fn from(core: &offpolicy::Evaluation) -> Self {
        let proven = match core.difference.interval {
            Some((low, _)) if core.is_proven_other() && low > 0.0 => "better",
            Some(_) if core.is_proven_other() => "worse",
            _ => "open",
        };
        let row = EstimateRow::new;
        Self {
            rows: core.rows,
            verdict: core.level().word().to_owned(),
            proven: proven.to_owned(),
            estimates: vec![
                row("logged", &core.logged),
                row("ips", &core.ips),
                row("snips", &core.snips),
                row("dm", &core.dm),
                row("dr", &core.dr),
            ],
            difference: row("dr - logged", &core.difference),
            sensitivity: vec![
                row("ips, clipped", &core.ips_clipped),
                row("sndr", &core.sndr),
                row("switch-dr", &core.switch_dr),
                row("dr, shrunk", &core.dr_shrunk),
            ],
            weights: WeightsRow::from(&core.weights),
            gates: core.gates.iter().map(GateRow::from).collect(),
        }
    }
}

impl From<&offpolicy::Weights> for WeightsRow {
    fn from(core: &offpolicy::Weights) -> Self {
        let &offpolicy::Weights {
            mean,
            sd,
            max,
            effective_rows,
            effective_rewards,
            greatest_share,
            unsupported,
        } = core;
        Self {
            mean,
            sd,
            max,
            effective_rows,
            effective_rewards,
            greatest_share,
            unsupported,
        }
    }
}

impl From<&offpolicy::Gate> for GateRow {
    fn from(core: &offpolicy::Gate) -> Self {
        Self {
            gate: core.kind().word().to_owned(),
            level: core.level().word().to_owned(),
            sentence: core.sentence().to_owned(),
        }
    }
}
