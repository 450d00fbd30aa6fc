//! When a writer helps, and when a queue is full: with a flush that waits until it may go on.

use std::sync::Mutex;

use futures::FutureExt;
use tokio::sync::Semaphore;

use super::*;
use crate::clock::Clock;
use crate::testing::{TestDatabase, database};

/// Ends a flush for each permit, and keeps the sizes of the batches that were begun.
#[derive(Clone)]
struct Held {
    may_end: Arc<Semaphore>,
    begun: Arc<Mutex<Vec<usize>>>,
}

impl Held {
    fn new() -> Self {
        Self {
            may_end: Arc::new(Semaphore::new(0)),
            begun: Arc::default(),
        }
    }

    fn begun(&self) -> Vec<usize> {
        self.begun.lock().unwrap().clone()
    }

    /// Waits until the batches that were begun are `sizes`.
    async fn until_begun(&self, sizes: &[usize]) {
        while self.begun() != sizes {
            tokio::task::yield_now().await;
        }
    }
}

impl Flush for Held {
    type Item = usize;
    type Answer = usize;
    const NAME: &'static str = "held";

    fn rows(rows: &usize) -> usize {
        *rows
    }

    async fn flush(&self, _: &mut PgConnection, items: &[usize]) -> Result<Vec<usize>, StoreError> {
        self.begun.lock().unwrap().push(items.iter().sum());
        self.may_end.acquire().await.unwrap().forget();
        Ok(items.to_vec())
    }
}

const SIZES: Sizes = Sizes {
    writers: 2,
    batch_rows: 1_000,
    queue_rows: 300,
};

fn start(held: &Held, database: &TestDatabase) -> (Group<Held>, JoinSet<()>) {
    let mut writers = JoinSet::new();
    let breaker = Breaker::closed(Clock::system());
    let group = Group::start(held.clone(), &database.store, SIZES, &breaker, &mut writers);
    (group, writers)
}

/// Hands in items of `rows` each; none of them is answered yet.
fn hand_in<'a>(
    group: &'a Group<Held>,
    rows: &[usize],
) -> Vec<futures::future::BoxFuture<'a, Result<usize, NotDone>>> {
    let mut waiting = Vec::new();
    for &rows in rows {
        let mut answer = group.submit(rows).boxed();
        assert!(answer.as_mut().now_or_never().is_none());
        waiting.push(answer);
    }
    waiting
}

#[tokio::test]
async fn a_second_writer_helps_once_a_good_batch_has_gathered() {
    let database = database().await;
    let held = Held::new();
    let (group, _writers) = start(&held, &database);
    let mut waiting = hand_in(&group, &[1]);
    held.until_begun(&[1]).await;
    // They gather behind the first writer's back.
    waiting.extend(hand_in(&group, &[1, GOOD_BATCH_ROWS - 1]));
    // This one is for the second writer.
    waiting.extend(hand_in(&group, &[7]));
    held.until_begun(&[1, 7]).await;
    held.may_end.add_permits(3);
    held.until_begun(&[1, 7, GOOD_BATCH_ROWS]).await;
    let answers = futures::future::try_join_all(waiting).await;
    assert_eq!(answers, Ok(vec![1, 1, GOOD_BATCH_ROWS - 1, 7]));
}

#[tokio::test]
async fn a_batch_is_half_of_what_waits_unless_that_is_too_little_for_a_statement() {
    let database = database().await;
    let held = Held::new();
    let (group, _writers) = start(&held, &database);
    let mut waiting = hand_in(&group, &[1]);
    held.until_begun(&[1]).await;
    waiting.extend(hand_in(&group, &[1; 64]));
    held.may_end.add_permits(4);
    // Half of 64, then of the 32 that are left, and the rest is not worth another half.
    held.until_begun(&[1, 32, 16, 16]).await;
    let answers = futures::future::try_join_all(waiting).await;
    assert_eq!(answers, Ok(vec![1; 65]));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_takes_again_when_it_is_not() {
    let database = database().await;
    let held = Held::new();
    let (group, _writers) = start(&held, &database);
    let waiting = hand_in(&group, &[SIZES.queue_rows - 1, 1]);
    assert_eq!(group.submit(1).now_or_never(), Some(Err(NotDone::Full)));
    held.may_end.add_permits(10);
    assert!(futures::future::try_join_all(waiting).await.is_ok());
    assert_eq!(group.submit(SIZES.queue_rows).await, Ok(SIZES.queue_rows));
}
