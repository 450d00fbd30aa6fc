//! All SQL of the daemon, one file per aggregate; nothing outside this module speaks SQL.

mod error;
pub mod installation;
pub mod migrations;
mod pool;
mod transaction;

pub use error::StoreError;
pub use migrations::{MigrationError, migrate};
pub use pool::PoolSize;
pub use transaction::{TransactionError, TxFuture};

use sqlx::PgPool;

/// The database. Cheap to clone; every clone shares one pool.
#[derive(Debug, Clone)]
pub struct Store {
    /// Connections, for single statements. Several statements that belong together go through
    /// [`Store::run_tx`].
    pub pool: PgPool,
}
