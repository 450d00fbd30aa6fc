//! Group commit: callers put their rows into a bounded queue and wait; a few writers take all that has
//! gathered, write it in one statement, and answer everyone.
//!
//! There are no timers: while one statement is being flushed the next one fills, so a batch is as large as
//! the load asks for and a lone caller waits for nobody. A batch is at most half of all that waits: while the database
//! writes one half, the other half's callers are answered and come again. The first writer works alone until more
//! gathers behind its back than makes a good batch; then the next one helps. A caller that hangs up takes nothing
//! back: its rows belong to the writer.

mod writer;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::PgConnection;
use tokio::sync::{mpsc, oneshot};
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

    /// Carries out a batch in one transaction; one answer for each item, in their order. It is tried again
    /// after a failure, even when it is not known whether it happened.
    fn flush(
        &self,
        connection: &mut PgConnection,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;

    /// Takes note of a batch that is in the database, before its callers hear of it.
    fn written(&self, _items: &[Self::Item], _answers: &[Self::Answer]) {}
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

/// Rows that may gather for one writer before the next one helps. A statement of fewer costs the database more a
/// row, and two writers with half of them each cost it twice; of more, two finish sooner than one (LIMITS section 2:
/// 42,100 rows a second in batches of 100 by one writer, 75,200 by two).
const GOOD_BATCH_ROWS: usize = 100;

/// The fewest rows that are worth a statement of their own when more could go along. All that waits in one statement
/// leaves server and database waiting for each other: of 64 callers of new assigns, 40,400 a second in batches of all,
/// 56,000 in halves, on two cores a third of which lay idle before. Smaller halves cost more than the overlap brings:
/// beside batches of all, eight callers lose 5 % in halves of four, and 32 gain 20 % in halves of 16.
const WORTHWHILE_ROWS: usize = 16;

/// The callers' end. The writers end when it is gone and their queues are empty.
pub(super) struct Group<F: Flush> {
    queues: Vec<Queue<F>>,
    /// Rows that were handed in and are not answered.
    held: Arc<AtomicUsize>,
    queue_rows: usize,
}

struct Queue<F: Flush> {
    sender: mpsc::UnboundedSender<Queued<F>>,
    /// Rows that its writer has not taken yet.
    gathered: Arc<AtomicUsize>,
}

struct Queued<F: Flush> {
    item: F::Item,
    answer: oneshot::Sender<Result<F::Answer, NotDone>>,
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
        let held = Arc::new(AtomicUsize::new(0));
        let mut queues = Vec::with_capacity(sizes.writers);
        for _ in 0..sizes.writers {
            let (sender, incoming) = mpsc::unbounded_channel();
            let gathered = Arc::new(AtomicUsize::new(0));
            let flush = Arc::clone(&flush);
            let writer = Writer::new(flush, store.clone(), sizes.batch_rows, breaker.clone());
            let incoming = Incoming {
                queue: incoming,
                gathered: Arc::clone(&gathered),
                held: Arc::clone(&held),
            };
            tasks.spawn(writer.run(incoming));
            queues.push(Queue { sender, gathered });
        }
        Self {
            queues,
            held,
            queue_rows: sizes.queue_rows,
        }
    }

    /// Hands in `item` and waits for its answer. Dropping the future does not take the item back.
    pub(super) async fn submit(&self, item: F::Item) -> Result<F::Answer, NotDone> {
        let rows = F::rows(&item);
        if self.held.fetch_add(rows, Ordering::Relaxed) + rows > self.queue_rows {
            self.held.fetch_sub(rows, Ordering::Relaxed);
            return Err(NotDone::Full);
        }
        let (answer, answered) = oneshot::channel();
        let queue = self.queue();
        queue.gathered.fetch_add(rows, Ordering::Relaxed);
        if queue.sender.send(Queued { item, answer }).is_err() {
            queue.gathered.fetch_sub(rows, Ordering::Relaxed);
            self.held.fetch_sub(rows, Ordering::Relaxed);
            return Err(NotDone::Away);
        }
        answered.await.unwrap_or(Err(NotDone::Away))
    }

    /// The first one with room for a good batch, else the shortest. Two that choose at once may choose the same:
    /// then a batch is a little larger than another.
    fn queue(&self) -> &Queue<F> {
        let gathered = |queue: &&Queue<F>| queue.gathered.load(Ordering::Relaxed);
        self.queues
            .iter()
            .find(|queue| gathered(queue) < GOOD_BATCH_ROWS)
            .or_else(|| self.queues.iter().min_by_key(gathered))
            .expect("a group has a writer")
    }
}

/// A writer's end of its queue.
struct Incoming<F: Flush> {
    queue: mpsc::UnboundedReceiver<Queued<F>>,
    gathered: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

/// What one statement writes.
struct Batch<F: Flush> {
    queued: Vec<Queued<F>>,
    rows: usize,
}

impl<F: Flush> Incoming<F> {
    /// What has gathered, up to half of all that waits, up to `most` rows, or one larger item; waits for the first.
    /// `None`: nobody is left to hand in anything.
    async fn batch(&mut self, most: usize) -> Option<Batch<F>> {
        let first = self.queue.recv().await?;
        let mut rows = F::rows(&first.item);
        let mut queued = vec![first];
        while rows < most && !self.is_half(rows) {
            // Requests that have come already are still on their way here: they run before this goes on, and as
            // long as they bring more. A lone caller waits for one look at who else is there.
            if self.queue.is_empty() {
                tokio::task::yield_now().await;
            }
            let Ok(next) = self.queue.try_recv() else {
                break;
            };
            rows += F::rows(&next.item);
            queued.push(next);
        }
        self.gathered.fetch_sub(rows, Ordering::Relaxed);
        Some(Batch { queued, rows })
    }

    /// Whether `rows` are a batch that leaves as much to the next one.
    fn is_half(&self, rows: usize) -> bool {
        rows >= WORTHWHILE_ROWS && rows >= self.held.load(Ordering::Relaxed) / 2
    }

    /// Rows have been answered and make room for others.
    fn answered(&self, rows: usize) {
        self.held.fetch_sub(rows, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
