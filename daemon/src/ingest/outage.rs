//! What the data path does without a database: the spool, and an answer at once instead of a long wait.

use std::io;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::NotDone;
use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::spool::{Ended, Refused, Spool, Usage, item};
use crate::store::landing::Landed;

/// Where to go while the database is away. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outage {
    /// Whether it is away.
    pub breaker: Breaker,
    /// Where acknowledged records go then.
    pub spool: Spool,
}

impl Outage {
    /// A database that is taken to be there, and a spool in the directory `spool` that may hold `bytes`.
    pub fn prepare(spool: &Path, bytes: u64, clock: Clock) -> io::Result<(Self, Ended)> {
        let breaker = Breaker::closed(clock.clone());
        let (spool, ended) = Spool::start(spool, bytes, clock)?;
        Ok((Self { breaker, spool }, ended))
    }

    /// The database's answer, if it comes within `limit` and the database is not away: nobody waits for one
    /// that is known to be.
    pub(super) async fn unless_away<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, NotDone>>,
    ) -> Result<T, NotDone> {
        if self.breaker.is_open() {
            return Err(NotDone::Away);
        }
        // In this order: an answer that is there is taken. What was handed in stays with its writer.
        tokio::select! {
            biased;
            answer = answer => answer,
            () = self.breaker.opened() => Err(NotDone::Away),
            () = tokio::time::sleep(limit) => Err(NotDone::Away),
        }
    }

    /// Spools `rows`, all or none.
    pub(super) async fn keep(&self, rows: &[Landed]) -> Result<(), NotDone> {
        self.keep_payloads(rows.iter().map(item::landed).collect())
            .await
    }

    /// Spools `payloads`, all or none.
    pub(super) async fn keep_payloads(&self, payloads: Vec<Vec<u8>>) -> Result<(), NotDone> {
        self.spool
            .keep(payloads)
            .await
            .map_err(|refused| match refused {
                Refused::Full | Refused::Broken => NotDone::SpoolFull,
                Refused::Busy => NotDone::Full,
            })
    }
}

/// How the data path stands towards its database, for whoever watches. It does not keep the spool's thread.
#[derive(Debug, Clone)]
pub struct Standing {
    breaker: Breaker,
    usage: watch::Receiver<Usage>,
}

impl Standing {
    /// Of a data path with this `outage`.
    pub fn of(outage: &Outage) -> Self {
        Self {
            breaker: outage.breaker.clone(),
            usage: outage.spool.usage(),
        }
    }

    /// Since when the database is away; `None` while it is there.
    pub fn away_since(&self) -> Option<DateTime<Utc>> {
        self.breaker.since()
    }

    /// What is spooled.
    pub fn spool(&self) -> Usage {
        *self.usage.borrow()
    }
}
