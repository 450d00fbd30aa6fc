//! The pool of connections: how many, how long each may take, when one is tested.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection, Executor, PgConnection};

use super::{Store, StoreError};

/// How many connections a daemon opens at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize(pub u32);

/// A caller that waits longer than this for a connection is told that the database is away; services hang
/// up after a second or two, and workers come back by themselves.
const WAIT_FOR_A_CONNECTION: Duration = Duration::from_secs(5);

/// A connection idle for longer is tested before use. Testing each time would add a round trip to every
/// statement; one that breaks in between is caught by the retry of `run_tx`.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Idle connections beyond need are closed after this.
const IDLE: Duration = Duration::from_mins(5);

/// Set on every connection. No statement of ours runs for 30 s; a transaction that idles for 60 s belongs to
/// a daemon that hangs, and holds locks that others wait for; a lock that takes 10 s is a deadlock in all
/// but name, and is tried again.
const SESSION: &str = "set statement_timeout = '30s'; set lock_timeout = '10s'; \
                       set idle_in_transaction_session_timeout = '60s'; set time zone 'UTC'";

impl Store {
    /// Opens a pool and proves it with one connection.
    pub async fn connect(options: PgConnectOptions, size: PoolSize) -> Result<Self, StoreError> {
        let pool = pool_of(size).connect_with(options).await?;
        Ok(Self { pool })
    }

    /// A pool of a database that is not known yet: whoever asks it is told at once that the database is away,
    /// until [`Store::connect_to`].
    pub fn of_no_database(size: PoolSize) -> Self {
        // No such socket: connecting fails at once and reaches nobody.
        let nowhere = PgConnectOptions::new_without_pgpass()
            .socket("/nonexistent")
            .ssl_mode(PgSslMode::Disable);
        Self {
            pool: pool_of(size).connect_lazy_with(nowhere),
        }
    }

    /// New connections go to this database.
    pub fn connect_to(&self, options: PgConnectOptions) {
        self.pool.set_connect_options(options);
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }
}

fn pool_of(size: PoolSize) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(size.0)
        .acquire_timeout(WAIT_FOR_A_CONNECTION)
        .idle_timeout(IDLE)
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move {
                if known.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| Box::pin(prepare_session(connection)))
}

async fn prepare_session(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(SESSION).await?;
    Ok(())
}
