//! What guardrails say, and why they acted. Since 1.2.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An experiment's guardrails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guardrails {
    /// The experiment.
    pub experiment: String,
    /// Its state.
    pub state: String,
    /// Since when it is in it.
    #[serde(default)]
    pub state_since: Option<DateTime<Utc>>,
    /// Who brought it there; empty while it runs.
    #[serde(default)]
    pub state_by: String,
    /// And why.
    #[serde(default)]
    pub state_why: String,
    /// The daemon's clock.
    pub now: DateTime<Utc>,
    /// The declared guardrails, in the order of the file.
    pub guardrails: Vec<Guardrail>,
    /// Verdicts that acted, newest first.
    #[serde(default)]
    pub acted: Vec<Verdict>,
    /// The newest verdicts, newest window first.
    #[serde(default)]
    pub verdicts: Vec<Verdict>,
    /// What is held, in words: `rolled back by ana (uid 1000): latency`.
    #[serde(default)]
    pub holds: Vec<String>,
}

/// One guardrail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guardrail {
    /// Its name.
    pub name: String,
    /// What it limits, in words.
    pub limit: String,
    /// What it does.
    pub action: String,
    /// By which test: sequential, posterior or threshold.
    pub test: String,
    /// Its window.
    pub window: String,
    /// Fails in a row that act.
    pub breaches: u32,
    /// It only reports.
    #[serde(default)]
    pub dry_run: bool,
    /// The worst of its verdicts.
    pub status: String,
    /// What it says of all arms together and of each arm.
    pub verdicts: Vec<Verdict>,
    /// What a person said of it, while that holds.
    #[serde(default)]
    pub overridden: Option<Overridden>,
}

/// A verdict with its figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The guardrail.
    pub guardrail: String,
    /// The arm; `None`: the experiment as a whole.
    #[serde(default)]
    pub arm: Option<String>,
    /// pass, warn, fail or unknown.
    pub verdict: String,
    /// Begin of the window that it is about.
    pub window_start: DateTime<Utc>,
    /// When it was said last.
    pub at: DateTime<Utc>,
    /// Units or events that it goes by.
    pub samples: u64,
    /// The figure that is limited.
    #[serde(default)]
    pub value: Option<f64>,
    /// The limit as a number.
    #[serde(default)]
    pub limit: Option<f64>,
    /// The test's statistic.
    #[serde(default)]
    pub statistic: Option<f64>,
    /// What the statistic must not be beyond.
    #[serde(default)]
    pub bound: Option<f64>,
    /// Fails in a row; only of present verdicts.
    #[serde(default)]
    pub fails: u32,
    /// Since when there are enough of them; only of present verdicts.
    #[serde(default)]
    pub breached_at: Option<DateTime<Utc>>,
    /// What acted on it.
    #[serde(default)]
    pub action: Option<String>,
    /// All of it in a sentence.
    pub sentence: String,
}

/// An override.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overridden {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Until when at most; `None`: until the condition clears.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
}

/// Ask that a guardrail does not act, or acts again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverrideRequest {
    /// Which experiment.
    pub key: String,
    /// Which guardrail.
    pub guardrail: String,
    /// For so long at most; `None`: until its condition clears.
    #[serde(default)]
    pub for_ms: Option<u64>,
    /// Take the override back: it is armed again.
    #[serde(default)]
    pub rearm: bool,
    /// Why; kept in the audit log. Must not be empty.
    pub reason: String,
    /// UUID made by the caller; the same id again gives the same answer and no second effect.
    pub request_id: uuid::Uuid,
}
