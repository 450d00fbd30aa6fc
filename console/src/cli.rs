//! The command line: what can be typed, its help, and nothing of what it does.

mod alerts;
mod args;
mod offline;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use alerts::{AckArgs, AlertsArgs, AlertsCommand, ResendArgs, SilenceArgs};
pub use args::{
    Acting, ApplyArgs, ArmArgs, AuditArgs, Break, CheckArgs, DemoArgs, ExplainArgs, FileArg,
    GuardrailDeed, GuardrailsArgs, KeyArgs, LsArgs, OverrideArgs, PlanArgs, PosteriorArgs, Reading,
    ReleaseArgs, ScreenArgs, ShowArgs, SimulateArgs, VerbArgs, WatchArgs,
};
pub use offline::{EvaluateArgs, LogArgs, LogFormat, ReplayArgs, WhatIfArgs};

/// The console of Pitboss: bandit experiments, watched and steered from a terminal
#[derive(Debug, Parser)]
#[command(
    name = "pitboss",
    version,
    about,
    max_term_width = 100,
    subcommand_help_heading = "Commands",
    after_help = "Without a command: the full-screen console.",
    after_long_help = EXIT_CODES
)]
pub struct Cli {
    /// The daemon's control socket [default: control.sock in the runtime directory]
    #[arg(long, global = true, env = "PITBOSS_CONTROL_SOCKET", value_name = "PATH", long_help = SOCKET_HELP)]
    pub socket: Option<PathBuf>,

    /// How the full-screen console looks
    #[command(flatten)]
    pub screen: ScreenArgs,

