//! The command line of `pitbossd`: flags from the table of configuration keys, and the commands.

mod doctor;
mod health;
mod output;
mod spool;
mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::app::data_dir::DataDir;
use crate::app::{self, AppError, Exit, Reloading};
use crate::config::{self, Config, Inputs, KEYS, Key, Kind, Loaded};
use crate::telemetry;

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let exit = match run(&matches) {
        Ok(exit) => exit,
        Err(error) => {
            output::error(&error);
            error.exit()
        }
    };
    ExitCode::from(exit as u8)
}

/// The command line, for parsing and for generating completions.
pub fn command() -> Command {
    Command::new("pitbossd")
        .about("The daemon of Pitboss: assignment, tracking and learning for bandit experiments")
        .version(env!("CARGO_PKG_VERSION"))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("The configuration file [env: PITBOSS_CONFIG]")
                .global(true),
        )
        .args(KEYS.iter().map(flag))
        .subcommand(Command::new("serve").about("Run the daemon (the default)"))
        .subcommand(
            Command::new("migrate").about("Bring the database's schema up to date and exit"),
        )
        .subcommand(
            Command::new("config")
                .about("Look at the configuration")
                .subcommand_required(true)
                .subcommand(Command::new("check").about("Say what is wrong with it, if anything"))
                .subcommand(
                    Command::new("show")
                        .about("Every value and where it came from; secrets hidden"),
                ),
        )
        .subcommand(
            Command::new("verify")
                .about("Recompute every posterior, draw and count from the ledgers; exit 5 if anything differs")
                .arg(
                    Arg::new("json")
                        .long("json")
                        .action(ArgAction::SetTrue)
                        .help("The report as one JSON object"),
                ),
        )
        .subcommand(
            Command::new("spool")
                .about("What is acknowledged and not in the database yet")
                .subcommand_required(true)
                .subcommand(
                    Command::new("inspect")
                        .about("Count segments, records, bytes and damage; changes nothing")
                        .arg(
                            Arg::new("json")
                                .long("json")
                                .action(ArgAction::SetTrue)
                                .help("The report as one JSON object"),
                        ),
                ),
        )
        .subcommand(
            Command::new("doctor")
                .about("Check what the daemon needs on this machine, and say what to do"),
        )
        .subcommand(
            Command::new("health").about("Ask the running daemon how it is; exit 0 if it is ready"),
        )
}

fn flag(key: &'static Key) -> Arg {
    let help = format!(
        "{} [env: {}] [default: {}]",
        key.help,
        key.variable(),
        key.default
    );
    let arg = Arg::new(key.name).long(key.flag).help(help).global(true);
    match key.kind {
        Kind::Value(name) | Kind::Secret(name) => arg.value_name(name),
        Kind::Switch => arg.action(ArgAction::SetTrue),
    }
}

fn run(matches: &ArgMatches) -> Result<Exit, AppError> {
    let inputs = inputs(matches);
    let loaded = config::load(&inputs)?;
    match matches.subcommand() {
        Some(("config", config)) => {
            match config.subcommand_name() {
                Some("show") => output::text(&config::show(&loaded)),
                _ => output::text("the configuration is good\n"),
            }
            Ok(Exit::Done)
        }
        Some(("migrate", _)) => in_runtime(&loaded, |config| async move {
            let version = app::commands::migrate(&config).await?;
            output::text(&format!("the schema is at version {version}\n"));
            Ok(Exit::Done)
        }),
        Some(("verify", verify)) => {
            let json = verify.get_flag("json");
            in_runtime(&loaded, move |config| verify::run(config, json))
        }
        Some(("spool", spool)) => {
            let inspect = spool.subcommand_matches("inspect");
            let json = inspect.is_some_and(|it| it.get_flag("json"));
            spool::inspect(&loaded.config, json)
        }
        Some(("doctor", _)) => in_runtime(&loaded, doctor::run),
        Some(("health", _)) => in_runtime(&loaded, health::run),
        _ => serve(inputs, loaded),
    }
}

/// Flags that were typed, by key; where they stand, before or after the command, does not matter.
fn inputs(matches: &ArgMatches) -> Inputs {
    let innermost = std::iter::successors(Some(matches), |it| it.subcommand().map(|it| it.1))
        .last()
        .unwrap_or(matches);
    let mut flags = BTreeMap::new();
    for key in &KEYS {
        let value = match key.kind {
            Kind::Switch => innermost.get_flag(key.name).then(|| "true".to_owned()),
            Kind::Value(_) | Kind::Secret(_) => innermost.get_one::<String>(key.name).cloned(),
        };
        if let Some(value) = value {
            flags.insert(key.name, value);
        }
    }
    Inputs::from_process(flags, innermost.get_one("config").cloned())
}

fn serve(inputs: Inputs, loaded: Loaded) -> Result<Exit, AppError> {
    // First of all: a daemon that is refused its directory leaves no trace in it.
    let data_dir = DataDir::open(&loaded.config.data_dir)?;
    // Held until everything has ended: dropping it writes what is still queued.
    let logs = telemetry::log_to_files(&loaded.config)?;
    let runtime = runtime()?;
    let served = runtime.block_on(app::serve(
        Reloading::new(inputs, loaded, logs.filter()),
        data_dir,
    ));
    // What still runs was left behind on purpose, and may hang in a system call.
    runtime.shutdown_background();
    served.map(|()| Exit::Done)
}

/// Runs a command that ends by itself, with logs on stderr.
fn in_runtime<F>(loaded: &Loaded, command: impl FnOnce(Config) -> F) -> Result<Exit, AppError>
where
    F: Future<Output = Result<Exit, AppError>>,
{
    let _logs = telemetry::log_to_stderr(&loaded.config);
    runtime()?.block_on(command(loaded.config.clone()))
}

fn runtime() -> Result<tokio::runtime::Runtime, AppError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("pitbossd")
        .build()
        .map_err(AppError::Process)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(arguments: &[&str]) -> Inputs {
        inputs(&command().try_get_matches_from(arguments).unwrap())
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn flags_count_before_and_after_the_command() {
        for arguments in [
            ["pitbossd", "--data-dir", "/d", "--die-with-parent", "serve"],
            ["pitbossd", "serve", "--data-dir", "/d", "--die-with-parent"],
        ] {
            let flags = typed(&arguments).flags;
            assert_eq!(flags["data_dir"], "/d");
            assert_eq!(flags["die_with_parent"], "true");
            assert_eq!(flags.len(), 2);
        }
    }

    #[test]
    fn every_key_is_a_flag_that_help_explains() {
        let help = command().render_long_help().to_string();
        for key in &KEYS {
            assert!(help.contains(&format!("--{}", key.flag)), "{}", key.name);
            assert!(help.contains(&key.variable()), "{}", key.name);
        }
    }
}
