//! The control service: what a console may ask of a daemon.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::alerts::{
    AckRequest, AlertDone, AlertsPage, AlertsQuery, ResendRequest, SilenceRequest,
};
use crate::evaluation::{WhatIf, WhatIfRequest};
use crate::experiments::{Detail, Explanation, Insights, Results, Row};
use crate::guardrails::{Guardrails, OverrideRequest};
use crate::plans::{Applied, ApplyRequest, PlanReply, PlanRequest};
use crate::refusal::Refusal;

/// The version of this contract. A daemon answers every older minor of its major.
pub const PROTOCOL: ProtocolVersion = ProtocolVersion { major: 1, minor: 2 };

/// Longest time a `watch` is held open: below the 20 s after which a console calls its data stale.
pub const MAX_WATCH_MS: u64 = 15_000;

/// Experiments a page of `snapshot` or `watch` carries, at most: 100 rows of 64 arms stay below 4 MiB.
pub const PAGE_ROWS: usize = 100;

/// What a console may ask. `hello` comes first; everything else is refused before it.
#[tarpc::service]
pub trait Control {
    /// Exchange versions and learn who the daemon thinks you are.
    async fn hello(hello: Hello) -> Result<Welcome, Refusal>;
    /// One page of all experiments, in key order, after `after`.
    async fn snapshot(after: Option<String>) -> Result<Snapshot, Refusal>;
    /// What changed since the cursor, as soon as something did, or nothing after `max_wait_ms`.
    async fn watch(cursor: Cursor, max_wait_ms: u64) -> Result<Watched, Refusal>;
    /// One experiment with its history, as its screen shows it.
    async fn detail(key: String) -> Result<Detail, Refusal>;
    /// What a file would change, and its effects in words. Changes nothing.
    async fn plan(request: PlanRequest) -> Result<PlanReply, Refusal>;
    /// Carry out a plan, if the revision it was made for still stands.
    async fn apply(request: ApplyRequest) -> Result<Applied, Refusal>;
    /// draft -> running
    async fn start(request: VerbRequest) -> Result<Done, Refusal>;
    /// running -> paused
    async fn pause(request: VerbRequest) -> Result<Done, Refusal>;
    /// paused or rolled back -> running
    async fn resume(request: VerbRequest) -> Result<Done, Refusal>;
    /// running, paused or rolled back -> stopped
    async fn stop(request: VerbRequest) -> Result<Done, Refusal>;
    /// running or paused -> rolled back
    async fn rollback(request: VerbRequest) -> Result<Done, Refusal>;
    /// draft or stopped -> archived
    async fn archive(request: VerbRequest) -> Result<Done, Refusal>;
    /// Close an arm to new units until it is released. Since 1.2.
    async fn quarantine(request: ArmRequest) -> Result<Done, Refusal>;
    /// Release the quarantine of an arm, or every hold on an experiment. Its state stays what it is. Since 1.2.
    async fn release(request: ReleaseRequest) -> Result<Done, Refusal>;
    /// running, paused or rolled back -> stopped, with one arm for everyone. Since 1.2.
    async fn ship(request: ArmRequest) -> Result<Done, Refusal>;
    /// Counts, rates and posteriors.
    async fn results(key: String) -> Result<Results, Refusal>;
    /// The reading of the results, in words.
    async fn insights(key: String) -> Result<Insights, Refusal>;
    /// Why a unit has its arm, recomputed from its version and salt.
    async fn explain(key: String, unit: String) -> Result<Explanation, Refusal>;
    /// What another policy would have earned on the experiment's own log. Since 1.1.
    async fn whatif(request: WhatIfRequest) -> Result<WhatIf, Refusal>;
    /// What guardrails say, and what they did. Since 1.2.
    async fn guardrails(key: String) -> Result<Guardrails, Refusal>;
    /// Keep a guardrail from acting for a while, or arm it again. Since 1.2.
    async fn override_guardrail(request: OverrideRequest) -> Result<Done, Refusal>;
    /// Who changed what, newest first.
    async fn audit(query: AuditQuery) -> Result<AuditPage, Refusal>;
    /// What is wrong, who looks after it, and who was told. Since 1.2.
    async fn alerts(query: AlertsQuery) -> Result<AlertsPage, Refusal>;
    /// Somebody looks after an alert: nobody is reminded of it. Since 1.2.
    async fn ack(request: AckRequest) -> Result<AlertDone, Refusal>;
    /// Nobody is told of an alert for some time. Since 1.2.
    async fn silence(request: SilenceRequest) -> Result<AlertDone, Refusal>;
    /// Send a delivery again, under the same id. Since 1.2.
    async fn resend(request: ResendRequest) -> Result<AlertDone, Refusal>;
    /// Whether everything is well.
    async fn health() -> Result<Health, Refusal>;
}

