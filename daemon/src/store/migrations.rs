//! Bringing the schema to the version of this build, and refusing one that is ahead of it.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::StoreError;

/// The migrations of this build, embedded.
static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// A schema that this build cannot use.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// Another, newer pitbossd has been here.
    #[error(
        "the database's schema is version {found}, and this pitbossd knows versions up to {known}; start a newer pitbossd"
    )]
    Newer {
        /// The schema's version.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// An older one, where nothing may be changed.
    #[error(
        "the database's schema is version {found}, and this pitbossd needs {known}; bring it up to date with:  pitbossd migrate"
    )]
    Behind {
        /// The schema's version.
        found: i64,
        /// The one that is needed.
        known: i64,
    },
    /// A migration that was applied is not the one of this build.
    #[error(
        "migration {version} was applied from another source than this build's; the database belongs to a different pitbossd"
    )]
    Foreign {
        /// Which.
        version: i64,
    },
    /// A migration failed; it was rolled back.
    #[error("migration {version} failed")]
    Failed {
        /// Which.
        version: i64,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else the migrator says.
    #[error("the schema cannot be brought up to date")]
    Other(#[source] MigrateError),
}

/// The newest schema version this build knows.
pub fn newest() -> i64 {
    MIGRATOR.iter().map(|it| it.version).max().unwrap_or(0)
}

/// What identifies the schema of this build: changes with any migration.
pub fn fingerprint() -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for migration in MIGRATOR.iter() {
        hasher.update(&migration.checksum);
    }
    hasher.finalize()
}

/// Applies what is missing, under a lock: of several daemons that start together one does it and the others
/// find it done. Returns the schema's version.
///
/// The lock belongs to the session, so this takes a connection of its own, without the pool's time-outs,
/// and not through a pooler in transaction mode.
pub async fn migrate(options: &PgConnectOptions) -> Result<i64, MigrationError> {
    let mut connection = PgConnection::connect_with(options)
        .await
        .map_err(StoreError::from)?;
    MIGRATOR
        .run_direct(None, &mut connection, false)
        .await
        .map_err(explain)?;
    connection.close().await.map_err(StoreError::from)?;
    Ok(newest())
}

/// The newest migration that has been applied; 0 for an empty database.
pub async fn applied(options: &PgConnectOptions) -> Result<i64, StoreError> {
    let mut connection = PgConnection::connect_with(options).await?;
    let known: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut connection)
        .await?;
    if !known {
        return Ok(0);
    }
    let version = sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations")
        .fetch_one(&mut connection)
        .await?;
    Ok(version)
}

fn explain(error: MigrateError) -> MigrationError {
    match error {
        MigrateError::VersionMissing(found) if found > newest() => MigrationError::Newer {
            found,
            known: newest(),
        },
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            MigrationError::Foreign { version }
        }
        MigrateError::ExecuteMigration(source, version) => {
            MigrationError::Failed { version, source }
        }
        MigrateError::Execute(source) => MigrationError::Store(source.into()),
        other => MigrationError::Other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_from_the_future_asks_for_a_newer_build() {
        let text = explain(MigrateError::VersionMissing(newest() + 1)).to_string();
        assert!(text.contains("start a newer pitbossd"), "{text}");
        let text = explain(MigrateError::VersionMissing(0)).to_string();
        assert!(text.contains("different pitbossd"), "{text}");
    }
}
