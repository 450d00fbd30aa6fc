//! The arguments of `alerts` and of what is done about one.

use bandit::experiment::Millis;
use clap::{Args, Subcommand};

use super::args::{Acting, Reading};

/// `alerts`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AlertsArgs {
    /// What to do about one; without it they are listed
    #[command(subcommand)]
    pub action: Option<AlertsCommand>,
    /// Those that are over too
    #[arg(long)]
    pub all: bool,
    /// At most so many
    #[arg(long, value_name = "ROWS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Text or JSON
    #[command(flatten)]
    pub reading: Reading,
}

/// What can be done about an alert.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// You look after it: nobody is reminded of it, unless it becomes worse
    Ack(AckArgs),
    /// Nobody is told of it for some time; it fires again if it is not over by then
    Silence(SilenceArgs),
    /// Send a delivery again that was given up or lost, under the same id
    Resend(ResendArgs),
}

/// `alerts ack`
#[derive(Debug, Args)]
pub struct AckArgs {
    /// The alert's number
    #[arg(value_name = "ALERT")]
    pub alert: u64,
    /// Reason and consent
    #[command(flatten)]
    pub acting: Acting,
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `alerts silence`
#[derive(Debug, Args)]
pub struct SilenceArgs {
    /// The alert's number
    #[arg(value_name = "ALERT")]
    pub alert: u64,
    /// For how long, 1m to 30d
    #[arg(long = "for", value_name = "DURATION")]
    pub for_: Millis,
    /// Reason and consent
    #[command(flatten)]
    pub acting: Acting,
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `alerts resend`
#[derive(Debug, Args)]
pub struct ResendArgs {
    /// The delivery's number, as `pitboss alerts` shows it
    #[arg(value_name = "DELIVERY")]
    pub delivery: u64,
    /// Reason and consent
    #[command(flatten)]
    pub acting: Acting,
    /// Print the outcome as one JSON object
    #[arg(long)]
    pub json: bool,
}