/// A version of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolVersion {
    /// Differs: they cannot talk.
    pub major: u16,
    /// Differs: the newer one keeps to what the older one knows.
    pub minor: u16,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The caller's contract version.
    pub protocol: ProtocolVersion,
    /// The caller's build, such as `pitboss 0.1.0`.
    pub build: String,
    /// The host the caller runs on, for the audit log.
    #[serde(default)]
    pub host: String,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The daemon's contract version.
    pub protocol: ProtocolVersion,
    /// The daemon's build.
    pub build: String,
    /// The environment's name, such as `prod` or `demo`.
    pub environment: String,
    /// Whether the environment is one where mistakes hurt.
    pub production: bool,
    /// Who the daemon takes the caller for, such as `ana (uid 1000)`.
    pub you: String,
    /// The address of the data port.
    #[serde(default)]
    pub data_address: String,
    /// The daemon's clock.
    pub now: DateTime<Utc>,
}

/// A place in the daemon's stream of changes. Belongs to one run of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Which run of the daemon; a restart makes old cursors unknown.
    pub run: String,
    /// How many changes there were.
    pub seq: u64,
}

/// One page of the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where to watch from; of the first page if there are several.
    pub cursor: Cursor,
    /// The daemon's clock.
    pub now: DateTime<Utc>,
    /// The installation's revision.
    pub revision: u64,
    /// Up to [`PAGE_ROWS`] experiments, in key order.
    pub rows: Vec<Row>,
    /// The key to ask the next page after; `None` on the last.
    pub next: Option<String>,
}

/// What a watch brings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Watched {
    /// Changes, or none: the heartbeat.
    Delta(Delta),
    /// The daemon does not hold the cursor: take a snapshot.
    Resync,
    /// A kind this build does not know.
    #[serde(other)]
    Unknown,
}

/// Changes since a cursor, newest state only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// Where to watch from next.
    pub cursor: Cursor,
    /// The daemon's clock.
    pub now: DateTime<Utc>,
    /// The installation's revision.
    pub revision: u64,
    /// The changed experiments as they are now, at most [`PAGE_ROWS`].
    pub rows: Vec<Row>,
    /// Keys that are gone from the list.
    pub gone: Vec<String>,
    /// Changes that were merged into later ones before they could be sent.
    pub coalesced: u64,
    /// More is waiting: watch again at once.
    pub more: bool,
}

/// Ask for a change of state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerbRequest {
    /// Which experiment.
    pub key: String,
    /// Why; kept in the audit log. Must not be empty.
    pub reason: String,
    /// UUID made by the caller; the same id again gives the same answer and no second effect.
    pub request_id: uuid::Uuid,
    /// Refuse unless the experiment still has this revision.
    #[serde(default)]
    pub expect_revision: Option<u64>,
}

/// Ask for a change of what one arm gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmRequest {
    /// Which experiment.
    pub key: String,
    /// Which arm, by its name.
    pub arm: String,
    /// Why; kept in the audit log. Must not be empty.
    pub reason: String,
    /// UUID made by the caller; the same id again gives the same answer and no second effect.
    pub request_id: uuid::Uuid,
    /// Refuse unless the experiment still has this revision.
    #[serde(default)]
    pub expect_revision: Option<u64>,
}

/// Ask for the end of holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseRequest {
    /// Which experiment.
    pub key: String,
    /// The quarantine of this arm, by its name; `None`: every hold.
    #[serde(default)]
    pub arm: Option<String>,
    /// Why; kept in the audit log. Must not be empty.
    pub reason: String,
    /// UUID made by the caller; the same id again gives the same answer and no second effect.
    pub request_id: uuid::Uuid,
    /// Refuse unless the experiment still has this revision.
    #[serde(default)]
    pub expect_revision: Option<u64>,
}

/// A mutation that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Which experiment.
    pub key: String,
    /// Its state now.
    pub state: String,
    /// The installation's revision after it.
    pub revision: u64,
    /// One sentence for the line that stays.
    pub outcome: String,
    /// Whether this request id had been carried out before.
    #[serde(default)]
    pub repeated: bool,
}

/// Which audit rows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AuditQuery {
    /// Only of this experiment.
    #[serde(default)]
    pub key: Option<String>,
    /// Only older than this sequence number.
    #[serde(default)]
    pub before: Option<u64>,
    /// At most so many, and at most 500.
    pub limit: u32,
}

/// Audit rows, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditPage {
    /// The rows.
    pub entries: Vec<AuditEntry>,
    /// Ask with this `before` for older ones; `None` at the end.
    pub next: Option<u64>,
}

/// One mutation, for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the chain, from 1.
    pub seq: u64,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// Through what: console, cli, daemon.
    pub via: String,
    /// The verb.
    pub action: String,
    /// On what.
    pub target: String,
    /// `ok` or `refused`.
    pub result: String,
    /// The installation's revision after it.
    pub revision: u64,
    /// Why.
    pub reason: String,
    /// The request's id.
    pub request_id: uuid::Uuid,
    /// What changed, as JSON text.
    pub body: String,
}

/// Whether everything is well, part by part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// All parts are.
    pub ok: bool,
    /// The daemon's build.
    pub build: String,
    /// The daemon's clock.
    pub now: DateTime<Utc>,
    /// When this run began.
    pub started_at: DateTime<Utc>,
    /// The parts.
    pub parts: Vec<PartHealth>,
}

/// One part of the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartHealth {
    /// Its name: database, fold, publish, world, ingest.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// In words, with figures.
    pub detail: String,
    /// When it last finished a round.
    pub last_run: Option<DateTime<Utc>>,
}
