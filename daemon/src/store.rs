//! All SQL of the daemon, one file per aggregate; nothing outside this module speaks SQL.

pub mod activity;
pub mod alerts;
pub mod assignments;
pub mod audit;
mod copy;
pub mod decisions;
pub mod delays;
mod error;
pub mod events;
pub mod experiments;
pub mod fold;
pub mod front;
pub mod frozen;
pub mod guardrails;
pub mod guards;
pub mod holds;
pub mod hours;
pub mod installation;
pub mod landing;
pub mod lanes;
pub mod leases;
pub mod migrations;
pub mod mutations;
pub mod periods;
mod pool;
pub mod ramps;
pub mod replication;
pub mod results;
pub mod retention;
pub mod revisions;
pub mod rewards;
pub mod sizes;
pub mod slices;
mod sql;
pub mod state;
pub mod sweep;
mod transaction;
pub mod units;
pub mod verification;
pub mod versions;
pub mod weeks;
pub mod windows;

pub use error::StoreError;
pub use migrations::{MigrationError, migrate};
pub use pool::{PoolSize, Pooler, Session};
pub use transaction::{TransactionError, TxFuture};

use sqlx::PgPool;

/// The database. Cheap to clone; every clone shares one pool.
#[derive(Debug, Clone)]
pub struct Store {
    /// Connections, for looking at and for closing. Statements go through [`Store::run_tx`] or, where one stands
    /// for itself, [`Store::session`]: behind a pooler nothing else works.
    pub pool: PgPool,
    pooler: Pooler,
}
