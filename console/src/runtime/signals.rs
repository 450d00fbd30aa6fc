//! Signals: told to end, told to stop; and stopping ourselves for ctrl-z.

use std::io;

use rustix::process::{Signal as Number, getpid, kill_process};
use tokio::signal::unix::{self, SignalKind};

/// What a signal asks for.
pub(super) enum Signal {
    /// End now: TERM, HUP, INT.
    Terminate,
    /// Give the terminal back and stop: TSTP from outside; from inside, ctrl-z is a key.
    Suspend,
}

/// The signals that are listened to.
pub(super) struct Signals {
    terminate: unix::Signal,
    hang_up: unix::Signal,
    interrupt: unix::Signal,
    suspend: unix::Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            hang_up: unix::signal(SignalKind::hangup())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            suspend: unix::signal(SignalKind::from_raw(Number::TSTP.as_raw()))?,
        })
    }

    /// The next one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hang_up.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Terminate,
            _ = self.suspend.recv() => Signal::Suspend,
        }
    }
}

/// Stop this process, and return when it is continued. STOP, because TSTP is listened to; only this process,
/// because a daemon that was started beside it (the demo's) must go on.
pub(super) fn stop_here() -> io::Result<()> {
    kill_process(getpid(), Number::STOP)?;
    Ok(())
}
