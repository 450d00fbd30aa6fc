//! What tells the daemon to stop: a signal, or the end of its parent.

use std::time::Duration;

use rustix::process::getppid;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Between two looks at who the parent is. A parent-death signal would follow the parent's *thread*.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The process's signals, caught from the moment this exists.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches SIGTERM and SIGINT.
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one, by name. Cancel-safe.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Ends when the process that started this one has ended; never if `wanted` is false.
pub(super) async fn parent_ended(wanted: bool) {
    let parent = getppid();
    if !wanted {
        std::future::pending::<()>().await;
    }
    let mut looks = tokio::time::interval(LOOK_EVERY);
    while getppid() == parent {
        looks.tick().await;
    }
}
