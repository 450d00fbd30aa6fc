//! Why the daemon does not run, and the exit code that says so to scripts.

use std::path::PathBuf;

use super::data_dir::DataDirError;
use crate::config::ConfigError;
use crate::postgres::ClusterError;
use crate::rpc::SocketError;
use crate::store::{MigrationError, StoreError};
use crate::telemetry::LogError;
use crate::unit_secret::UnitSecretError;

/// A daemon or a command of it that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The logs.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The private PostgreSQL.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The schema.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The unit secret.
    #[error(transparent)]
    UnitSecret(#[from] UnitSecretError),
    /// The installation has a secret and its file is not here.
    #[error(
        "the unit secret {} is missing, and this database was made with one; copy it from the daemon or the backup that has it", .0.display()
    )]
    SecretMissing(PathBuf),
    /// The installation has another secret.
    #[error(
        "the unit secret in {} is not the one this database was made with: every unit would be a stranger; bring back the right file, or use another database", .0.display()
    )]
    SecretDiffers(PathBuf),
    /// A port or socket that is taken or forbidden.
    #[error("cannot listen on {on}")]
    Listen {
        /// Which address.
        on: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The control socket.
    #[error(transparent)]
    Control(#[from] SocketError),
    /// The metrics recorder.
    #[error("cannot serve metrics")]
    Metrics(#[source] metrics_exporter_prometheus::BuildError),
    /// A part of the running daemon ended although nobody told it to.
    #[error("the {0} ended unexpectedly; its last lines are in the log")]
    PartEnded(&'static str),
    /// The spool's thread or directory.
    #[error("cannot use the spool")]
    Spool(#[source] std::io::Error),
    /// What is kept for a start without the database.
    #[error("cannot use the data directory")]
    Saver(#[source] std::io::Error),
    /// A second signal while it drained.
    #[error(
        "told to stop a second time: ended without finishing what was under way; it is safe to start again"
    )]
    ToldAgain,
    /// The runtime or a signal handler.
    #[error("cannot set up the process")]
    Process(#[source] std::io::Error),
    /// A command that only looks, and nothing to look at.
    #[error(
        "there is no database in {}; name the daemon's directory with --data-dir, or its database with --database-url", .0.display()
    )]
    NoDatabase(PathBuf),
    /// No daemon answers.
    #[error("{0}")]
    NotRunning(String),
}

/// What a script is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed, and none of the others says how.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// It would do harm, or someone else is doing it.
    Refused = 3,
    /// The database or the daemon is not there.
    Unreachable = 4,
    /// What must hold does not.
    Breached = 5,
}

impl AppError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Usage,
            Self::DataDir(DataDirError::InUse { .. })
            | Self::Migration(
                MigrationError::Newer { .. }
                | MigrationError::Behind { .. }
                | MigrationError::Foreign { .. },
            )
            | Self::SecretMissing(_)
            | Self::SecretDiffers(_)
            | Self::Control(SocketError::InUse(_)) => Exit::Refused,
            Self::Cluster(ClusterError::NotFound { .. } | ClusterError::NoAnswer { .. })
            | Self::Store(StoreError::Away(_))
            | Self::Migration(MigrationError::Store(StoreError::Away(_)))
            | Self::NoDatabase(_)
            | Self::NotRunning(_) => Exit::Unreachable,
            Self::DataDir(DataDirError::Io { .. })
            | Self::Log(_)
            | Self::Cluster(_)
            | Self::Migration(_)
            | Self::Store(_)
            | Self::UnitSecret(_)
            | Self::Listen { .. }
            | Self::Control(SocketError::NotASocket(_) | SocketError::Io { .. })
            | Self::Metrics(_)
            | Self::PartEnded(_)
            | Self::Spool(_)
            | Self::Saver(_)
            | Self::ToldAgain
            | Self::Process(_) => Exit::Failed,
        }
    }
}
