//! Alerts as people look at them and answer them. Since 1.2.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertsQuery {
    /// Those that are over too.
    #[serde(default)]
    pub all: bool,
    /// At most so many, and at most 500.
    pub limit: u32,
}

/// The alerts, the worst open ones first, and how the channels do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertsPage {
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// Deliveries of digests, which are about many alerts.
    #[serde(default)]
    pub digests: Vec<Delivery>,
    /// The channels of the daemon that sends.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// Deliveries that were given up, in all.
    #[serde(default)]
    pub dead: u64,
    /// How many fire.
    #[serde(default)]
    pub counts: AlertCounts,
}

/// How many alerts fire that nobody acked or silenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AlertCounts {
    /// To be looked at now.
    #[serde(default)]
    pub critical: u64,
    /// To be looked at soon.
    #[serde(default)]
    pub warning: u64,
}

/// One alert, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// What people type.
    pub number: u64,
    /// What receivers know it by.
    pub id: Uuid,
    /// What makes two reports the same alert, such as `guardrail/checkout/errors/blue`.
    pub identity: String,
    /// The experiment's key.
    #[serde(default)]
    pub experiment: Option<String>,
    /// What found it: a guardrail's name, `decision`, `schedule` or `platform`.
    #[serde(default)]
    pub source: String,
    /// Which arm.
    #[serde(default)]
    pub arm: Option<String>,
    /// `pending`, `firing`, `acked`, `silenced` or `resolved`.
    pub state: String,
    /// `warning` or `critical`.
    pub severity: String,
    /// In a sentence.
    pub summary: String,
    /// The figures.
    #[serde(default)]
    pub detail: serde_json::Value,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// When its condition was last seen.
    #[serde(default)]
    pub reported_at: Option<DateTime<Utc>>,
    /// When people were last told that it fires.
    #[serde(default)]
    pub told_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default)]
    pub resolved_at: Option<DateTime<Utc>>,
    /// How often in a row it came back soon after it was resolved.
    #[serde(default)]
    pub flaps: u32,
    /// Who looks after it.
    #[serde(default)]
    pub acked_by: Option<String>,
    /// Why.
    #[serde(default)]
    pub ack_reason: Option<String>,
    /// Who silenced it.
    #[serde(default)]
    pub silenced_by: Option<String>,
    /// Until when.
    #[serde(default)]
    pub silenced_until: Option<DateTime<Utc>>,
    /// Why.
    #[serde(default)]
    pub silence_reason: Option<String>,
    /// What was told of it to whom, oldest first.
    #[serde(default)]
    pub deliveries: Vec<Delivery>,
}

/// One notice to one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// What people type.
    pub number: u64,
    /// To which channel.
    pub channel: String,
    /// `firing`, `reminder`, `resolved` or `digest`.
    pub notice: String,
    /// `waiting`, `delivered` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub due_at: DateTime<Utc>,
    /// When it was last tried.
    #[serde(default)]
    pub tried_at: Option<DateTime<Utc>>,
    /// When it was taken.
    #[serde(default)]
    pub delivered_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed; empty if it did not.
    #[serde(default)]
    pub error: String,
}

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// As it is called in the configuration.
    pub name: String,
    /// `alertmanager`, `webhook`, `slack`, `teams` or `smtp`.
    pub kind: String,
    /// Where it leads, without what is secret.
    pub target: String,
    /// When it said that it wants nothing any more.
    #[serde(default)]
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it last took something.
    #[serde(default)]
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it last did not.
    #[serde(default)]
    pub failed_at: Option<DateTime<Utc>>,
    /// Why; empty once it takes things again.
    #[serde(default)]
    pub error: String,
}

/// Ask to look after an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckRequest {
    /// Its number.
    pub alert: u64,
    /// Why; kept in the audit log. Must not be empty.
    pub reason: String,
    /// UUID made by the caller; the same id again gives the same answer and no second effect.
    pub request_id: Uuid,
}

/// Ask to hear nothing of an alert for some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceRequest {
    /// Its number.
    pub alert: u64,
    /// For how long, in milliseconds: 1 minute to 30 days.
    pub for_ms: u64,
    /// Why; kept in the audit log. Must not be empty.
    pub reason: String,
    /// UUID made by the caller; the same id again gives the same answer and no second effect.
    pub request_id: Uuid,
}

/// Ask for a delivery to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResendRequest {
    /// Its number.
    pub delivery: u64,
    /// Why; kept in the audit log. Must not be empty.
    pub reason: String,
    /// UUID made by the caller; the same id again gives the same answer and no second effect.
    pub request_id: Uuid,
}

/// What was done about an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertDone {
    /// The alert's number, or the delivery's.
    pub number: u64,
    /// One sentence for the line that stays.
    pub outcome: String,
    /// Whether this request id had been carried out before.
    #[serde(default)]
    pub repeated: bool,
}
