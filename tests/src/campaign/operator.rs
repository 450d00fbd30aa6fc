//! The operator: pauses and resumes an experiment through whichever daemon answers, so that the audit log has
//! something to lose.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fleet::{Daemon, Fleet};
use super::oracle::Oracle;
use crate::binaries::pitboss;

/// Between two changes.
const EVERY: Duration = Duration::from_secs(2);

/// A console that takes longer has met a daemon that is frozen, or gone for good.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// The console's exit code for what the daemon refuses.
const REFUSED: i32 = 3;

/// The working operator.
pub struct Operator {
    stop: CancellationToken,
    work: JoinHandle<u64>,
}

impl Operator {
    /// Starts working.
    pub fn start(oracle: &Arc<Oracle>, fleet: &Fleet) -> Self {
        let stop = CancellationToken::new();
        let shift = Shift {
            oracle: Arc::clone(oracle),
            sockets: fleet.daemons.iter().map(Daemon::control).collect(),
        };
        let work = tokio::spawn(shift.work(stop.clone()));
        Self { stop, work }
    }

    /// Ends the shift; changes that were asked for.
    pub async fn stop(self) -> u64 {
        self.stop.cancel();
        self.work.await.unwrap_or(0)
    }
}

struct Shift {
    oracle: Arc<Oracle>,
    sockets: Vec<PathBuf>,
}

impl Shift {
    async fn work(self, stop: CancellationToken) -> u64 {
        let mut turns = tokio::time::interval(EVERY);
        let (mut asked, mut done) = (0_u64, 0_usize);
        while stop.run_until_cancelled(turns.tick()).await.is_some() {
            let socket = &self.sockets[asked as usize % self.sockets.len()];
            let verb = ["pause", "resume"][done % 2];
            let reason = format!("drill {asked} of seed {}", self.oracle.issued.seed);
            let running = tokio::process::Command::new(pitboss())
                .arg("--socket")
                .arg(socket)
                .args([verb, "drill", "--yes", "--reason", &reason])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .status();
            asked += 1;
            let ended = tokio::time::timeout(ANSWERS_WITHIN, running).await;
            let code = match ended {
                Ok(Ok(status)) => status.code(),
                _ => None,
            };
            if code == Some(0) {
                self.oracle.changed(&reason);
            }
            // Refused is done, too: by an earlier one of the same kind whose answer got lost.
            if matches!(code, Some(0 | REFUSED)) {
                done += 1;
            }
        }
        asked
    }
}
