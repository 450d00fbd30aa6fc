//! What is recommended for an experiment, and why.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A decision in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionLine {
    /// `ship`, `iterate`, `kill`, `kill_arm` or `keep_running`.
    pub decision: String,
    /// The arm it is about.
    #[serde(default)]
    pub arm: Option<String>,
    /// The newest look.
    pub at: DateTime<Utc>,
    /// When this was first recommended.
    pub since: DateTime<Utc>,
    /// The decision in words.
    pub sentence: String,
    /// What is to be known about its rule before following it, such as how often it is wrong.
    #[serde(default)]
    pub caution: Option<String>,
}

/// A decision with everything behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The decision in a line.
    #[serde(flatten)]
    pub line: DecisionLine,
    /// The rule: standard, strict or `fail_fast`.
    pub preset: String,
    /// What it does by itself, or why it does not meanwhile; `None` where the file lets nothing act. Since 1.2.
    #[serde(default)]
    pub acts: Option<String>,
    /// Days until the leading arm could be shipped, if it stays as far ahead; `None` if that is not in sight.
    #[serde(default)]
    pub days_left: Option<f64>,
    /// What spoke for it, or what is missing for another one.
    #[serde(default)]
    pub reasons: Vec<DecisionCheck>,
    /// What must hold before anything is recommended.
    #[serde(default)]
    pub gates: Vec<DecisionCheck>,
    /// The figures of the open arms.
    #[serde(default)]
    pub numbers: Vec<DecisionNumbers>,
}

/// One condition, the number that was compared and what it was compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionCheck {
    /// Its name, such as `runtime`.
    pub name: String,
    /// pass, fail or unknown.
    pub status: String,
    /// What was found and what is needed, in words.
    pub text: String,
    /// The arm it is about; `None` for the experiment.
    #[serde(default)]
    pub arm: Option<String>,
    /// The number.
    #[serde(default)]
    pub value: Option<f64>,
    /// What it is compared with.
    #[serde(default)]
    pub threshold: Option<f64>,
}

/// What a decision knew of an arm: resolved units of all lanes, weighted by period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionNumbers {
    /// Its name.
    pub arm: String,
    /// Units whose outcome is in.
    pub samples: u64,
    /// The posterior mean.
    pub mean: f64,
    /// The probability that it is the best of the open arms.
    pub p_best: f64,
    /// What choosing it now would lose against the best, in reward.
    pub expected_loss: f64,
    /// P(better than control); `None` for control.
    #[serde(default)]
    pub p_better: Option<f64>,
    /// The weighted estimate of its mean less control's; `None` where there is none.
    #[serde(default)]
    pub lift: Option<f64>,
    /// The lower end of its confidence sequence, which holds at any look.
    #[serde(default)]
    pub lift_low: Option<f64>,
    /// The upper end.
    #[serde(default)]
    pub lift_high: Option<f64>,
}
