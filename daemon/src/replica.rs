//! A replica of the database, for reading figures. Leaders write a sign of life every second or two; what the replica
//! has of them says how far it is behind. Decisions, guardrails, plans and assignments never come from it: a replica
//! may show transactions in another order than the primary (RELIABILITY 3.4).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::source::Source;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::replication::Pulse;
use crate::store::{Store, StoreError};

/// 1 s: as often as there is a new sign of life.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// 2 s for each database: one that is silent for longer is away.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// A way to the replica. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Replica {
    store: Store,
    limit: TimeDelta,
    state: watch::Receiver<State>,
}

/// How the replica was when it was looked at last.
#[derive(Debug, Clone, PartialEq)]
enum State {
    /// It has everything that was committed before `as_of`, and is `lag` behind.
    Here {
        as_of: DateTime<Utc>,
        lag: TimeDelta,
    },
    /// It cannot be used.
    Away(String),
}

/// A replica that may be read from now.
#[derive(Debug, Clone)]
pub struct Readable {
    /// To read from.
    pub store: Store,
    /// It has everything that was committed before this.
    pub as_of: DateTime<Utc>,
    /// For the label.
    pub source: Source,
}

/// Looks at the replica again and again. Run it with [`Watcher::run`].
#[derive(Debug)]
pub struct Watcher {
    primary: Store,
    replica: Store,
    clock: Clock,
    publish: watch::Sender<State>,
}

impl Replica {
    /// A replica of `primary` that is not read from when it is more than `limit` behind, and who watches it.
    pub fn new(primary: Store, replica: Store, limit: Duration, clock: Clock) -> (Self, Watcher) {
        let (publish, state) = watch::channel(State::Away("it was not looked at yet".to_owned()));
        let watched = Self {
            store: replica.clone(),
            limit: TimeDelta::from_std(limit).unwrap_or(TimeDelta::MAX),
            state,
        };
        let watcher = Watcher {
            primary,
            replica,
            clock,
            publish,
        };
        (watched, watcher)
    }

    /// The replica if it may be read from, or how to label what is read from the primary instead.
    pub fn readable(&self) -> Result<Readable, Source> {
        match &*self.state.borrow() {
            State::Here { as_of, lag } if *lag <= self.limit => Ok(Readable {
                store: self.store.clone(),
                as_of: *as_of,
                source: Source {
                    database: "replica".to_owned(),
                    replica_lag_seconds: Some(seconds(*lag)),
                    note: None,
                },
            }),
            State::Here { lag, .. } => {
                let (behind, limit) = (seconds(*lag), seconds(self.limit));
                let note =
                    format!("the replica is {behind:.1} s behind, over its limit of {limit} s");
                Err(primary(Some(behind), note))
            }
            State::Away(why) => Err(primary(None, format!("the replica is away: {why}"))),
        }
    }
}

/// The label of what is read from the primary although there is a replica.
pub fn primary(lag: Option<f64>, note: String) -> Source {
    metrics::counter!("pitboss_replica_fallbacks_total").increment(1);
    Source {
        database: "primary".to_owned(),
        replica_lag_seconds: lag,
        note: Some(note),
    }
}

impl Watcher {
    /// Watches until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Both are cancel-safe: a look that is dropped was none.
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let Some(state) = stop.run_until_cancelled(self.look()).await else {
                return;
            };
            let lag = match &state {
                State::Here { lag, .. } => seconds(*lag),
                State::Away(_) => f64::NAN,
            };
            metrics::gauge!("pitboss_replica_lag_seconds").set(lag);
            self.tell(&state);
            self.publish.send_replace(state);
        }
    }

    /// The replica first: what the primary has after that is at least what there was to replicate.
    async fn look(&self) -> State {
        let theirs = pulse(&self.replica).await;
        let ours = pulse(&self.primary).await;
        let (theirs, as_of) = match theirs {
            Ok(pulse) => match pulse.at {
                Some(at) => (pulse, at),
                None => return State::Away("nothing was replicated yet".to_owned()),
            },
            Err(why) => return State::Away(why),
        };
        let newest = match ours {
            Ok(ours) if ours.installation != theirs.installation => {
                return State::Away("it belongs to another database".to_owned());
            }
            Ok(ours) => ours.at.unwrap_or(as_of),
            // Without the primary's word only our own clock tells how old the replica is.
            Err(_) => self.clock.now(),
        };
        State::Here {
            as_of,
            lag: (newest - as_of).max(TimeDelta::zero()),
        }
    }

    /// Logs when it goes and when it comes back.
    fn tell(&self, state: &State) {
        let was_away = matches!(&*self.publish.borrow(), State::Away(_));
        match state {
            State::Away(why) if !was_away => tracing::warn!(why, "the replica is away"),
            State::Here { .. } if was_away => tracing::info!("the replica is here"),
            State::Away(_) | State::Here { .. } => {}
        }
    }
}

async fn pulse(store: &Store) -> Result<Pulse, String> {
    match tokio::time::timeout(LOOK_LIMIT, store.pulse()).await {
        Ok(Ok(pulse)) => Ok(pulse),
        Ok(Err(error)) => Err(in_words(&error)),
        Err(_) => Err(format!("no answer within {} s", LOOK_LIMIT.as_secs())),
    }
}

fn in_words(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn seconds(length: TimeDelta) -> f64 {
    length.as_seconds_f64()
}
