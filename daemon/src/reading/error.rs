//! Why something could not be read.

use chrono::{DateTime, Utc};
use protocol::refusal::{Code, Refusal, Retry};

use crate::store::StoreError;

/// A failure to read.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// There is no such experiment.
    #[error("there is no experiment `{0}`")]
    NotFound(String),
    /// The question is wrong: ask another.
    #[error("{0}")]
    Invalid(String),
    /// There is nothing to answer from yet.
    #[error("{0}")]
    TooEarly(String),
    /// The database is known to be away, and the answer is in it.
    #[error(
        "the database is away (since {} UTC), and this is read from it; ls, show, health and rollback work without it",
        .0.format("%Y-%m-%d %H:%M:%S")
    )]
    Away(DateTime<Utc>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored does not fit together.
    #[error("cannot explain {what}: {why}")]
    Inconsistent {
        /// Which unit or version.
        what: String,
        /// In words.
        why: String,
    },
}

impl From<sqlx::Error> for ReadingError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl ReadingError {
    /// Whether the database did not answer.
    pub(super) fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Store(StoreError::Away(_)))
    }

    /// What the caller can do about it.
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => Code::NotFound,
            Self::Invalid(_) => Code::Invalid,
            Self::TooEarly(_) => Code::IllegalState,
            Self::Away(_) => Code::Unavailable,
            Self::Store(error) if error.retry() == Retry::Later => Code::Unavailable,
            Self::Store(_) | Self::Inconsistent { .. } => Code::Internal,
        }
    }
}

impl From<ReadingError> for Refusal {
    fn from(error: ReadingError) -> Self {
        let code = error.code();
        if code == Code::Internal {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "cannot read");
        }
        Self::new(code, error.to_string())
    }
}
