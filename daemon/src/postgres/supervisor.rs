//! The thread that starts PostgreSQL, waits for its end, and starts it again.
//!
//! It is a thread and not a task because the parent-death signal follows the thread that started the child:
//! a thread of a pool may end while the daemon lives on, and take the database with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{oneshot, watch};

use super::orders::Control;
use super::site::{Running, Site};
use super::{ClusterError, ClusterSettings, postmaster};
use crate::clock::Stopwatch;

/// Between two looks at an adopted postmaster, which is not our child and cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Pauses before starting it again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A fast shutdown took 0.09 s idle; it also writes a checkpoint, which a slow disk stretches.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// What the cluster is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterState {
    /// Coming up, or recovering.
    Starting,
    /// Answering queries.
    Ready {
        /// The postmaster.
        pid: i32,
    },
    /// Ended by itself; it will be started again.
    Down,
    /// Ended because it was told to.
    Stopped,
}

/// The owner's end of the thread.
#[derive(Debug)]
pub(super) struct Supervisor {
    control: Arc<Control>,
    state: watch::Receiver<ClusterState>,
}

type Started = (Supervisor, watch::Receiver<ClusterState>, PathBuf);

/// Starts the thread and waits until the cluster answers, or cannot be started.
pub(super) async fn start(settings: ClusterSettings) -> Result<Started, ClusterError> {
    let (state_writer, state) = watch::channel(ClusterState::Starting);
    let control = Arc::new(Control::default());
    let (first, started) = oneshot::channel();
    let thread_control = Arc::clone(&control);
    std::thread::Builder::new()
        .name("postgres".into())
        .spawn(move || {
            let prepared = Site::prepare(&settings, state_writer, thread_control);
            match prepared.and_then(|site| Ok((site.launch()?, site))) {
                Ok((running, site)) => {
                    let _ = first.send(Ok(site.socket_dir.clone()));
                    site.supervise(running);
                }
                Err(error) => {
                    let _ = first.send(Err(error));
                }
            }
        })
        .map_err(ClusterError::io("start a thread for", "postgres"))?;
    // Made before waiting: a caller that gives up takes the cluster with it.
    let supervisor = Supervisor {
        control,
        state: state.clone(),
    };
    let socket_dir = started.await.map_err(|_| ClusterError::Program {
        program: "postgres",
        output: "its thread ended".into(),
    })??;
    Ok((supervisor, state, socket_dir))
}

impl Supervisor {
    /// Fast shutdown, then an immediate one, then the end of waiting.
    pub(super) async fn stop(mut self) {
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            self.control.order_stop(signal);
            let stopped = self.state.wait_for(|it| *it == ClusterState::Stopped);
            // An error means that the thread has ended, which is as good.
            if tokio::time::timeout(STOP_WITHIN, stopped).await.is_ok() {
                return;
            }
            tracing::error!(?signal, "PostgreSQL does not stop");
        }
    }
}

impl Drop for Supervisor {
    /// Owners call [`Supervisor::stop`]; one that panicked still takes the cluster with it.
    fn drop(&mut self) {
        if *self.state.borrow() != ClusterState::Stopped {
            self.control.order_stop(Signal::INT);
        }
    }
}

impl Site {
    /// Waits for its end, and starts it again until told to stop.
    fn supervise(self, first: Running) {
        let mut running = first;
        let mut pause = FIRST_PAUSE;
        loop {
            let lived = Stopwatch::start();
            self.wait_for_end(running);
            self.control.note(None);
            if lived.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            self.state.send_replace(ClusterState::Down);
            running = loop {
                if self.control.pause(pause) {
                    self.clean_up();
                    return;
                }
                tracing::error!("PostgreSQL ended by itself: starting it again");
                pause = (pause * 2).min(LONGEST_PAUSE);
                match self.launch() {
                    Ok(again) => break again,
                    Err(error) => tracing::error!(%error, "PostgreSQL does not start"),
                }
            };
        }
    }

    fn wait_for_end(&self, running: Running) {
        match running {
            Running::Child(mut child) => {
                let _ = child.wait();
            }
            Running::Adopted(pid) => {
                while postmaster::works_in(pid, &self.cluster) {
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        }
    }

    fn clean_up(&self) {
        // Only empty directories go: another cluster's socket would keep this one.
        let _ = std::fs::remove_dir(&self.socket_dir);
        self.state.send_replace(ClusterState::Stopped);
        tracing::info!("PostgreSQL stopped");
    }
}
