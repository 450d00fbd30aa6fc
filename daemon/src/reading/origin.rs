//! Where the figures of one answer come from: a replica that keeps up, or the primary.

use chrono::{DateTime, Utc};
use protocol::source::Source;

use super::{Reading, ReadingError};
use crate::replica::{self, Replica};
use crate::store::Store;

/// The database that one answer is read from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) store: Store,
    /// The label; `None` where no replica is configured.
    pub(super) source: Option<Source>,
    /// What was committed after this may be missing; `None` of the primary.
    complete_until: Option<DateTime<Utc>>,
}

impl Origin {
    /// `as_of` as the database tells it, or what is older: how far the database is.
    pub(super) fn as_of(&self, as_of: DateTime<Utc>) -> DateTime<Utc> {
        self.complete_until.map_or(as_of, |until| until.min(as_of))
    }
}

impl Reading {
    /// The replica if it may be read from, else the primary, unless that is known to be away.
    pub(super) fn origin(&self) -> Result<Origin, ReadingError> {
        match self.replica.as_ref().map(Replica::readable) {
            None => self.primary(None),
            Some(Err(instead)) => self.primary(Some(instead)),
            Some(Ok(readable)) => Ok(Origin {
                store: readable.store,
                source: Some(readable.source),
                complete_until: Some(readable.as_of),
            }),
        }
    }

    /// The primary, if what was `read` from `origin` failed because that is a replica.
    pub(super) fn instead<T>(
        &self,
        origin: &Origin,
        read: &Result<T, ReadingError>,
    ) -> Option<Result<Origin, ReadingError>> {
        let source = origin.source.as_ref()?;
        let Err(ReadingError::Store(error)) = read else {
            return None;
        };
        origin.complete_until?;
        let note = format!("the replica failed: {error}");
        Some(self.primary(Some(replica::primary(source.replica_lag_seconds, note))))
    }

    fn primary(&self, source: Option<Source>) -> Result<Origin, ReadingError> {
        self.present()?;
        Ok(Origin {
            store: self.store.clone(),
            source,
            complete_until: None,
        })
    }
}
