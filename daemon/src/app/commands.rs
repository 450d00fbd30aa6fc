//! Commands that need the database for a moment, whether a daemon runs or not.

use super::AppError;
use super::data_dir::{DataDir, DataDirError};
use super::database::OpenDatabase;
use crate::config::{Config, Database};
use crate::postgres;
use crate::store::{self, MigrationError, migrations};
use crate::verify::{self, Report, Watch};

/// The database, and the lock of the data directory where it was free.
struct Borrowed {
    database: OpenDatabase,
    _data_dir: Option<DataDir>,
}

/// The running daemon's database where there is a running daemon, else one of our own.
async fn borrow(config: &Config) -> Result<Borrowed, AppError> {
    match DataDir::open(&config.data_dir) {
        Ok(data_dir) => Ok(Borrowed {
            database: OpenDatabase::start(config).await?,
            _data_dir: Some(data_dir),
        }),
        Err(DataDirError::InUse { .. }) => Ok(Borrowed {
            database: OpenDatabase::of_running_daemon(config),
            _data_dir: None,
        }),
        Err(error) => Err(error.into()),
    }
}

/// Applies missing migrations; the schema's version.
pub async fn migrate(config: &Config) -> Result<i64, AppError> {
    let borrowed = borrow(config).await?;
    let migrated = store::migrate(&borrowed.database.options, borrowed.database.pooler).await;
    borrowed.database.stop().await;
    Ok(migrated?)
}

/// Computes everything again that is derived from the ledgers. Changes nothing, so it asks for a schema of
/// this build instead of making one.
pub async fn verify(config: &Config, watch: Watch<'_>) -> Result<Report, AppError> {
    let private = matches!(config.database, Database::Private(_));
    if private && !postgres::exists(&config.data_dir) {
        return Err(AppError::NoDatabase(config.data_dir.clone()));
    }
    let borrowed = borrow(config).await?;
    let report = verify_in(&borrowed.database, config, watch).await;
    borrowed.database.stop().await;
    report
}

async fn verify_in(
    database: &OpenDatabase,
    config: &Config,
    watch: Watch<'_>,
) -> Result<Report, AppError> {
    let (found, known) = (
        migrations::applied(&database.options, database.pooler).await?,
        migrations::newest(),
    );
    if found < known {
        return Err(MigrationError::Behind { found, known }.into());
    }
    if found > known {
        return Err(MigrationError::Newer { found, known }.into());
    }
    let store = database.connect(config).await?;
    let report = verify::verify(&store, watch).await;
    store.pool.close().await;
    Ok(report?)
}
