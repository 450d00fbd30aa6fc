//! The arguments of each command.

use std::path::PathBuf;

use bandit::experiment::Millis;
use bandit::posterior::Posterior;
use clap::Args;

use crate::theme::ThemeName;

/// What only the full-screen console takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Full screen")]
pub struct ScreenArgs {
    /// Change nothing from the full-screen console
    #[arg(long)]
    pub read_only: bool,
    /// dark, light, safe or none; without it the terminal decides
    #[arg(long, value_name = "THEME")]
    pub theme: Option<ThemeName>,
    /// Draw with ASCII only; without it the locale decides
    #[arg(long)]
    pub ascii: bool,
}

/// The form of a read's answer.
#[derive(Debug, Clone, Copy, Args)]
pub struct Reading {
    /// Print one JSON object with stable fields instead of text
    #[arg(long)]
    pub json: bool,
}

/// A read of one experiment.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The experiment's key
    pub key: String,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `ls`
#[derive(Debug, Args)]
pub struct LsArgs {
    /// Only experiments whose key contains this
    #[arg(value_name = "TEXT")]
    pub containing: Option<String>,
    /// Only experiments in this state
    #[arg(long, value_parser = ["draft", "running", "paused", "stopped", "rolled_back", "archived"])]
    pub state: Option<String>,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The experiment's key
    pub key: String,
    /// Print the experiment as a file in force now, ready to be edited and planned
    #[arg(long, conflicts_with = "json")]
    pub toml: bool,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// The experiment file, with or without `-f`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct FileArg {
    /// The experiment file; `-` reads standard input
    #[arg(value_name = "FILE")]
    named: Option<PathBuf>,
    /// The experiment file; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl FileArg {
    /// The file that was named.
    pub fn path(&self) -> &std::path::Path {
        self.file
            .as_deref()
            .or(self.named.as_deref())
            .expect("the group requires one of them")
    }
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Which file
    #[command(flatten)]
    pub file: FileArg,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which file
    #[command(flatten)]
    pub file: FileArg,
    /// Stop experiments that the file does not mention; without it they are left alone
    #[arg(long)]
    pub prune: bool,
    /// Also change what an operator or a guardrail holds: rolled back, stopped, paused by hand, quarantined arms
    #[arg(long = "release-hold", alias = "release-holds")]
    pub release_holds: bool,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `apply`
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The same as `plan` takes
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Reason and consent
    #[command(flatten)]
    pub acting: Acting,
}

/// What every change takes.
#[derive(Debug, Args)]
pub struct Acting {
    /// Why; the audit log keeps it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do not ask; every check still holds
    #[arg(short, long)]
    pub yes: bool,
}

