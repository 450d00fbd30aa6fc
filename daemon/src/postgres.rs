//! The private PostgreSQL cluster: found, made, started, watched, adopted, stopped.
//!
//! It listens on a Unix socket only, admits its own account, the daemon's and root (by peer credentials),
//! and never gives up durability. As root it runs under an unprivileged account; in every case it gets a
//! parent-death signal, so that it ends with the daemon even after kill -9.

mod account;
mod answer;
mod binaries;
mod directory;
mod error;
mod install;
mod orders;
mod output;
mod postmaster;
mod site;
mod socket;
mod supervisor;
#[cfg(test)]
mod tests;

pub use binaries::Binaries;
pub use error::ClusterError;
pub use supervisor::ClusterState;

use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::sync::watch;

use supervisor::Supervisor;

/// The role and the database of the cluster.
const NAME: &str = "pitboss";

/// Where a cluster is and how its binaries are found.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// The daemon's data directory; the cluster is its `postgres` subdirectory.
    pub data_dir: PathBuf,
    /// The user's runtime directory, for a socket whose path would be too long in the data directory.
    pub runtime_dir: Option<PathBuf>,
    /// A directory of binaries to use and no other.
    pub binaries: Option<PathBuf>,
    /// The value of `PATH`.
    pub search_path: Option<std::ffi::OsString>,
    /// Whether a missing PostgreSQL may be installed from the distribution (root on a Debian-like system).
    pub may_install: bool,
}

/// A running private cluster, watched by a thread of its own that starts it again when it dies.
#[derive(Debug)]
pub struct Cluster {
    supervisor: Supervisor,
    state: watch::Receiver<ClusterState>,
    socket_dir: PathBuf,
}

impl Cluster {
    /// Finds PostgreSQL, makes the cluster if there is none, starts or adopts it and waits until it answers.
    /// The caller must hold the lock of the data directory.
    pub async fn start(settings: ClusterSettings) -> Result<Self, ClusterError> {
        let (supervisor, state, socket_dir) = supervisor::start(settings).await?;
        Ok(Self {
            supervisor,
            state,
            socket_dir,
        })
    }

    /// Where its socket is.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// How to connect to its database.
    pub fn connect_options(&self) -> PgConnectOptions {
        connect_options(&self.socket_dir)
    }

    /// What it is doing, now and as it changes.
    pub fn state(&self) -> watch::Receiver<ClusterState> {
        self.state.clone()
    }

    /// Shuts it down cleanly (fast mode: open transactions are rolled back) and waits for the end.
    pub async fn stop(self) {
        self.supervisor.stop().await;
    }
}

/// Whether there is a cluster in this data directory, running or not.
pub fn exists(data_dir: &Path) -> bool {
    directory::cluster_dir(data_dir).is_dir()
}

/// How to connect to the cluster in this data directory, running or not.
pub fn connect_options_of(settings: &ClusterSettings) -> PgConnectOptions {
    let data_dir = settings.data_dir.canonicalize();
    let data_dir = data_dir.as_ref().unwrap_or(&settings.data_dir);
    connect_options(&socket::choose(data_dir, settings.runtime_dir.as_deref()))
}

/// The binaries that would be used, without using or installing any.
pub fn look(settings: &ClusterSettings) -> Result<Binaries, ClusterError> {
    let cluster = directory::cluster_dir(&settings.data_dir);
    Ok(site::look_for_binaries(settings, &cluster)?)
}

fn connect_options(socket_dir: &std::path::Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(socket::PORT)
        .username(NAME)
        .database(NAME)
        .ssl_mode(PgSslMode::Disable)
        .application_name("pitbossd")
}
