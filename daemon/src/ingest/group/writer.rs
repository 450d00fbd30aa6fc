//! One writer of a group: takes what has gathered, writes it, answers everyone.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use super::{Batch, Flush, Incoming, NotDone, Queued};
use crate::breaker::Breaker;
use crate::store::{Store, StoreError};

/// 5 s: a statement of 2,000 rows takes 30 ms; a connection that is silent for longer is dead.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Tries of one batch: the second takes a new connection (the first may have died with a restarted server),
/// the third is for a batch that met a deadlock with another daemon on its second.
const TRIES: u32 = 3;

pub(super) struct Writer<F: Flush> {
    flush: Arc<F>,
    store: Store,
    /// Kept between batches: the data path must not wait behind others for a connection of the pool.
    connection: Option<PoolConnection<Postgres>>,
    batch_rows: usize,
    breaker: Breaker,
}

impl<F: Flush> Writer<F> {
    pub(super) fn new(flush: Arc<F>, store: Store, batch_rows: usize, breaker: Breaker) -> Self {
        Self {
            flush,
            store,
            connection: None,
            batch_rows,
            breaker,
        }
    }

    /// Writes until every sender is gone and the queue is empty.
    pub(super) async fn run(mut self, mut incoming: Incoming<F>) {
        let sizes = metrics::histogram!("pitboss_group_commit_rows", "group" => F::NAME);
        while let Some(Batch { queued, rows }) = incoming.batch(self.batch_rows).await {
            sizes.record(rows as f64);
            self.settle(queued).await;
            incoming.answered(rows);
        }
    }

    async fn settle(&mut self, batch: Vec<Queued<F>>) {
        let (items, callers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|queued| (queued.item, queued.answer))
            .unzip();
        let results = self.write_all(&items).await;
        for (caller, result) in callers.into_iter().zip(results) {
            // A caller that has hung up does not need to know.
            let _ = caller.send(result);
        }
    }

    /// Writes `items`. If the database refuses them as such, each half on its own, so that one caller's
    /// poison fails nobody else.
    async fn write_all(&mut self, items: &[F::Item]) -> Vec<Result<F::Answer, NotDone>> {
        let mut results = Vec::with_capacity(items.len());
        let mut parts = vec![items];
        while let Some(part) = parts.pop() {
            match self.write(part).await {
                Ok(answers) => results.extend(answers.into_iter().map(Ok)),
                Err(StoreError::Failed(_)) if part.len() > 1 => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                }
                Err(error) => {
                    if matches!(error, StoreError::Away(_)) {
                        self.breaker.open();
                    }
                    report::<F>(part.len(), &error);
                    results.extend(part.iter().map(|_| Err(NotDone::Away)));
                }
            }
        }
        results
    }

    async fn write(&mut self, items: &[F::Item]) -> Result<Vec<F::Answer>, StoreError> {
        for _ in 1..TRIES {
            match self.try_write(items).await {
                Err(error @ StoreError::Away(_)) => {
                    self.connection = None;
                    // Its callers have gone elsewhere by now.
                    if self.breaker.is_open() {
                        return Err(error);
                    }
                }
                Err(StoreError::Contended(_)) => {}
                done_or_hopeless => return done_or_hopeless,
            }
        }
        self.try_write(items).await
    }

    async fn try_write(&mut self, items: &[F::Item]) -> Result<Vec<F::Answer>, StoreError> {
        // Taken out for the time of the statement: one that is cut off half-way must not be used again.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.store.connection().await?,
        };
        let flushed = self.flush_on(&mut connection, items);
        if let Ok(result) = tokio::time::timeout(FLUSH_LIMIT, flushed).await {
            self.connection = Some(connection);
            let answers = result?;
            self.flush.written(items, &answers);
            return Ok(answers);
        }
        drop(connection.detach());
        Err(StoreError::Away(sqlx::Error::PoolTimedOut))
    }

    async fn flush_on(
        &self,
        connection: &mut PgConnection,
        items: &[F::Item],
    ) -> Result<Vec<F::Answer>, StoreError> {
        if !self.store.is_pooled() {
            return self.flush.flush(connection, items).await;
        }
        let mut transaction = self.store.begin_on(connection).await?;
        let answers = self.flush.flush(&mut transaction, items).await?;
        transaction.commit().await?;
        Ok(answers)
    }
}

fn report<F: Flush>(items: usize, error: &StoreError) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(group = F::NAME, items, %error, source, "batch not written");
}
