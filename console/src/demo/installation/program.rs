//! Which `pitbossd`, and how it is called.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::DemoError;
use super::{configuration_in, socket_in};

const NAME: &str = "pitbossd";

/// What the demo must not inherit: the user's own installation. Everything else of the prefix goes too, except
/// where PostgreSQL is.
const DATABASE_URL: &str = "DATABASE_URL";
const PREFIX: &str = "PITBOSS_";
const KEPT: &str = "PITBOSS_POSTGRES_BIN";

/// What `pitbossd verify` found.
#[derive(Debug)]
pub(in super::super) struct Verified {
    /// Every posterior is what the ledgers give.
    pub ok: bool,
    /// Its report.
    pub report: serde_json::Value,
}

/// The daemon's executable.
#[derive(Debug, Clone)]
pub(in super::super) struct Program(PathBuf);

impl Program {
    /// The one beside this executable, else the one that `PATH` finds.
    pub(in super::super) fn find() -> Self {
        let beside = std::env::current_exe()
            .ok()
            .and_then(|this| this.canonicalize().ok())
            .map(|this| this.with_file_name(NAME))
            .filter(|path| path.is_file());
        Self(beside.unwrap_or_else(|| PathBuf::from(NAME)))
    }

    /// The command that serves from `directory`: everything it writes stays inside, every port is a free one, and
    /// it ends with this process.
    pub(super) fn serve(&self, directory: &Path) -> Command {
        let mut command = self.command("serve", directory);
        command
            .args(["--data-listen", "127.0.0.1:0"])
            .args(["--data-rpc-listen", "127.0.0.1:0"])
            .args(["--admin-listen", "127.0.0.1:0"])
            .arg("--control-socket")
            .arg(socket_in(directory))
            .arg("--log-dir")
            .arg(directory.join("logs"))
            .args(["--environment", "demo", "--log-format", "human"])
            .args(["--install-postgres", "--die-with-parent"]);
        command
    }

    /// `pitbossd verify --json` beside the running daemon.
    pub(super) async fn verify(&self, directory: &Path) -> Result<Verified, DemoError> {
        let mut command = self.command("verify", directory);
        command.arg("--json").stdin(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        let output = command.output().await.map_err(|e| self.not_started(e))?;
        let report = serde_json::from_slice(&output.stdout).map_err(|_| DemoError::Verify {
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })?;
        Ok(Verified {
            ok: output.status.success(),
            report,
        })
    }

    fn command(&self, subcommand: &str, directory: &Path) -> Command {
        let mut command = Command::new(&self.0);
        for (name, _) in std::env::vars_os() {
            let named = name.to_string_lossy();
            if named == DATABASE_URL || (named.starts_with(PREFIX) && named != KEPT) {
                command.env_remove(&name);
            }
        }
        command.arg(subcommand);
        command.arg("--config").arg(configuration_in(directory));
        command.arg("--data-dir").arg(directory);
        command
    }

    /// The error of a process that could not be started.
    pub(super) fn not_started(&self, source: std::io::Error) -> DemoError {
        if source.kind() == ErrorKind::NotFound {
            return DemoError::NoDaemon;
        }
        DemoError::NotStarted {
            program: self.0.clone(),
            source,
        }
    }
}
