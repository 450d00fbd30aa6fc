//! The scripted twin of the console: one command in, one answer and one exit code out.

mod alerts;
mod apply;
mod arm;
mod audit;
mod check;
mod completions;
mod confirm;
mod daemon;
mod decision;
mod detail;
mod estimates;
mod evaluate;
mod evidence;
mod experiments;
mod explain;
mod failure;
mod file;
mod format;
#[cfg(test)]
mod goldens;
mod guardrails;
mod health;
mod insights;
mod log;
mod plan;
pub mod posterior;
mod replay;
mod results;
#[cfg(test)]
mod samples;
pub mod simulate;
mod verb;
pub mod watch;
mod whatif;
mod why;

use std::path::Path;

use bandit::experiment::Verb;

use crate::cli::{Cli, Command};
use crate::output::{self, Answer, Form};
use crate::runtime::{self, ExitReason, TuiOptions};

pub use daemon::Daemon;
pub use failure::{Exit, Failure};
pub use plan::{apply_request, plan_request};

/// Do what the command line says, and say how it ended.
pub fn run(cli: Cli) -> Exit {
    match dispatch(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            let text = failure.text();
            if !text.is_empty() {
                output::aside(&text);
            }
            failure.exit()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let socket = cli
        .socket
        .unwrap_or_else(protocol::transport::default_socket);
    match cli.command {
        None => open_full_screen(TuiOptions {
            read_only: cli.screen.read_only,
            theme: cli.screen.theme,
            ascii: cli.screen.ascii.then_some(true),
            ..TuiOptions::new(socket)
        }),
        Some(Command::Demo(args)) => crate::demo::run(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Simulate(args)) => simulate::run(&socket, &args),
        Some(Command::Posterior(args)) => posterior::run(&args),
        Some(Command::Evaluate(args)) => evaluate::run(&args),
        Some(Command::Replay(args)) => replay::run(&args),
        Some(Command::Completions { shell }) => completions::run(shell),
        Some(command) => one_thread()?.block_on(ask_daemon(&socket, command)),
    }
}

/// The commands that need a daemon.
async fn ask_daemon(socket: &Path, command: Command) -> Result<Exit, Failure> {
    let daemon = Daemon::connect(socket).await?;
    let (answer, json) = match command {
        Command::Ls(args) => (experiments::list(&daemon, &args).await?, args.reading.json),
        Command::Show(args) if args.toml => return detail::toml(&daemon, &args.key).await,
        Command::Show(args) => (detail::show(&daemon, &args.key).await?, args.reading.json),
        Command::Plan(args) => return plan::run(&daemon, &args).await,
        Command::Apply(args) => return apply::run(&daemon, &args).await,
        Command::Start(args) => return verb::run(&daemon, Verb::Start, &args).await,
        Command::Pause(args) => return verb::run(&daemon, Verb::Pause, &args).await,
        Command::Resume(args) => return verb::run(&daemon, Verb::Resume, &args).await,
        Command::Stop(args) => return verb::run(&daemon, Verb::Stop, &args).await,
        Command::Rollback(args) => return verb::run(&daemon, Verb::Rollback, &args).await,
        Command::Archive(args) => return verb::run(&daemon, Verb::Archive, &args).await,
        Command::Quarantine(args) => return arm::quarantine(&daemon, &args).await,
        Command::Release(args) => return arm::release(&daemon, &args).await,
        Command::Ship(args) => return arm::ship(&daemon, &args).await,
        Command::Watch(args) => return watch::run(&daemon, &args).await,
        Command::Results(args) => (results::run(&daemon, &args.key).await?, args.reading.json),
        Command::Insights(args) => (insights::run(&daemon, &args.key).await?, args.reading.json),
        Command::Guardrails(args) => return guardrails::run(&daemon, &args).await,
        Command::Why(args) => (why::run(&daemon, &args.key).await?, args.reading.json),
        Command::Explain(args) => return explain::run(&daemon, &args).await,
        Command::Whatif(args) => return whatif::run(&daemon, &args).await,
        Command::Audit(args) => (audit::run(&daemon, &args).await?, args.reading.json),
        Command::Alerts(args) => return alerts::run(&daemon, args).await,
        Command::Health(args) => return health::run(&daemon, args).await,
        Command::Demo(_)
        | Command::Check(_)
        | Command::Simulate(_)
        | Command::Posterior(_)
        | Command::Evaluate(_)
        | Command::Replay(_)
        | Command::Completions { .. } => {
            unreachable!("done without a daemon in `dispatch`")
        }
    };
    show(&answer, json)
}

/// Print an answer that is good news whatever it says.
fn show(answer: &Answer, json: bool) -> Result<Exit, Failure> {
    output::answer(answer, Form::from_flag(json))?;
    Ok(Exit::Done)
}

/// `pitboss` without a command, and the demo's last act.
pub(crate) async fn full_screen(options: TuiOptions) -> Result<Exit, Failure> {
    match runtime::run(options).await? {
        ExitReason::Quit | ExitReason::Terminated => Ok(Exit::Done),
        ExitReason::NeverConnected(lines) => Err(Failure::Lost(lines.join("\n"))),
    }
}

/// The full screen needs a screen.
fn open_full_screen(options: TuiOptions) -> Result<Exit, Failure> {
    if !output::has_screen() {
        return Err(Failure::Usage(
            "the full-screen console needs a terminal; in a script use a command such as `pitboss ls --json` \
             (see pitboss --help)"
                .to_owned(),
        ));
    }
    one_thread()?.block_on(full_screen(options))
}

/// One command waits for one daemon, and the full screen never waits: one thread is enough.
fn one_thread() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime)
}
