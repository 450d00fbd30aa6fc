//! The way back: what was spooled is written to the database, oldest first, when it answers again.
//!
//! A segment is removed only after all of its records are committed. A crash in between replays it again:
//! an event's id, and the first record of a unit, make the second time harmless.

mod chunk;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::item::{self, Item};
use super::keeper::Spool;
use super::log::Batch;
use crate::breaker::Breaker;
use crate::clock::Stopwatch;
use crate::ingest::Outage;
use crate::sticky::Sticky;
use crate::store::{Store, StoreError};

/// Records of one statement: as many as the data path writes at once (LIMITS section 2).
const CHUNK: usize = 1_000;

/// 20,000 records a second: an eighth of what one writer alone can do, so that live traffic keeps the rest,
/// and 1 GiB of spool is written within minutes.
const PER_SECOND: f64 = 20_000.0;

/// 5 s: a chunk takes 10 to 30 ms; a connection that is silent for longer is dead.
const CHUNK_WITHIN: Duration = Duration::from_secs(5);

/// After something failed that is not the database being away.
const PAUSE: Duration = Duration::from_secs(1);

/// Replays. Run it with [`Replay::run`], once.
pub struct Replay {
    spool: Spool,
    breaker: Breaker,
    store: Store,
    sticky: Arc<Sticky>,
    per_second: f64,
}

impl Replay {
    /// Writes what is spooled to `store` while the breaker is closed. `sticky` learns what the database
    /// says of units that were answered from a frozen allocation.
    pub fn new(outage: &Outage, store: Store, sticky: Arc<Sticky>) -> Self {
        let Outage { breaker, spool } = outage.clone();
        Self {
            spool,
            breaker,
            store,
            sticky,
            per_second: PER_SECOND,
        }
    }

    /// Replays until `stop`. A segment that is half-way then is begun again by the next run.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.replay()).await;
    }

    async fn replay(&self) {
        let mut usage = self.spool.usage();
        loop {
            // An error means that the spool's thread has ended: nothing comes any more.
            if usage.wait_for(|usage| usage.records > 0).await.is_err() {
                std::future::pending::<()>().await;
            }
            self.breaker.is_closed().await;
            let Some(batch) = self.spool.oldest().await else {
                // What was counted cannot be read: it has been left out by now.
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            self.segment(batch).await;
        }
    }

    /// Writes one segment, however long that takes, and removes it.
    async fn segment(&self, batch: Batch) {
        let started = Stopwatch::start();
        let Batch { segment, payloads } = batch;
        let records = payloads.len();
        let mut items = Vec::with_capacity(records);
        for (nth, payload) in payloads.into_iter().enumerate() {
            match item::decode(&payload) {
                Ok(item) => items.push((nth, payload, item)),
                Err(error) => {
                    tracing::error!(segment, nth, %error, "record of the spool put aside");
                    self.spool.put_aside(&segment, nth, payload);
                }
            }
        }
        for chunk in items.chunks(CHUNK) {
            self.chunk(&segment, chunk).await;
        }
        self.spool.done(segment).await;
        tracing::info!(records, took = ?started.elapsed(), "spooled records are in the database");
    }

    /// Writes a chunk. If the database refuses it as such, each half on its own, down to the one record that
    /// it does not take, which is put aside.
    async fn chunk(&self, segment: &str, chunk: &[(usize, Vec<u8>, Item)]) {
        let mut parts = vec![chunk];
        while let Some(part) = parts.pop() {
            let started = Stopwatch::start();
            match self.write(part).await {
                Ok(()) => {
                    metrics::counter!("pitboss_spool_replayed_total").increment(part.len() as u64);
                    let share = Duration::from_secs_f64(part.len() as f64 / self.per_second);
                    tokio::time::sleep(share.saturating_sub(started.elapsed())).await;
                }
                Err(StoreError::Failed(error)) if part.len() == 1 => {
                    let (nth, payload, _) = &part[0];
                    tracing::error!(segment, nth, %error, "record of the spool refused: put aside");
                    self.spool.put_aside(segment, *nth, payload.clone());
                }
                Err(StoreError::Failed(_)) => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                }
                Err(error) => {
                    if matches!(error, StoreError::Away(_) | StoreError::CommitUnknown(_)) {
                        self.breaker.open();
                    }
                    tracing::warn!(%error, "spool not replayed yet");
                    tokio::time::sleep(PAUSE).await;
                    self.breaker.is_closed().await;
                    parts.push(part);
                }
            }
        }
    }

    async fn write(&self, part: &[(usize, Vec<u8>, Item)]) -> Result<(), StoreError> {
        let mut connection = self.store.connection().await?;
        let writing = self.write_on(&mut connection, part);
        if let Ok(written) = tokio::time::timeout(CHUNK_WITHIN, writing).await {
            return written;
        }
        // Cut off half-way: it must not be used again.
        drop(connection.detach());
        Err(StoreError::Away(sqlx::Error::PoolTimedOut))
    }

    async fn write_on(
        &self,
        connection: &mut PgConnection,
        part: &[(usize, Vec<u8>, Item)],
    ) -> Result<(), StoreError> {
        let items = part.iter().map(|(_, _, item)| item);
        if !self.store.is_pooled() {
            return chunk::write(connection, items, &self.sticky).await;
        }
        let mut transaction = self.store.begin_on(connection).await?;
        chunk::write(&mut transaction, items, &self.sticky).await?;
        transaction.commit().await?;
        Ok(())
    }
}
