//! A database, a worker that leads, and a clock in the test's hand.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::alerts::{AlertsPage, AlertsQuery};
use tokio::sync::watch;

use super::sink::Sink;
use crate::alerts::Alerts;
use crate::clock::Clock;
use crate::config::{Channel, Secret, Target};
use crate::store::alerts::{self, Report, Severity};
use crate::store::leases::Lease;
use crate::store::{Store, StoreError, TxFuture};
use crate::testing::{TestDatabase, database};
use crate::workers::runner::Work;

/// Of 32 bytes.
pub(super) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// A quarter of a second for a receiver on the same machine that will not answer anyway.
const PATIENCE: Duration = Duration::from_millis(250);

pub(super) struct Site {
    pub(super) database: TestDatabase,
    pub(super) clock: Clock,
    pub(super) alerts: Alerts,
    pub(super) configured: watch::Sender<Arc<[Channel]>>,
}

/// A webhook to `sink`.
pub(super) fn webhook(name: &str, sink: &Sink) -> Channel {
    Channel {
        name: name.to_owned(),
        least: Severity::Warning,
        allow_private: true,
        target: Target::Webhook {
            url: Secret::new(sink.url().parse().unwrap()),
            secrets: Secret::new(vec![SECRET.to_owned()]),
        },
    }
}

impl Site {
    pub(super) async fn start(channels: impl Into<Arc<[Channel]>>) -> Self {
        let database = database().await;
        // The verifiers of signatures look at the system's clock.
        let clock = Clock::fake(Clock::system().now());
        let configured = watch::Sender::new(channels.into());
        let alerts = worker(&database.store, &configured, &clock);
        Self {
            database,
            clock,
            alerts,
            configured,
        }
    }

    /// Another daemon's worker on the same database.
    pub(super) fn another(&self) -> Alerts {
        worker(&self.database.store, &self.configured, &self.clock)
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) async fn lease(&self, holder: &str) -> Option<Lease> {
        let lease = self.database.store.take_lease("alerts", holder).await;
        lease.unwrap()
    }

    /// A round, and all that is sent in it.
    pub(super) async fn round(&mut self) {
        let lease = self.lease("a").await.expect("nobody else leads");
        self.alerts.run(&lease).await.unwrap();
        self.alerts.settle().await;
    }

    /// The same after `by`.
    pub(super) async fn later(&mut self, by: TimeDelta) {
        self.clock.advance(by);
        self.round().await;
    }

    pub(super) async fn report(&self, identity: &str, severity: Severity, summary: &str) {
        let report = report(identity, severity, summary, self.now());
        self.report_this(&report).await;
    }

    pub(super) async fn report_this(&self, report: &Report<'_>) {
        let written = self.database.store.run_tx("test", |tx| {
            TxFuture::new(async move { alerts::report(tx, report).await })
        });
        written.await.unwrap();
    }

    pub(super) async fn resolve(&self, identity: &str) {
        let now = self.now();
        let written = self.database.store.run_tx("test", |tx| {
            TxFuture::new(async move { alerts::resolve(tx, identity, now).await })
        });
        written.await.unwrap();
    }

    pub(super) async fn page(&self) -> AlertsPage {
        let query = AlertsQuery {
            all: true,
            limit: 500,
        };
        alerts::page(&self.database.store, &query).await.unwrap()
    }
}

fn worker(store: &Store, configured: &watch::Sender<Arc<[Channel]>>, clock: &Clock) -> Alerts {
    Alerts::new(store.clone(), "test".to_owned(), configured.subscribe())
        .by(clock.clone(), PATIENCE)
}

pub(super) fn report(
    identity: &str,
    severity: Severity,
    summary: &str,
    at: DateTime<Utc>,
) -> Report<'static> {
    Report {
        identity: identity.to_owned(),
        experiment: None,
        key: Some("checkout".to_owned()),
        source: "errors",
        arm: Some("blue".to_owned()),
        severity,
        summary: summary.to_owned(),
        detail: serde_json::json!({ "rate": 0.03, "limit": 0.02 }),
        at,
        pending: false,
    }
}

/// A statement of the test's own.
pub(super) async fn execute(store: &Store, text: &'static str) -> Result<(), StoreError> {
    sqlx::query(text).execute(&store.pool).await?;
    Ok(())
}
