//! `pitbossd`: see `pitbossd --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::cli::main()
}
