//! Group commit: callers put their rows into a bounded queue and wait; a few writers take all that has
//! gathered, write it in one statement, and answer everyone.
//!
//! There are no timers: while one statement is being flushed the next one fills, so a batch is as large as
//! the load asks for and a lone caller waits for nobody. A caller that hangs up takes nothing back: its rows
//! belong to the writer. Rows of one unit always meet the same writer, so our own writers never wait for
//! each other's locks.

mod writer;

use std::future::Future;
use std::sync::Arc;

use sqlx::PgConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::breaker::Breaker;
use crate::store::{Store, StoreError};
use writer::Writer;

/// What is done for a batch.
pub(super) trait Flush: Send + Sync + 'static {
    /// What one caller brings.
    type Item: Send + Sync + 'static;
    /// What one caller gets.
    type Answer: Send + 'static;
    /// For logs and metrics.
    const NAME: &'static str;

    /// How many rows an item is.
    fn rows(item: &Self::Item) -> usize;

    /// Which writer takes it: any number, the same for rows that could be in each other's way.
    fn stream(item: &Self::Item) -> usize;

    /// Carries out a batch in one transaction; one answer for each item, in their order. It is tried again
    /// after a failure, even when it is not known whether it happened.
    fn flush(
        &self,
        connection: &mut PgConnection,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// Why a caller has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// The queue is full: nothing was taken.
    #[error("too much is waiting to be written")]
    Full,
    /// The database is away: it may or may not have been written.
    #[error("the database is away")]
    Away,
    /// The database is away and the spool takes no more.
    #[error("the database is away, and the spool takes no more")]
    SpoolFull,
}

/// How much may gather.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Writers, each with a connection of its own.
    pub(super) writers: usize,
    /// Rows of one statement, at most; a single item may be larger.
    pub(super) batch_rows: usize,
    /// Rows that may wait, all writers together.
    pub(super) queue_rows: usize,
}

/// The callers' end. The writers end when it is gone and their queues are empty.
pub(super) struct Group<F: Flush> {
    queues: Vec<mpsc::UnboundedSender<Queued<F>>>,
    /// Bounds the queues, in rows.
    room: Arc<Semaphore>,
}

struct Queued<F: Flush> {
    item: F::Item,
    waiting: Waiting<F::Answer>,
}

/// A caller that waits, and the room its rows take until it is answered.
struct Waiting<A> {
    answer: oneshot::Sender<Result<A, NotDone>>,
    _room: OwnedSemaphorePermit,
}

impl<F: Flush> Group<F> {
    /// Starts the writers.
    pub(super) fn start(
        flush: F,
        store: &Store,
        sizes: Sizes,
        breaker: &Breaker,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let flush = Arc::new(flush);
        let mut queues = Vec::with_capacity(sizes.writers);
        for _ in 0..sizes.writers {
            let (queue, incoming) = mpsc::unbounded_channel();
            queues.push(queue);
            let flush = Arc::clone(&flush);
            let writer = Writer::new(flush, store.clone(), sizes.batch_rows, breaker.clone());
            tasks.spawn(writer.run(incoming));
        }
        Self {
            queues,
            room: Arc::new(Semaphore::new(sizes.queue_rows)),
        }
    }

    /// Hands in `item` and waits for its answer. Dropping the future does not take the item back.
    pub(super) async fn submit(&self, item: F::Item) -> Result<F::Answer, NotDone> {
        let rows = u32::try_from(F::rows(&item)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(rows)
            .map_err(|_| NotDone::Full)?;
        let (answer, answered) = oneshot::channel();
        let queue = &self.queues[F::stream(&item) % self.queues.len()];
        let waiting = Waiting {
            answer,
            _room: room,
        };
        queue
            .send(Queued { item, waiting })
            .map_err(|_| NotDone::Away)?;
        answered.await.unwrap_or(Err(NotDone::Away))
    }
}
