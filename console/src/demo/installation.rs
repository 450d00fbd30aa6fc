//! A private installation: a temporary directory and the daemon in it, both gone when this is dropped.

mod child;
mod program;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::time::Instant;

use super::DemoError;
use child::Child;
pub(super) use program::{Program, Verified};

/// Two seconds for initdb on a quick machine; installing PostgreSQL from a distribution's mirror first may take
/// minutes.
const READY_WITHIN: Duration = Duration::from_mins(5);

/// How often the daemon's addresses are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// After so long a person wonders: say what the daemon is doing.
const NEWS_EVERY: Duration = Duration::from_secs(5);

/// Where the daemon listens; it writes them once it is ready.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Addresses {
    /// The data port, such as `127.0.0.1:41234`.
    pub data: String,
    /// The daemon's process, to tell these addresses from older ones.
    pid: u32,
}

/// The daemon first, then its directory: the order in which they are dropped.
#[derive(Debug)]
pub(super) struct Installation {
    daemon: Child,
    program: Program,
    addresses: Addresses,
    directory: TempDir,
}

impl Installation {
    /// Start `program` in a new directory and wait until it is ready. `news` is told what takes long.
    ///
    /// Must be called on a thread that lives as long as the demo: the daemon is told to end with it.
    pub(super) async fn start(
        program: Program,
        mut news: impl FnMut(&str),
    ) -> Result<Self, DemoError> {
        let directory = tempfile::Builder::new()
            .prefix("pitboss-demo-")
            .tempdir()
            .map_err(DemoError::Directory)?;
        std::fs::write(configuration_in(directory.path()), "").map_err(DemoError::Directory)?;
        let mut daemon = Child::start(&program, directory.path())?;
        let addresses = wait_ready(&mut daemon, directory.path(), &mut news).await?;
        Ok(Self {
            daemon,
            program,
            addresses,
            directory,
        })
    }

    /// Whether the daemon still runs; if not, how it ended and what it said.
    pub(super) fn check(&mut self) -> Result<(), DemoError> {
        self.daemon.check()
    }

    /// Where the daemon listens.
    pub(super) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The control socket.
    pub(super) fn socket(&self) -> PathBuf {
        socket_in(self.directory.path())
    }

    /// What `pitbossd verify --json` says about the ledgers, while the daemon runs.
    pub(super) async fn verify(&self) -> Result<Verified, DemoError> {
        self.program.verify(self.directory.path()).await
    }

    /// Stop the daemon cleanly and remove the directory; say so if either is not possible.
    pub(super) fn close(self) -> Result<(), DemoError> {
        let Self {
            mut daemon,
            directory,
            ..
        } = self;
        let stopped = daemon.stop();
        drop(daemon);
        directory.close().map_err(DemoError::Directory)?;
        stopped
    }
}

/// A configuration that says nothing: the user's own one must not be read.
fn configuration_in(directory: &Path) -> PathBuf {
    directory.join("pitbossd.toml")
}

fn socket_in(directory: &Path) -> PathBuf {
    directory.join(protocol::transport::SOCKET_NAME)
}

async fn wait_ready(
    daemon: &mut Child,
    directory: &Path,
    news: &mut impl FnMut(&str),
) -> Result<Addresses, DemoError> {
    let deadline = Instant::now() + READY_WITHIN;
    let mut next_news = Instant::now() + NEWS_EVERY;
    loop {
        if let Some(addresses) = read_addresses(directory).filter(|a| a.pid == daemon.pid()) {
            return Ok(addresses);
        }
        daemon.check()?;
        let now = Instant::now();
        if now > deadline {
            return Err(DemoError::NotReady {
                within: READY_WITHIN,
                said: daemon.last_words(),
            });
        }
        if now > next_news {
            next_news = now + NEWS_EVERY;
            news(&match daemon.last_line().as_str() {
                "" => String::new(),
                line => format!("; pitbossd says: {line}"),
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// `None` until the daemon has written them.
fn read_addresses(directory: &Path) -> Option<Addresses> {
    let text = std::fs::read_to_string(directory.join("addresses.json")).ok()?;
    serde_json::from_str(&text).ok()
}
