//! The role `alerts`: lets time do its part (reminders, silences that end), turns notices into deliveries and sends
//! them. A slow receiver holds up nobody but itself: each channel is drained by a task of its own, one delivery after
//! the other.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::alertmanager::{Alertmanager, OVER_FOR};
use super::lifecycle::Happening;
use super::post::PATIENCE;
use super::sender::Sender;
use super::storm;
use crate::clock::Clock;
use crate::config::Channel;
use crate::store::alerts::channels::{self, Known};
use crate::store::alerts::deliveries::{self, Attempt, Claimed, Next};
use crate::store::alerts::{self, Recipient, Report, Severity};
use crate::store::leases::{Deposed, Lease};
use crate::store::{Store, StoreError, TransactionError, TxFuture, fold};
use crate::workers::runner::{Round, Work};

/// Alerts, and notices, that a round takes at once: a storm's, in milliseconds each.
const AT_ONCE: i64 = 500;

/// 24 h: what nobody could be told for longer, because no channel was configured, is no news.
const NEWS: TimeDelta = TimeDelta::hours(24);

/// Why a round was not carried out. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
enum AlertsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Deposed(#[from] Deposed),
}

impl TransactionError for AlertsError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Deposed(_) => None,
        }
    }
}

/// The sending of alerts as a worker.
#[derive(Debug)]
pub struct Alerts {
    store: Store,
    environment: String,
    configured: watch::Receiver<Arc<[Channel]>>,
    /// Of a test; the others go by the database's clock.
    clock: Option<Clock>,
    patience: Duration,
    ways: Arc<Ways>,
    /// For which term the ways were made known.
    term: Option<i64>,
    sending: JoinSet<String>,
    busy: HashSet<String>,
}

/// Where it can send to.
#[derive(Debug, Default)]
struct Ways {
    senders: Vec<Arc<Sender>>,
    managers: Vec<Arc<Alertmanager>>,
    known: Vec<Known>,
}

/// What a round found.
#[derive(Debug, Default)]
struct Found {
    told: usize,
    held: usize,
    due: Vec<String>,
    standing: Vec<alerts::Alert>,
    now: DateTime<Utc>,
}

impl Alerts {
    /// Sends to the channels that are configured at the time.
    pub fn new(
        store: Store,
        environment: String,
        configured: watch::Receiver<Arc<[Channel]>>,
    ) -> Self {
        Self {
            store,
            environment,
            configured,
            clock: None,
            patience: PATIENCE,
            ways: Arc::default(),
            term: None,
            sending: JoinSet::new(),
            busy: HashSet::new(),
        }
    }

    /// The same by a test's clock, and with a test's patience.
    #[cfg(test)]
    pub(super) fn by(self, clock: Clock, patience: Duration) -> Self {
        Self {
            clock: Some(clock),
            patience,
            ..self
        }
    }

    /// Follows the configuration, and makes known what it says.
    async fn know_channels(&mut self, lease: &Lease) -> Result<(), AlertsError> {
        let changed = self.configured.has_changed().unwrap_or(false);
        if self.term == Some(lease.term) && !changed {
            return Ok(());
        }
        let channels = Arc::clone(&self.configured.borrow_and_update());
        // Until it is written: what has been seen is not told of again.
        self.term = None;
        let ways = Ways::to(&channels, &self.environment, self.patience);
        let (known, clock) = (&ways.known, &self.clock);
        self.store
            .run_led_tx("alert channels", lease, |tx| {
                TxFuture::new(async move {
                    let now = now(clock.as_ref(), tx).await?;
                    channels::put(tx, known, now).await?;
                    Ok::<_, AlertsError>(())
                })
            })
            .await?;
        self.ways = Arc::new(ways);
        self.term = Some(lease.term);
        Ok(())
    }

    async fn round(&mut self, lease: &Lease) -> Result<Round, AlertsError> {
        self.know_channels(lease).await?;
        self.reap();
        let (ways, clock) = (&self.ways, &self.clock);
        let found = self
            .store
            .run_led_tx("alerts", lease, |tx| {
                TxFuture::new(async move { look(tx, ways, clock.as_ref()).await })
            })
            .await?;
        let waits = found.due.len();
        self.send(&found, lease);
        Ok(Round {
            detail: format!(
                "{} channels; {} notices told, {} held back for a digest, {waits} channels have something due",
                self.ways.known.len(),
                found.told,
                found.held,
            ),
            again: false,
        })
    }