    /// What to do; without it the full-screen console opens
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The rule of `protocol::transport::default_socket`, in words.
const SOCKET_HELP: &str = "The daemon's control socket. Without it: \
$XDG_RUNTIME_DIR/pitboss/control.sock; where there is no runtime directory, control.sock in the user's data \
directory (~/.local/share/pitboss); without a home directory, /run/pitboss/control.sock. The daemon puts it \
there by the same rule";

/// The same words in the README and in every script that branches on them.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  2  usage: the command line or the file is wrong
  3  refused: stale plan, not legal in this state, held, or nobody to confirm it
  4  unreachable: no daemon answers on the socket
  5  breached: a guardrail fails, or something that must hold does not

Every command that reads has --json: one object (watch: one a line) with \"schema\": 1.
Commands that change something take --reason, which the audit log keeps; --yes skips questions,
never checks. Colour follows NO_COLOR and stops when the output is not a terminal.";

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a private daemon with example experiments and simulated traffic, and watch it learn
    ///
    /// Starts pitbossd with a private database in a temporary directory, applies the example experiments with
    /// windows of seconds, drives simulated services through the real data port and opens the console. Whatever
    /// way it ends, everything it started is stopped and the directory is removed.
    Demo(DemoArgs),
    /// List experiments
    Ls(LsArgs),
    /// Show one experiment: state, arms, allocation, guardrails, recent events
    Show(ShowArgs),
    /// Check a file without a daemon: every problem with its line and a fix
    Check(CheckArgs),
    /// Show what a file would change, and what that means for users; changes nothing
    Plan(PlanArgs),
    /// Plan, show, ask, and carry it out if nothing moved meanwhile
    ///
    /// A plan is valid for the revision it was made for. If somebody changed something since, it is refused
    /// (exit code 3): look at the new plan and apply again. Applying a file twice changes nothing.
    Apply(ApplyArgs),
    /// Start a draft: it begins to assign units and to learn
    Start(VerbArgs),
    /// Pause: assigned units keep their arm, new units get control and are not recorded
    Pause(VerbArgs),
    /// Resume a paused or rolled back experiment
    Resume(VerbArgs),
    /// Stop for good: everyone gets control; open windows still resolve (asks for the name)
    Stop(VerbArgs),
    /// Roll back: everyone gets control at once; can be resumed (asks first)
    Rollback(VerbArgs),
    /// Put a draft or a stopped experiment out of sight; its ledger stays (asks first)
    Archive(VerbArgs),
    /// Close an arm to new units until it is released; its own units keep it, or get control as the file says
    Quarantine(ArmArgs),
    /// Release the quarantine of an arm, or every hold on an experiment, whose state stays what it is (asks first)
    Release(ReleaseArgs),
    /// Stop for good with one arm for everyone; open windows still resolve (asks for the name)
    Ship(ArmArgs),
    /// Follow experiments as they change, until something happens
    Watch(WatchArgs),
    /// Counts, rates and posteriors of every lane
    Results(KeyArgs),
    /// The results in words: leader, evidence, caveats
    Insights(KeyArgs),
    /// What each guardrail says of each arm, and what it did; override one, or arm it again
    Guardrails(GuardrailsArgs),
    /// Why an experiment is in its state: who or what did it, on which figures, and the way out
    Why(KeyArgs),
    /// Why a unit has its arm, recomputed step by step from its version and salt
    Explain(ExplainArgs),
    /// Who changed what and why, newest first
    Audit(AuditArgs),
    /// What is wrong, who looks after it, and who was told; ack, silence or resend
    ///
    /// Without a subcommand: the open alerts, the worst first, what was told of each to which channel, and how the
    /// channels do. Channels are `[[alert_channel]]` tables in the daemon's configuration.
    Alerts(AlertsArgs),
    /// Try an experiment on rates that you declare, or a daemon has seen: regret, reward and where its traffic ends up
    ///
    /// Runs the very code that serves (draws, windows, burn-in, publications) on units that do not exist. The same
    /// seed gives the same figures, whatever the number of threads. Needs a daemon only with --fit.
    Simulate(SimulateArgs),
    /// Which arm is best, and what the others would lose, for counts that you type
    ///
    /// Exact figures, no sampling: P(best), expected loss and P(worse than the leader) by quadrature with a self-check.
    /// Each --beta or --normal is an arm, in the order given; all of one kind. Needs no daemon.
    Posterior(PosteriorArgs),
    /// Whether every part of the daemon is well
    Health(Reading),
    /// What another policy would have earned on an experiment's own log
    ///
    /// From the counts of its policy versions and their exact propensities. Units whose window is open are not judged,
    /// forced ones never count. A policy that learns is judged as the splits it would have published on what the
    /// log had shown by then. Values that the log cannot tell are refused with the reason (exit code 3).
    Whatif(WhatIfArgs),
    /// What a policy would have earned on a log, by weighting its rows
    ///
    /// Needs no daemon. The log has the arm that was drawn, the probability with which it was drawn, and what it
    /// earned; the policy must not learn (see replay for one that does). Values that the log cannot tell are refused
    /// with the reason (exit code 3).
    Evaluate(EvaluateArgs),
    /// What a policy that learns would have earned, by replaying the rows it would have produced
    ///
    /// Needs no daemon. Rows on which the policy draws the logged arm are kept and learned from; a log that is not uniform
    /// is thinned to one first (Li, Chu, Langford and Wang 2011).
    Replay(ReplayArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_is_the_full_screen_console() {
        assert!(parse("pitboss").is_ok_and(|cli| cli.command.is_none()));
    }

    #[test]
    fn a_file_is_named_with_or_without_the_flag_but_once() {
        for command in ["check", "plan", "apply"] {
            assert!(parse(&format!("pitboss {command} -f a.toml")).is_ok());
            assert!(parse(&format!("pitboss {command} a.toml")).is_ok());
            assert!(parse(&format!("pitboss {command} a.toml -f b.toml")).is_err());
            assert!(parse(&format!("pitboss {command}")).is_err());
        }
    }

    #[test]
    fn every_read_has_json() {
        for line in [
            "ls",
            "show k",
            "check f",
            "plan f",
            "watch",
            "results k",
            "insights k",
            "guardrails k",
            "why k",
            "explain k u",
            "whatif k --policy uniform",
            "evaluate l.csv --policy uniform",
            "replay l.csv --policy thompson",
            "audit",
            "alerts",
            "alerts --all",
            "health",
            "simulate f --rates a=0.1,b=0.2",
            "simulate -f f --fit",
            "simulate -f f --fit k --rates a=0.1",
            "posterior --beta 1,2",
        ] {
            let with_json = format!("pitboss {line} --json");
            assert!(parse(&with_json).is_ok(), "{with_json}");
        }
    }

    #[test]
    fn the_socket_can_follow_the_command() {
        let cli = parse("pitboss ls --socket /tmp/x.sock").expect("a global flag");
        assert_eq!(cli.socket, Some(PathBuf::from("/tmp/x.sock")));
    }

    #[test]
    fn a_headless_demo_says_for_how_long() {
        assert!(parse("pitboss demo").is_ok());
        assert!(parse("pitboss demo --headless").is_err());
        assert!(parse("pitboss demo --headless --seconds 30").is_ok());
        assert!(parse("pitboss demo --seconds 30").is_err());
        assert!(parse("pitboss demo --rate 0").is_err());
    }
}
