//! What tells the daemon to stop or to read its configuration again: a signal, or the end of its parent.

use std::time::Duration;

use rustix::process::{Pid, getppid};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Between two looks at who the parent is. A parent-death signal would follow the parent's *thread*.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The process's signals, caught from the moment this exists.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGTERM, of whoever runs services: stop without a client noticing.
    Terminate,
    /// SIGINT, of a person at a terminal: the same, at once.
    Interrupt,
    /// SIGHUP: read the configuration again.
    Reload,
}

impl Signals {
    /// Catches SIGTERM, SIGINT and SIGHUP.
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// What the next one asks for. Cancel-safe.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Terminate,
            _ = self.interrupt.recv() => Asked::Interrupt,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// The next one that asks to stop; nothing is read again meanwhile. Cancel-safe.
    pub(super) async fn stop(&mut self) -> Asked {
        loop {
            match self.next().await {
                Asked::Reload => {}
                stop => return stop,
            }
        }
    }
}

/// Who started this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parent(Option<Pid>);

impl Parent {
    /// As it is now. Asked first of all: one that ends while the daemon starts has another pid in its place afterwards.
    pub(super) fn now() -> Self {
        Self(getppid())
    }

    /// Ends when it has ended; never if `wanted` is false. Cancel-safe.
    pub(super) async fn ended(self, wanted: bool) {
        if !wanted {
            std::future::pending::<()>().await;
        }
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while getppid() == self.0 {
            looks.tick().await;
        }
    }
}
