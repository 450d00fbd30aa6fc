//! Commands that need the database for a moment, whether a daemon runs or not.

use super::AppError;
use super::data_dir::{DataDir, DataDirError};
use super::database::OpenDatabase;
use crate::config::Config;
use crate::store;

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
    let migrated = store::migrate(&borrowed.database.options).await;
    borrowed.database.stop().await;
    Ok(migrated?)
}