    /// Starts what is due and does not run yet.
    fn send(&mut self, found: &Found, lease: &Lease) {
        let ways = Arc::clone(&self.ways);
        for sender in &ways.senders {
            if !found.due.contains(&sender.name) || !self.busy.insert(sender.name.clone()) {
                continue;
            }
            let drain = Drain {
                store: self.store.clone(),
                clock: self.clock.clone(),
                lease: lease.clone(),
            };
            let sender = Arc::clone(sender);
            self.sending.spawn(async move {
                drain.run(&sender).await;
                sender.name.clone()
            });
        }
        for manager in &ways.managers {
            if !self.busy.insert(manager.name.clone()) {
                continue;
            }
            let (manager, store) = (Arc::clone(manager), self.store.clone());
            let (standing, now) = (found.standing.clone(), found.now);
            self.sending.spawn(async move {
                tell(&manager, &store, &standing, now).await;
                manager.name.clone()
            });
        }
    }

    /// Takes note of what has ended.
    fn reap(&mut self) {
        while let Some(ended) = self.sending.try_join_next() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<String, tokio::task::JoinError>) {
        match ended {
            Ok(name) => {
                self.busy.remove(&name);
            }
            Err(error) => {
                tracing::error!(target: "pitboss::worker", %error, "sending of alerts ended abnormally");
                // Which channel it was is not known any more; a claim keeps two from sending the same.
                self.busy.clear();
            }
        }
    }

    /// Waits until everything that is being sent has ended.
    #[cfg(test)]
    pub(super) async fn settle(&mut self) {
        while let Some(ended) = self.sending.join_next().await {
            self.ended(ended);
        }
    }
}

impl Work for Alerts {
    async fn run(
        &mut self,
        lease: &Lease,
    ) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.round(lease).await?)
    }
}

impl Ways {
    fn to(channels: &[Channel], environment: &str, patience: Duration) -> Self {
        let senders = channels
            .iter()
            .filter_map(|channel| Sender::new(channel, environment, patience));
        let managers = channels
            .iter()
            .filter_map(|channel| Alertmanager::new(channel, environment, patience));
        Self {
            senders: senders.map(Arc::new).collect(),
            managers: managers.map(Arc::new).collect(),
            known: channels
                .iter()
                .map(|channel| Known {
                    name: channel.name.clone(),
                    kind: channel.kind(),
                    target: channel.place(),
                    fingerprint: channel.fingerprint(),
                })
                .collect(),
        }
    }

    async fn recipients(&self, tx: &mut PgConnection) -> Result<Vec<Recipient>, StoreError> {
        let disabled = channels::disabled(tx).await?;
        let recipient = |sender: &Arc<Sender>| Recipient {
            channel: sender.name.clone(),
            least: sender.least,
            disabled: disabled
                .iter()
                .find(|(name, _)| *name == sender.name)
                .map(|(_, why)| format!("the channel is disabled: {why}")),
        };
        Ok(self.senders.iter().map(recipient).collect())
    }
}

async fn now(clock: Option<&Clock>, tx: &mut PgConnection) -> Result<DateTime<Utc>, StoreError> {
    match clock {
        Some(clock) => Ok(clock.now()),
        None => fold::now(tx).await,
    }
}

/// One transaction: what time made to tell, who is told what waits, and what is due.
async fn look(
    tx: &mut PgConnection,
    ways: &Ways,
    clock: Option<&Clock>,
) -> Result<Found, AlertsError> {
    let now = now(clock, tx).await?;
    for alert in alerts::wait_over(tx, now, AT_ONCE).await? {
        let _ = alerts::step(tx, &alert, Happening::Waited, now).await?;
    }
    let (told, held) = share_out(tx, ways, now).await?;
    let standing = if ways.managers.is_empty() {
        Vec::new()
    } else {
        alerts::standing(tx, now, OVER_FOR).await?
    };
    Ok(Found {
        told,
        held,
        due: deliveries::due(tx, now).await?,
        standing,
        now,
    })
}

/// Makes deliveries of the notices that wait, as many as are told in a minute; says how many were told, and held back.
async fn share_out(
    tx: &mut PgConnection,
    ways: &Ways,
    now: DateTime<Utc>,
) -> Result<(usize, usize), AlertsError> {
    alerts::forget(tx, now - NEWS).await?;
    let waiting = alerts::waiting(tx, AT_ONCE).await?;
    let held_since = alerts::held_since(tx).await?;
    if waiting.is_empty() && held_since.is_none() {
        return Ok((0, 0));
    }
    let told = alerts::told_recently(tx, now).await?;
    let share = storm::share(now, told, waiting.len(), held_since);
    let recipients = ways.recipients(tx).await?;
    let (tell, hold) = waiting.split_at(share.told);
    for notice in tell {
        alerts::expand(tx, notice, &recipients, now).await?;
    }
    alerts::hold(tx, hold).await?;
    if share.digest
        && let Some(digest) = alerts::make_digest(tx, now).await?
    {
        alerts::expand(tx, &digest, &recipients, now).await?;
    }
    metrics::counter!("pitboss_alert_notices_total").increment(tell.len() as u64);
    metrics::counter!("pitboss_alert_notices_held_total").increment(hold.len() as u64);
    Ok((share.told, share.held))
}

