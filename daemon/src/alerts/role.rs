//! When this daemon seeks to lead the role `alerts`: while it has channels. One that has none must not, because nobody
//! would be told while it led.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::worker::Alerts;
use crate::clock::Clock;
use crate::config::Channel;
use crate::store::Store;
use crate::workers::runner::{LastRun, Outcome, Runner};

/// 2 s: how long a notice waits at most until it is on its way; an idle round is a handful of indexed look-ups.
const SEND_EVERY: Duration = Duration::from_secs(2);

/// The role, and what it stands on.
#[derive(Debug)]
pub struct Role {
    /// The database.
    pub store: Store,
    /// For reports.
    pub clock: Clock,
    /// Which run of which daemon this is.
    pub holder: String,
    /// What the installation is called.
    pub environment: String,
    /// Where alerts go at the time.
    pub channels: watch::Receiver<Arc<[Channel]>>,
}

impl Role {
    /// Sends while there is somewhere to send to, until `stop`.
    pub async fn run(self, report: watch::Sender<LastRun>, stop: CancellationToken) {
        let mut channels = self.channels.clone();
        loop {
            report.send_replace(self.nowhere());
            if !turns(&mut channels, |channels| !channels.is_empty(), &stop).await {
                return;
            }
            let sending = stop.child_token();
            let runner = self
                .runner()
                .run(self.work(), report.clone(), sending.clone());
            // Ending the runner ends it in order: its lease is given back.
            let emptied = async {
                turns(&mut channels, <[Channel]>::is_empty, &stop).await;
                sending.cancel();
            };
            tokio::join!(runner, emptied);
            if stop.is_cancelled() {
                return;
            }
        }
    }

    fn nowhere(&self) -> LastRun {
        LastRun {
            at: Some(self.clock.now()),
            outcome: Outcome::Done("no alert channel is configured: see pitboss alerts".to_owned()),
        }
    }

    fn runner(&self) -> Runner {
        Runner {
            role: "alerts",
            holder: self.holder.clone(),
            every: SEND_EVERY,
            wake: Arc::default(),
            clock: self.clock.clone(),
            store: self.store.clone(),
        }
    }

    fn work(&self) -> Alerts {
        let (store, environment) = (self.store.clone(), self.environment.clone());
        Alerts::new(store, environment, self.channels.clone())
    }
}

/// Waits until `wanted` holds; `false` if `stop` comes first, or nobody changes the configuration any more.
async fn turns(
    channels: &mut watch::Receiver<Arc<[Channel]>>,
    wanted: impl Fn(&[Channel]) -> bool,
    stop: &CancellationToken,
) -> bool {
    // Both are cancel-safe.
    let turned = tokio::select! {
        () = stop.cancelled() => return false,
        turned = channels.wait_for(|channels| wanted(channels)) => turned.is_ok(),
    };
    if !turned {
        stop.cancelled().await;
    }
    turned
}
