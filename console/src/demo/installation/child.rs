//! The daemon's process: started apart from the terminal, stopped cleanly, never left behind.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::super::DemoError;
use super::Program;

/// A daemon drains its requests and stops PostgreSQL in well under a second; on a starved machine it may take
/// several. Then it is killed, and its database with it.
const STOPS_WITHIN: Duration = Duration::from_secs(40);

/// How often the end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How much of what it said is worth showing.
const LAST_LINES: usize = 15;

/// A running daemon; dropping it stops it.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
    said: PathBuf,
}

impl Child {
    /// Start it in a process group of its own: ctrl-c on the terminal is for the demo, which then stops the
    /// daemon in order.
    pub(super) fn start(program: &Program, directory: &Path) -> Result<Self, DemoError> {
        let said = directory.join("pitbossd.stderr");
        let stderr = File::create(&said).map_err(DemoError::Directory)?;
        let process = program
            .serve(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(|source| program.not_started(source))?;
        Ok(Self { process, said })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it did.
    fn ended(&mut self) -> Result<Option<ExitStatus>, DemoError> {
        self.process.try_wait().map_err(DemoError::Directory)
    }

    /// An error if it ended, with what it said last.
    pub(super) fn check(&mut self) -> Result<(), DemoError> {
        match self.ended()? {
            Some(status) => Err(DemoError::DaemonEnded {
                status: status.to_string(),
                said: self.last_words(),
            }),
            None => Ok(()),
        }
    }

    /// The last lines it wrote to standard error.
    pub(super) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.said).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// The last line it wrote to standard error.
    pub(super) fn last_line(&self) -> String {
        let words = self.last_words();
        words.lines().last().unwrap_or_default().to_owned()
    }

    /// SIGTERM, wait, and SIGKILL if it does not end.
    pub(super) fn stop(&mut self) -> Result<(), DemoError> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        // It may have ended just now; then there is nothing to signal.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let mut waited = Duration::ZERO;
        while waited < STOPS_WITHIN {
            if self.ended()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
        let said = self.last_words();
        let _ = self.process.kill();
        let _ = self.process.wait();
        Err(DemoError::NotStopped {
            within: STOPS_WITHIN,
            said,
        })
    }
}

impl Drop for Child {
    /// Errors and panics come this way: nothing is left behind then either.
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
