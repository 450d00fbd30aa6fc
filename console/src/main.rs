//! `pitboss`: the console of Pitboss and its scriptable twin.

use std::process::ExitCode;

use clap::Parser as _;
use console::{cli::Cli, cmd};

fn main() -> ExitCode {
    ExitCode::from(cmd::run(Cli::parse()).code())
}
