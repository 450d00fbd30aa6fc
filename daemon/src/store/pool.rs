//! The pool of connections: how many, how long each may take, when one is tested, and what is between us and
//! the server.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection, Executor, PgConnection, Postgres, Transaction};

use super::{Store, StoreError, sql};

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

/// The same for one transaction, where the session is somebody else's as soon as it ends.
const BEGIN: &str = "begin; set local statement_timeout = '30s'; set local lock_timeout = '10s'; \
                     set local idle_in_transaction_session_timeout = '60s'; set local time zone 'UTC'";

/// For a led transaction: one that idles for 10 s belongs to a leader that was stopped in the middle of it, and
/// the next leader, who is there by then, needs the rows that it holds.
const BEGIN_LED: &str = "begin; set local idle_in_transaction_session_timeout = '10s'";

/// What is between the daemon and its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooler {
    /// Nothing, or something that keeps a session for as long as a connection.
    #[default]
    None,
    /// A pooler that gives every transaction another session, such as `PgBouncer` with
    /// `pool_mode = transaction`.
    Transaction,
}

/// A connection for statements that need no transaction of their own. Behind a pooler it is inside one all the
/// same, which ends with this: what was written is gone unless [`Session::keep`] is called.
#[derive(Debug)]
pub struct Session(Held);

#[derive(Debug)]
enum Held {
    Plain(PoolConnection<Postgres>),
    InTransaction(Transaction<'static, Postgres>),
}

impl Session {
    /// Keeps what was written.
    pub async fn keep(self) -> Result<(), StoreError> {
        match self.0 {
            Held::Plain(_) => Ok(()),
            Held::InTransaction(transaction) => Ok(transaction.commit().await?),
        }
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.0 {
            Held::Plain(connection) => connection,
            Held::InTransaction(transaction) => transaction,
        }
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.0 {
            Held::Plain(connection) => connection,
            Held::InTransaction(transaction) => transaction,
        }
    }
}

impl Store {
    /// Opens a pool straight to the server and proves it with one connection.
    pub async fn connect(options: PgConnectOptions, size: PoolSize) -> Result<Self, StoreError> {
        Self::connect_through(Pooler::None, options, size).await
    }

    /// Opens a pool and proves it with one connection.
    pub async fn connect_through(
        pooler: Pooler,
        options: PgConnectOptions,
        size: PoolSize,
    ) -> Result<Self, StoreError> {
        let pool = pool_options(pooler, size).connect_with(pooler.options(options));
        Ok(Self {
            pool: pool.await?,
            pooler,
        })
    }

    /// A pool that is opened when it is used first, for a database that may be away.
    pub fn connect_lazily(pooler: Pooler, options: PgConnectOptions, size: PoolSize) -> Self {
        let pool = pool_options(pooler, size).connect_lazy_with(pooler.options(options));
        Self { pool, pooler }
    }

    /// A connection for statements that need no transaction of their own.
    pub async fn session(&self) -> Result<Session, StoreError> {
        Ok(Session(match self.pooler {
            Pooler::None => Held::Plain(self.pool.acquire().await?),
            Pooler::Transaction => Held::InTransaction(self.begin().await?),
        }))
    }

    /// Begins a transaction; it is rolled back unless it is committed.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.begin_whole(match self.pooler {
            Pooler::None => "begin",
            Pooler::Transaction => BEGIN,
        })
        .await
    }

    /// Begins a transaction of a leader.
    pub(super) async fn begin_led(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        match self.pooler {
            Pooler::None => self.begin_whole(BEGIN_LED).await,
            Pooler::Transaction => {
                let mut transaction = self.begin().await?;
                transaction
                    .execute("set local idle_in_transaction_session_timeout = '10s'")
                    .await?;
                Ok(transaction)
            }
        }
    }

    /// Begins a transaction in a task of its own, so that it begins to the end though the caller is gone by then.
    ///
    /// A `begin` that is cut off after it was sent leaves its session in a transaction that nobody knows of: sqlx counts it
    /// when the answer is there. Whoever got that connection next would write into it, be told that it is written, and lose
    /// it all when the transaction has idled for too long.
    async fn begin_whole(
        &self,
        statement: &'static str,
    ) -> Result<Transaction<'static, Postgres>, StoreError> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(statement).await });
        // It fails to join only when it panics or the runtime ends under it.
        Ok(begun
            .await
            .map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))??)
    }

    /// Whether each statement needs a transaction to stay with its session.
    pub fn is_pooled(&self) -> bool {
        self.pooler == Pooler::Transaction
    }

    /// A connection to keep. Statements on it go through [`Store::begin_on`] if [`Store::is_pooled`].
    pub async fn connection(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    /// Begins a transaction on a connection that is kept.
    pub async fn begin_on<'c>(
        &self,
        connection: &'c mut PgConnection,
    ) -> Result<Transaction<'c, Postgres>, StoreError> {
        Ok(match self.pooler {
            Pooler::None => connection.begin().await?,
            Pooler::Transaction => connection.begin_with(BEGIN).await?,
        })
    }

    /// A pool of a database that is not known yet: whoever asks it is told at once that the database is away,
    /// until [`Store::connect_to`].
    pub fn of_no_database(pooler: Pooler, size: PoolSize) -> Self {
        // No such socket: connecting fails at once and reaches nobody.
        let nowhere = PgConnectOptions::new_without_pgpass()
            .socket("/nonexistent")
            .ssl_mode(PgSslMode::Disable);
        Self::connect_lazily(pooler, nowhere, size)
    }

    /// New connections go to this database.
    pub fn connect_to(&self, options: PgConnectOptions) {
        self.pool.set_connect_options(self.pooler.options(options));
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        sql::query("select 1").execute(&mut *session).await?;
        Ok(())
    }
}

impl Pooler {
    /// Before the first statement.
    pub(super) fn prepare(self) {
        if self == Self::Transaction {
            sql::name_nothing();
        }
    }

    /// A pooler that has not heard of a start-up parameter refuses the connection. The one that is left out is
    /// about numbers as text, and ours travel in binary.
    pub(crate) fn options(self, options: PgConnectOptions) -> PgConnectOptions {
        match self {
            Self::None => options,
            Self::Transaction => options.extra_float_digits(None),
        }
    }
}

async fn prepare_session(pooler: Pooler, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if pooler == Pooler::None {
        connection.execute(SESSION).await?;
    }
    Ok(())
}

fn pool_options(pooler: Pooler, size: PoolSize) -> PgPoolOptions {
    pooler.prepare();
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
        .after_connect(move |connection, _| Box::pin(prepare_session(pooler, connection)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn a_transaction_whose_beginning_is_cut_off_swallows_no_write_of_others() {
        let database = testing::database().await;
        let options = database.cluster().connect_options();
        let store = Store::connect(options, PoolSize(1)).await.unwrap();
        for written in 1..=20 {
            // Polled until it waits for the database, then dropped.
            let mut beginning = Box::pin(store.begin());
            while futures::poll!(&mut beginning).is_ready() {
                beginning = Box::pin(store.begin());
            }
            drop(beginning);

            let mut session = store.session().await.unwrap();
            sql::query("insert into experiment_event_repeats values ($1, 0, 0)")
                .bind(written)
                .execute(&mut *session)
                .await
                .unwrap();
            let others_see: i64 =
                sqlx::query_scalar("select count(*) from experiment_event_repeats")
                    .fetch_one(&database.store.pool)
                    .await
                    .unwrap();
            assert_eq!(others_see, i64::from(written));
        }
    }
}