/// Says how things stand, and notes how that went.
async fn tell(
    manager: &Alertmanager,
    store: &Store,
    standing: &[alerts::Alert],
    now: DateTime<Utc>,
) {
    let Some(told) = manager.tell(standing, now).await else {
        return;
    };
    count(
        &manager.name,
        if told.is_ok() { "delivered" } else { "failed" },
    );
    let (name, told) = (&manager.name, &told);
    let noted = store
        .run_tx("alert channel", |tx| {
            TxFuture::new(async move {
                match told {
                    Ok(()) => channels::delivered(tx, name, now).await,
                    Err(error) => channels::failed(tx, name, error, now).await,
                }
            })
        })
        .await;
    if let Err(error) = noted {
        tracing::debug!(target: "pitboss::worker", channel = name, %error, "not noted");
    }
}

/// Sends what is due to one channel, one after the other.
struct Drain {
    store: Store,
    clock: Option<Clock>,
    lease: Lease,
}

impl Drain {
    async fn run(&self, sender: &Sender) {
        loop {
            match self.next(sender).await {
                Ok(true) => {}
                Ok(false) => return,
                // Claims expire, and the next round begins anew.
                Err(error) => {
                    let channel = &sender.name;
                    return tracing::debug!(target: "pitboss::worker", channel, %error, "deliveries put off");
                }
            }
        }
    }

    /// Sends the next one; says whether there may be more.
    async fn next(&self, sender: &Sender) -> Result<bool, AlertsError> {
        let (channel, clock) = (&sender.name, self.clock.as_ref());
        let claimed = self
            .store
            .run_led_tx("alert claim", &self.lease, |tx| {
                TxFuture::new(async move {
                    let now = now(clock, tx).await?;
                    let claimed = deliveries::claim(tx, channel, now).await?;
                    Ok::<_, AlertsError>(claimed.map(|claimed| (claimed, now)))
                })
            })
            .await?;
        let Some((claimed, now)) = claimed else {
            return Ok(false);
        };
        let attempt = sender.send(&claimed, now).await;
        self.record(sender, &claimed, &attempt).await?;
        // A receiver that does not take one is not asked to take the next.
        Ok(attempt == Attempt::Delivered)
    }

    /// Whoever leads by now: what was sent was sent.
    async fn record(
        &self,
        sender: &Sender,
        claimed: &Claimed,
        attempt: &Attempt,
    ) -> Result<(), AlertsError> {
        let (channel, clock) = (&sender.name, self.clock.as_ref());
        let next = self
            .store
            .run_tx("alert delivery", |tx| {
                TxFuture::new(async move {
                    let now = now(clock, tx).await?;
                    let next = deliveries::record(tx, claimed, attempt, now).await?;
                    note(tx, channel, attempt, next, now).await?;
                    Ok::<_, AlertsError>(next)
                })
            })
            .await?;
        let outcome = match (attempt, next) {
            (Attempt::Delivered, _) => "delivered",
            (Attempt::Gone { .. }, _) => "gone",
            (Attempt::Failed { .. }, Next::Dead) => "dead",
            (Attempt::Failed { .. }, _) => "failed",
        };
        count(channel, outcome);
        if let Attempt::Failed { error, .. } | Attempt::Gone { error } = attempt {
            let (delivery, attempt) = (claimed.id, claimed.attempt);
            tracing::warn!(target: "pitboss::worker", channel, %delivery, attempt, outcome, error, "alert not delivered");
        }
        Ok(())
    }
}

/// How the channel does, and that it is an alert itself if it does not.
async fn note(
    tx: &mut PgConnection,
    channel: &str,
    attempt: &Attempt,
    next: Next,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let identity = channels::identity(channel);
    let (error, disabled) = match attempt {
        Attempt::Delivered => {
            channels::delivered(tx, channel, now).await?;
            return alerts::resolve(tx, &identity, now).await;
        }
        Attempt::Failed { error, .. } => (error, false),
        Attempt::Gone { error } => (error, true),
    };
    channels::failed(tx, channel, error, now).await?;
    if disabled {
        channels::disable(tx, channel, now).await?;
        let why = format!("the channel is disabled: {error}");
        deliveries::bury(tx, channel, &why, now).await?;
    }
    if next != Next::Dead {
        return Ok(());
    }
    let how = if disabled {
        "wants no alerts any more and is disabled until its address changes or something is sent again by hand"
    } else {
        "did not take an alert in ten attempts"
    };
    let report = Report {
        identity,
        experiment: None,
        key: None,
        source: "platform",
        arm: None,
        severity: Severity::Critical,
        summary: format!("the alert channel {channel} {how}: {error}"),
        detail: serde_json::json!({}),
        at: now,
        pending: false,
    };
    alerts::report(tx, &report).await
}

fn count(channel: &str, outcome: &'static str) {
    metrics::counter!(
        "pitboss_alert_deliveries_total", "channel" => channel.to_owned(), "outcome" => outcome
    )
    .increment(1);
}
