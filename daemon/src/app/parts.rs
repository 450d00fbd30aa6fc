//! Parts of the running daemon: tasks that are started together, told to stop together and awaited.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Stopwatch;

/// Parts in the order in which they were built; drained in reverse, so that each still has below it what it
/// stands on.
#[derive(Debug)]
pub(super) struct Parts {
    built: Vec<Part>,
    ended: mpsc::Sender<&'static str>,
    draining: CancellationToken,
}

/// One part.
#[derive(Debug)]
pub(super) struct Part {
    name: &'static str,
    stop: CancellationToken,
    tasks: TaskTracker,
    ended: mpsc::Sender<&'static str>,
    draining: CancellationToken,
}

impl Parts {
    /// No parts yet, and the news of parts that end although nobody told them to.
    pub(super) fn new() -> (Self, mpsc::Receiver<&'static str>) {
        // One piece of news is enough: it stops the daemon.
        let (ended, news) = mpsc::channel(1);
        let parts = Self {
            built: Vec::new(),
            ended,
            draining: CancellationToken::new(),
        };
        (parts, news)
    }

    /// A new part on top of those there are.
    pub(super) fn add(&mut self, name: &'static str) -> &Part {
        self.built.push(Part {
            name,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            ended: self.ended.clone(),
            draining: self.draining.clone(),
        });
        self.built.last().expect("one was just pushed")
    }

    /// Stops every part, last built first. What is not done after `within` is left behind: the process is
    /// about to end, and what it had not acknowledged it had not promised.
    pub(super) async fn drain(self, within: Duration) {
        let started = Stopwatch::start();
        // A part that works for the ones above it may end with them, before it is told to.
        self.draining.cancel();
        for part in self.built.into_iter().rev() {
            let left = within.saturating_sub(started.elapsed());
            part.stop.cancel();
            part.tasks.close();
            if tokio::time::timeout(left, part.tasks.wait()).await.is_err() {
                tracing::error!(part = part.name, within = ?within, "did not finish in time");
            }
        }
    }
}

impl Part {
    /// The token that tells its tasks to stop.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs `task`. If it ends, or panics, before it was told to stop, the daemon drains and exits: better
    /// started again by whoever watches it than running without one of its parts.
    pub(super) fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (name, draining, ended) = (self.name, self.draining.clone(), self.ended.clone());
        let running = tokio::spawn(task);
        self.tasks.spawn(async move {
            let result = running.await;
            if draining.is_cancelled() {
                return;
            }
            match result {
                Ok(()) => tracing::error!(part = name, "ended by itself"),
                Err(error) => tracing::error!(part = name, %error, "ended by itself"),
            }
            let _ = ended.try_send(name);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn parts_stop_in_reverse_and_each_is_awaited() {
        let (mut parts, _news) = Parts::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        for name in ["store", "world", "http"] {
            let part = parts.add(name);
            let (stop, order) = (part.stop(), Arc::clone(&order));
            part.run(async move {
                stop.cancelled().await;
                tokio::task::yield_now().await;
                order.lock().unwrap().push(name);
            });
        }
        parts.drain(Duration::from_mins(1)).await;
        assert_eq!(*order.lock().unwrap(), ["http", "world", "store"]);
    }

    #[tokio::test]
    async fn a_part_that_ends_with_the_one_above_it_is_no_news() {
        let (mut parts, mut news) = Parts::new();
        let (working, no_more_work) = tokio::sync::oneshot::channel::<()>();
        parts.add("writers").run(async move {
            let _ = no_more_work.await;
        });
        let part = parts.add("port");
        let stop = part.stop();
        part.run(async move {
            stop.cancelled().await;
            drop(working);
        });
        parts.drain(Duration::from_mins(1)).await;
        assert!(news.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_part_that_panics_is_news_and_one_that_hangs_does_not_hold_up_the_end() {
        let (mut parts, mut news) = Parts::new();
        parts.add("hangs").run(std::future::pending());
        parts.add("panics").run(async { panic!("as asked") });
        assert_eq!(news.recv().await, Some("panics"));
        parts.drain(Duration::from_millis(1)).await;
    }
}
