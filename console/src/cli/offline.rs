//! The arguments of the commands that ask what another policy would have earned.
#![allow(
    clippy::doc_markdown,
    reason = "help texts show what is typed, without marks"
)]

use std::path::PathBuf;

use bandit::offpolicy::Candidate;
use clap::{Args, ValueEnum};

use super::Reading;

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Comma-separated with a heading line
    Csv,
    /// One JSON object a line
    Jsonl,
}

/// A log and what its columns are called.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// The log: CSV with a heading line, or JSON lines; gzipped if its name ends in .gz
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// How it is written; without it the name decides: .csv, .jsonl or .ndjson
    #[arg(long)]
    pub format: Option<LogFormat>,
    /// The column of the arm [default: the first there is of arm, item_id, action]
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    pub arm: Option<String>,
    /// The column of the reward [default: the first there is of reward, click, conversion]
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    pub reward: Option<String>,
    /// The column of the probability with which the arm was drawn, or one number for all rows [default: the first
    /// there is of propensity, propensity_score, pscore]
    #[arg(long, value_name = "COLUMN|NUMBER", help_heading = "Columns")]
    pub propensity: Option<String>,
    /// The column of the position or segment, within which an arm's mean is its own [default: position, if there is one]
    #[arg(long, value_name = "COLUMN", help_heading = "Columns")]
    pub position: Option<String>,
    /// Where rewards can lie, such as 0,50; rows outside are bad [default: 0,1 if all rewards lie there]
    #[arg(long, value_name = "MIN,MAX", value_parser = range, allow_hyphen_values = true)]
    pub reward_range: Option<(f64, f64)>,
    /// Refuse a log with any bad row; without it, one with more than 1 in 100
    #[arg(long)]
    pub strict: bool,
}

/// `evaluate`
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Which log
    #[command(flatten)]
    pub log: LogArgs,
    /// uniform, arm:NAME or weights:a=0.7,b=0.3
    #[arg(long, value_name = "POLICY")]
    pub policy: Candidate,
    /// Show the values even if the log cannot tell them
    #[arg(long)]
    pub anyway: bool,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Which log
    #[command(flatten)]
    pub log: LogArgs,
    /// thompson, top_two_thompson:0.5, epsilon_greedy:0.1, ucb1 and the like, or one that does not learn: uniform, arm:NAME,
    /// weights:a=0.7,b=0.3
    #[arg(long, value_name = "POLICY")]
    pub policy: Candidate,
    /// A policy that learns publishes a new split after so many matched rows [default: a hundredth of those
    /// expected, at least 10]
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub publish_every: Option<u64>,
    /// So many replays with other draws; their values are averaged
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub runs: u64,
    /// The draws are the same for the same seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Show the value even if too few rows matched
    #[arg(long)]
    pub anyway: bool,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `whatif`
#[derive(Debug, Args)]
pub struct WhatIfArgs {
    /// The experiment's key
    pub key: String,
    /// uniform, arm:NAME, weights:a=0.7,b=0.3, or one that learns, such as epsilon_greedy:0.1
    #[arg(long, value_name = "POLICY")]
    pub policy: Candidate,
    /// The lane whose log is looked at, such as holdback; the one that learns without it
    #[arg(long, value_name = "NAME")]
    pub lane: Option<String>,
    /// Show the values even if the log cannot tell them
    #[arg(long)]
    pub anyway: bool,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

fn range(text: &str) -> Result<(f64, f64), String> {
    let wrong = || format!("`{text}` is not MIN,MAX with MIN below MAX, such as 0,50");
    let (min, max) = text.split_once(',').ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
    let (min, max) = (
        number(min).ok_or_else(wrong)?,
        number(max).ok_or_else(wrong)?,
    );
    if min < max {
        Ok((min, max))
    } else {
        Err(wrong())
    }
}
