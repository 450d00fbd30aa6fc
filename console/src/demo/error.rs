//! Why a demo could not be given.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong with the demo's own machinery.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Nothing to start.
    #[error(
        "there is no pitbossd beside pitboss and none in PATH: build it with `cargo build --release` or \
         install both programs in one directory"
    )]
    NoDaemon,
    /// It is there and cannot be started.
    #[error("cannot start {}", .program.display())]
    NotStarted {
        /// Which program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The temporary directory.
    #[error("the demo's temporary directory cannot be used")]
    Directory(#[source] io::Error),
    /// It ended although nobody told it to.
    #[error("pitbossd ended by itself ({status}); it said:\n{said}")]
    DaemonEnded {
        /// How.
        status: String,
        /// Its last lines.
        said: String,
    },
    /// It did not become ready.
    #[error("pitbossd was not ready within {within:?}; it said:\n{said}")]
    NotReady {
        /// How long it was waited for.
        within: Duration,
        /// Its last lines.
        said: String,
    },
    /// It did not stop and was killed.
    #[error("pitbossd did not stop within {within:?} and was killed; it said:\n{said}")]
    NotStopped {
        /// How long it was waited for.
        within: Duration,
        /// Its last lines.
        said: String,
    },
    /// `pitbossd verify` gave no answer.
    #[error("pitbossd verify gave no answer; it said:\n{said}")]
    Verify {
        /// What it said.
        said: String,
    },
    /// A signal.
    #[error("interrupted by {0}; everything the demo had started was stopped")]
    Interrupted(&'static str),
}
