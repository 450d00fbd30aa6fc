//! `pitboss completions`: the table of commands as a script for a shell.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::{Exit, Failure};
use crate::cli::Cli;
use crate::output;

pub(super) fn run(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "pitboss", &mut script);
    output::raw(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
