//! The one row that says which installation this is.

use bandit::experiment::Revision;

use super::{Store, StoreError, sql};

/// What the database and the daemon's unit secret say about each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretCheck {
    /// It is the secret of this installation, or has become it.
    Ours,
    /// The installation was made with another: every sticky unit would become a stranger.
    Another,
}

impl Store {
    /// Counts applied mutations.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        let mut session = self.session().await?;
        let revision: i64 = sql::query_scalar("select revision from installation")
            .fetch_one(&mut *session)
            .await?;
        Ok(Revision(revision.cast_unsigned()))
    }

    /// Whether the installation has a unit secret already.
    pub async fn has_unit_secret(&self) -> Result<bool, StoreError> {
        let mut session = self.session().await?;
        let known =
            sql::query_scalar("select unit_secret_fingerprint is not null from installation")
                .fetch_one(&mut *session)
                .await?;
        Ok(known)
    }

    /// Records `fingerprint` if there is none yet, and compares. Daemons that start together on an empty
    /// database with different secrets: the row lock lets one win, the others are told.
    pub async fn check_unit_secret(&self, fingerprint: &[u8]) -> Result<SecretCheck, StoreError> {
        let mut session = self.session().await?;
        let stored: Vec<u8> = sql::query_scalar(
            "update installation \
             set unit_secret_fingerprint = coalesce(unit_secret_fingerprint, $1) \
             returning unit_secret_fingerprint",
        )
        .bind(fingerprint)
        .fetch_one(&mut *session)
        .await?;
        session.keep().await?;
        if stored == fingerprint {
            return Ok(SecretCheck::Ours);
        }
        Ok(SecretCheck::Another)
    }
}
