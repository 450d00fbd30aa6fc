//! What can go wrong with the database, by what the caller can do about it.

use protocol::refusal::Retry;

/// A failure of the store. The driver's own error is the source, never repeated in the text.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// PostgreSQL cannot be reached, is starting, stopping, or full.
    #[error("the database is away")]
    Away(#[source] sqlx::Error),
    /// Another transaction was in the way, more often than we tried again.
    #[error("another transaction was in the way")]
    Contended(#[source] sqlx::Error),
    /// The connection broke while the transaction committed: it may or may not have happened.
    #[error("the connection broke during commit; whether it happened is not known")]
    CommitUnknown(#[source] sqlx::Error),
    /// A statement failed for a reason that trying again does not change.
    #[error("the database refused a statement")]
    Failed(#[source] sqlx::Error),
    /// A stored row does not mean anything to this build.
    #[error("stored {what} cannot be read")]
    Unreadable {
        /// Which row or column, with its key.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// `SQLSTATE`s after which the same transaction, tried again, may well succeed.
const CONTENTION: [&str; 3] = [
    "40001", // serialization_failure
    "40P01", // deadlock_detected
    "55P03", // lock_not_available: our own lock_timeout
];

/// `SQLSTATE`s that mean the server, not the statement: class 08 and the ones below.
const AWAY: [&str; 6] = [
    "57P01", // admin_shutdown
    "57P02", // crash_shutdown: a backend was killed, all sessions are reset
    "57P03", // cannot_connect_now: starting up or shutting down
    "57P05", // idle_session_timeout
    "53300", // too_many_connections
    "25006", // read_only_sql_transaction: a standby, until it is promoted
];

impl StoreError {
    /// A stored value that does not parse: `what` names row and column.
    pub fn unreadable(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreadable {
            what: what.into(),
            source: source.into(),
        }
    }

    /// The name of the constraint that refused the statement, if one did.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Failed(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Away(_) | Self::Contended(_) | Self::CommitUnknown(_) => Retry::Later,
            Self::Failed(_) | Self::Unreadable { .. } => Retry::Never,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refused) => match refused.code().as_deref() {
                Some(code) if CONTENTION.contains(&code) => Self::Contended(error),
                Some(code) if AWAY.contains(&code) || code.starts_with("08") => Self::Away(error),
                _ => Self::Failed(error),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Away(error),
            _ => Self::Failed(error),
        }
    }
}
