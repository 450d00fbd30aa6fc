//! How far a copy of the database is: the newest sign of life that it has.

use chrono::{DateTime, Utc};

use super::{Store, StoreError, sql};

/// The newest sign of life in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// Tells installations apart; `None` before the first daemon has started.
    pub installation: Option<Vec<u8>>,
    /// When a lease was renewed last, by the primary's clock; `None` before the first.
    pub at: Option<DateTime<Utc>>,
}

impl Store {
    /// The pulse as this database has it.
    pub async fn pulse(&self) -> Result<Pulse, StoreError> {
        let mut session = self.session().await?;
        let (installation, at) = sql::query_as(
            "select unit_secret_fingerprint, (select max(renewed_at) from leases) from installation",
        )
        .fetch_one(&mut *session)
        .await?;
        Ok(Pulse { installation, at })
    }
}
