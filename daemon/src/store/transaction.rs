//! `run_tx`: a transaction as a closure, tried again where that is safe.

use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use sqlx::PgConnection;

use super::leases::{self, Deposed, Lease};
use super::{Store, StoreError};
use crate::clock::Stopwatch;

/// First pause before another try; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Longest pause: PostgreSQL starts in 0.2 to 1 s, so a longer one would mostly sleep past its return.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// 15 s: recovery after kill -9 of the postmaster took up to 4.1 s (LIMITS 5), and callers who wait for
/// more than that have long hung up.
const KEEP_TRYING_FOR: Duration = Duration::from_secs(15);

/// An error that a transaction's closure can end with; it must be able to say whether the store failed.
pub trait TransactionError: From<StoreError> + Send {
    /// The store's failure, if that is what this is.
    fn store_error(&self) -> Option<&StoreError>;
}

impl TransactionError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// What a transaction's closure returns: `TxFuture::new(async move { .. })`.
///
/// The future lives as long as the borrowed connection (`'tx`) and may borrow from its surroundings
/// (`'env`, which outlives it). A boxed type says both at once; `AsyncFnMut` would be prettier, but
/// futures that await one cannot be spawned (rust-lang/rust issue 102211).
pub struct TxFuture<'env, 'tx, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'tx>>,
    outlived: PhantomData<&'tx &'env ()>,
}

impl<'tx, T> TxFuture<'_, 'tx, T> {
    /// Boxes `future`.
    pub fn new(future: impl Future<Output = T> + Send + 'tx) -> Self {
        Self {
            future: Box::pin(future),
            outlived: PhantomData,
        }
    }
}

impl Store {
    /// Runs `work` in one READ COMMITTED transaction: committed if it returns `Ok`, rolled back otherwise.
    ///
    /// It is run again from the start after a serialisation failure, a deadlock or a connection that
    /// breaks before commit, so it must not have effects outside the transaction. A connection that
    /// breaks during commit gives [`StoreError::CommitUnknown`]. `name` labels logs and metrics.
    pub async fn run_tx<'env, T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        T: Send,
        E: TransactionError,
        F: for<'tx> FnMut(&'tx mut PgConnection) -> TxFuture<'env, 'tx, Result<T, E>> + Send,
    {
        let done = self.run(name, work, Manner::REPORTED).await?;
        Ok(done.expect(NOBODY_LEADS))
    }

    /// Like [`Store::run_tx`], for the holder of `lease`: committed only if it still leads when all is written.
    pub async fn run_led_tx<'env, T, E, F>(
        &self,
        name: &'static str,
        lease: &Lease,
        work: F,
    ) -> Result<T, E>
    where
        T: Send,
        E: TransactionError + From<Deposed>,
        F: for<'tx> FnMut(&'tx mut PgConnection) -> TxFuture<'env, 'tx, Result<T, E>> + Send,
    {
        let manner = Manner {
            lease: Some(lease),
            ..Manner::REPORTED
        };
        Ok(self.run(name, work, manner).await??)
    }

    /// Like [`Store::run_tx`], and also run again when it is not known whether the commit happened:
    /// for work that has one effect however often it is done.
    pub async fn run_idempotent_tx<'env, T, E, F>(
        &self,
        name: &'static str,
        work: F,
    ) -> Result<T, E>
    where
        T: Send,
        E: TransactionError,
        F: for<'tx> FnMut(&'tx mut PgConnection) -> TxFuture<'env, 'tx, Result<T, E>> + Send,
    {
        let manner = Manner {
            after_unknown_commit: AfterUnknownCommit::TryAgain,
            ..Manner::REPORTED
        };
        let done = self.run(name, work, manner).await?;
        Ok(done.expect(NOBODY_LEADS))
    }

    async fn run<'env, T, E, F>(
        &self,
        name: &'static str,
        mut work: F,
        manner: Manner<'_>,
    ) -> Result<Result<T, Deposed>, E>
    where
        T: Send,
        E: TransactionError,
        F: for<'tx> FnMut(&'tx mut PgConnection) -> TxFuture<'env, 'tx, Result<T, E>> + Send,
    {
        let started = Stopwatch::start();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.run_once(&mut work, manner.lease).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let again = match error.store_error() {
                Some(StoreError::Away(_) | StoreError::Contended(_)) => true,
                Some(StoreError::CommitUnknown(_)) => {
                    manner.after_unknown_commit == AfterUnknownCommit::TryAgain
                }
                Some(StoreError::Failed(_) | StoreError::Unreadable { .. }) | None => false,
            };
            if !again || started.elapsed() + pause > KEEP_TRYING_FOR {
                return Err(error);
            }
            metrics::counter!("pitboss_db_transaction_retries", "name" => name).increment(1);
            tokio::time::sleep(rand::random_range(pause / 2..=pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn run_once<'env, T, E, F>(
        &self,
        work: &mut F,
        lease: Option<&Lease>,
    ) -> Result<Result<T, Deposed>, E>
    where
        T: Send,
        E: TransactionError,
        F: for<'tx> FnMut(&'tx mut PgConnection) -> TxFuture<'env, 'tx, Result<T, E>> + Send,
    {
        let mut transaction = match lease {
            Some(_) => self.begin_led().await?,
            None => self.begin().await?,
        };
        let value = work(&mut transaction).future.await?;
        if let Some(lease) = lease
            && let Err(deposed) = leases::confirm(&mut transaction, lease).await?
        {
            return Ok(Err(deposed));
        }
        match transaction.commit().await.map_err(StoreError::from) {
            Ok(()) => Ok(Ok(value)),
            Err(StoreError::Away(source)) => Err(StoreError::CommitUnknown(source).into()),
            Err(other) => Err(other.into()),
        }
    }
}

/// How a transaction is carried out.
#[derive(Clone, Copy)]
struct Manner<'a> {
    after_unknown_commit: AfterUnknownCommit,
    /// Who must lead for it to be committed.
    lease: Option<&'a Lease>,
}

impl Manner<'_> {
    const REPORTED: Self = Self {
        after_unknown_commit: AfterUnknownCommit::Report,
        lease: None,
    };
}

const NOBODY_LEADS: &str = "a transaction without a lease is not asked who leads";

#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterUnknownCommit {
    Report,
    TryAgain,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Detached work must be able to hold a transaction: this compiles only if the future is `Send`.
    #[allow(dead_code, reason = "checked by the compiler")]
    fn a_transaction_can_be_spawned(store: Store, key: String) {
        tokio::spawn(async move {
            let key = &key;
            store
                .run_tx("test", |tx| {
                    TxFuture::new(async move {
                        sqlx::query("select $1").bind(key).execute(&mut *tx).await?;
                        sqlx::query("select $1").bind(key).execute(tx).await?;
                        Ok::<_, StoreError>(())
                    })
                })
                .await
        });
    }
}