/// `start`, `pause`, `resume`, `stop`, `rollback`, `archive`
#[derive(Debug, Args)]
pub struct VerbArgs {
    /// The experiment's key
    pub key: String,
    /// Reason and consent
    #[command(flatten)]
    pub acting: Acting,
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `quarantine`, `ship`
#[derive(Debug, Args)]
pub struct ArmArgs {
    /// The experiment's key
    pub key: String,
    /// The arm's name
    pub arm: String,
    /// Reason and consent
    #[command(flatten)]
    pub acting: Acting,
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `release`
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The experiment's key
    pub key: String,
    /// The quarantined arm's name; without it every hold on the experiment
    pub arm: Option<String>,
    /// Reason and consent
    #[command(flatten)]
    pub acting: Acting,
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `guardrails`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GuardrailsArgs {
    /// The experiment's key
    #[arg(required = true)]
    pub key: Option<String>,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
    /// Something to be done instead
    #[command(subcommand)]
    pub deed: Option<GuardrailDeed>,
}

/// What can be done about a guardrail.
#[derive(Debug, clap::Subcommand)]
pub enum GuardrailDeed {
    /// Let it report and not act: until its condition clears, or for so long (asks first)
    Override(OverrideArgs),
    /// Take an override back: it acts again
    Rearm(OverrideArgs),
}

/// `guardrails override` and `guardrails rearm`
#[derive(Debug, Args)]
pub struct OverrideArgs {
    /// The experiment's key
    pub key: String,
    /// The guardrail's name
    pub guardrail: String,
    /// For so long at most, such as 2h; needed where it is not in breach
    #[arg(long = "for", value_name = "DURATION")]
    pub length: Option<Millis>,
    /// Reason and consent
    #[command(flatten)]
    pub acting: Acting,
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Only these experiments; all without one
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// End with 0 once this holds for any watched experiment
    ///
    /// state=WORD, such as state=stopped; share=ARM:LEAST, such as share=green:0.8; version=NUMBER, a policy
    /// version of at least that number. A guardrail that fails or a rollback ends it with 5.
    #[arg(long, value_name = "CONDITION")]
    pub until: Option<crate::cmd::watch::Condition>,
    /// Give up after this long, such as 90s or 10m, with 3
    #[arg(long, value_name = "DURATION", requires = "until")]
    pub timeout: Option<Millis>,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The experiment's key
    pub key: String,
    /// The unit's id as the service sends it; the daemon keeps only its keyed hash
    pub unit: String,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Only of this experiment
    pub key: Option<String>,
    /// At most so many rows
    #[arg(long, value_name = "ROWS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Only rows older than this sequence number
    #[arg(long, value_name = "SEQ")]
    pub before: Option<u64>,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `simulate`
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Which file
    #[command(flatten)]
    pub file: FileArg,
    /// Which experiment of the file, where it has several
    #[arg(long, value_name = "KEY")]
    pub experiment: Option<String>,
    /// The true rate of every arm, such as a=0.05,b=6%; for a scaled reward its mean, in the reward's own units
    #[arg(
        long,
        value_name = "ARM=RATE",
        value_delimiter = ',',
        required_unless_present = "fit"
    )]
    pub rates: Vec<crate::cmd::simulate::Rate>,
    /// Take the rates that --rates leaves out from the daemon's results of this experiment, all lanes together; without
    /// a key from those of the file's own. A scaled reward still needs --sd
    #[arg(long, value_name = "KEY", num_args = 0..=1)]
    pub fit: Option<Option<String>>,
    /// The standard deviation of a unit's value, for a scaled reward
    #[arg(long, value_name = "NUMBER")]
    pub sd: Option<f64>,
    /// Eligible units a day
    #[arg(long, value_name = "UNITS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub units_per_day: u64,
    /// How long the experiment runs
    #[arg(long, value_name = "DAYS", default_value_t = 28, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub days: u32,
    /// How many times it is run; standard errors shrink with the square root
    #[arg(long, value_name = "RUNS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub runs: u64,
    /// The simulated units are the same for the same seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Another policy than the file's: a word such as ucb1, or a table such as '{ kind = "thompson", floor = 0.05 }'
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<String>,
    /// How often the policy is asked, such as 1m; without it about a thousandth of the time, or as the file says if that is longer
    #[arg(long, value_name = "DURATION")]
    pub publish_every: Option<Millis>,
    /// On so many threads; without it one a core
    #[arg(long, value_name = "THREADS")]
    pub threads: Option<std::num::NonZero<usize>>,
    /// Draw the allocation over time
    #[arg(long, conflicts_with = "json")]
    pub chart: bool,
    /// Draw with ASCII only; without it the locale decides
    #[arg(id = "ascii_chart", long = "ascii", requires = "chart")]
    pub ascii: bool,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// `posterior`
#[derive(Debug, Args)]
pub struct PosteriorArgs {
    /// An arm's rate: Beta(alpha, beta), real numbers; with a flat prior successes + 1 and failures + 1
    #[arg(
        long,
        value_name = "ALPHA,BETA",
        value_parser = crate::cmd::posterior::beta,
        allow_hyphen_values = true,
        required_unless_present = "normal"
    )]
    pub beta: Vec<Posterior>,
    /// An arm's mean: mean and standard deviation of n observations; Student-t with n-1 degrees of freedom and scale sd/sqrt(n), as from a flat prior
    #[arg(
        long,
        value_name = "MEAN,SD,N",
        value_parser = crate::cmd::posterior::normal,
        allow_hyphen_values = true
    )]
    pub normal: Vec<Posterior>,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// What the demo breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Break {
    /// Payments of the checkout's new button, then of the old one
    PaymentErrors,
}

/// `demo`
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Without a terminal: progress on standard error, one JSON object at the end
    #[arg(long, requires = "seconds")]
    pub headless: bool,
    /// How long the traffic runs
    #[arg(long, value_name = "SECONDS", requires = "headless", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
    /// The simulated visitors are the same for the same seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A bad deploy: after 20 s 3 % of one arm's requests fail, after 140 s those of control too
    #[arg(long = "break", value_name = "WHAT")]
    pub broken: Option<Break>,
    /// How many times the usual traffic (about 170 visitors a second), 0.05 to 20
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", value_parser = rate)]
    pub rate: f64,
}

/// Below a twentieth the example learns nothing in an hour; above 20 the simulation would be the bottleneck.
const RATES: std::ops::RangeInclusive<f64> = 0.05..=20.0;

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text
        .parse()
        .map_err(|_| format!("`{text}` is not a number"))?;
    if RATES.contains(&rate) {
        return Ok(rate);
    }
    let (least, most) = (RATES.start(), RATES.end());
    Err(format!("{rate} is not between {least} and {most}"))
}
