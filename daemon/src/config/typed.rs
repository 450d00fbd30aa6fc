//! What the daemon runs with, in types.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use super::channel::Channel;
use crate::postgres::ClusterSettings;
use crate::store::{PoolSize, Pooler};

/// What the daemon runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where its state is.
    pub data_dir: PathBuf,
    /// Where the rolling logs go.
    pub log_dir: PathBuf,
    /// What the installation is called on screens.
    pub environment: String,
    /// Whether it is one where mistakes hurt.
    pub production: bool,
    /// The data port; on loopback.
    pub data_listen: SocketAddr,
    /// The data calls over tarpc; on loopback. `None`: not at all.
    pub data_rpc_listen: Option<SocketAddr>,
    /// The admin port; on loopback.
    pub admin_listen: SocketAddr,
    /// The control socket.
    pub control_socket: PathBuf,
    /// Which PostgreSQL.
    pub database: Database,
    /// What is on the way to it; nothing, where it is private.
    pub database_pooler: Pooler,
    /// How many connections to it.
    pub database_connections: PoolSize,
    /// A replica to read figures from.
    pub replica: Option<Secret<Box<PgConnectOptions>>>,
    /// How far it may be behind.
    pub replica_max_lag: Duration,
    /// The file with the unit secret; `None`: one in the data directory, made if needed.
    pub unit_secret_file: Option<PathBuf>,
    /// Memory for the cache of assignments, in bytes.
    pub sticky_cache_bytes: u64,
    /// Disk for what is acknowledged while the database is away, in bytes.
    pub spool_bytes: u64,
    /// For how long events are kept; `None`: for ever.
    pub event_retention: Option<Duration>,
    /// How long stopping may take, `drain_delay` included.
    pub drain_timeout: Duration,
    /// How long it goes on serving when it is to stop.
    pub drain_delay: Duration,
    /// What is logged.
    pub log: String,
    /// How stderr is written.
    pub log_format: LogFormat,
    /// How many daily files of each log are kept.
    pub log_files: usize,
    /// Whether to stop with the process that started this one.
    pub die_with_parent: bool,
    /// Where alerts go.
    pub alert_channels: Arc<[Channel]>,
}

impl Config {
    /// This, with the keys of `newer` that may change while the daemon runs; [`Key::is_live`] names the same
    /// but for the alert channels, which are no key.
    ///
    /// [`Key::is_live`]: super::Key::is_live
    #[must_use]
    pub fn with_live_keys_of(&self, newer: &Self) -> Self {
        Self {
            log: newer.log.clone(),
            drain_timeout: newer.drain_timeout,
            drain_delay: newer.drain_delay,
            alert_channels: Arc::clone(&newer.alert_channels),
            ..self.clone()
        }
    }
}

/// Which PostgreSQL.
#[derive(Debug, Clone)]
pub enum Database {
    /// A private cluster in the data directory.
    Private(ClusterSettings),
    /// One that is there.
    Url(Secret<Box<PgConnectOptions>>),
}

/// A value that must not be seen in logs.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides `value`.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// How stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON, unless stderr is a terminal.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Human,
}
