//! The control service, method by method: check who asks, then pass on.

use std::sync::Arc;

use bandit::experiment::{ArmVerb, Verb};
use chrono::{DateTime, Utc};
use protocol::alerts::{
    AckRequest, AlertDone, AlertsPage, AlertsQuery, ResendRequest, SilenceRequest,
};
use protocol::control::{
    ArmRequest, AuditPage, AuditQuery, Control, Cursor, Done, Health, Hello, PROTOCOL,
    ReleaseRequest, Snapshot, VerbRequest, Watched, Welcome,
};
use protocol::evaluation::{WhatIf, WhatIfRequest};
use protocol::experiments::{Detail, Explanation, Insights, Results};
use protocol::guardrails::{Guardrails, OverrideRequest};
use protocol::plans::{Applied, ApplyRequest, PlanReply, PlanRequest};
use protocol::refusal::{Code, Refusal};
use tarpc::context::Context;
use tokio_util::sync::CancellationToken;

use super::health::PartCheck;
use super::session::Session;
use super::watch;
use crate::access::{Action, Principal};
use crate::changes::Feed;
use crate::clock::Clock;
use crate::operations::{Operations, store_refusal};
use crate::reading::Reading;
use crate::store::{Store, alerts, audit};
use crate::world::WorldHandle;

/// What the daemon says of itself.
#[derive(Debug, Clone)]
pub struct About {
    /// Such as `pitbossd 0.1.0`.
    pub build: String,
    /// The environment's name, such as `prod`.
    pub environment: String,
    /// Whether it is one where mistakes hurt.
    pub production: bool,
    /// The address of the data port.
    pub data_address: String,
    /// When this run began.
    pub started_at: DateTime<Utc>,
}

/// All that the control service passes calls on to.
#[derive(Debug, Clone)]
pub struct Service {
    /// What the daemon says of itself.
    pub about: About,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// What is served.
    pub world: WorldHandle,
    /// What changed.
    pub feed: Feed,
    /// What is changed.
    pub operations: Operations,
    /// What is shown.
    pub reading: Reading,
    /// How the parts are.
    pub health: PartCheck,
}

/// The service for one connection.
#[derive(Debug, Clone)]
pub(super) struct Server {
    service: Arc<Service>,
    session: Arc<Session>,
    stop: CancellationToken,
}

impl Server {
    pub(super) fn new(service: Arc<Service>, session: Session, stop: CancellationToken) -> Self {
        Self {
            service,
            session: Arc::new(session),
            stop,
        }
    }

    pub(super) fn principal(&self) -> &Principal {
        self.session.principal()
    }

    async fn act(&self, verb: Verb, request: VerbRequest) -> Result<Done, Refusal> {
        let caller = self.session.act(verb)?;
        self.service.operations.act(verb, request, caller).await
    }
}

impl Control for Server {
    async fn hello(self, _: Context, hello: Hello) -> Result<Welcome, Refusal> {
        self.session.greet(&hello)?;
        let About {
            build,
            environment,
            production,
            data_address,
            started_at: _,
        } = self.service.about.clone();
        Ok(Welcome {
            protocol: PROTOCOL,
            build,
            environment,
            production,
            you: self.principal().name.clone(),
            data_address,
            now: self.service.clock.now(),
        })
    }

    async fn snapshot(self, _: Context, after: Option<String>) -> Result<Snapshot, Refusal> {
        self.session.look()?;
        watch::snapshot(&self.service, after.as_deref()).await
    }

    async fn watch(self, _: Context, cursor: Cursor, max_wait_ms: u64) -> Result<Watched, Refusal> {
        self.session.look()?;
        watch::watch(&self.service, &cursor, max_wait_ms, &self.stop).await
    }

    async fn detail(self, _: Context, key: String) -> Result<Detail, Refusal> {
        self.session.look()?;
        Ok(self.service.reading.detail(&key).await?)
    }

    async fn plan(self, _: Context, request: PlanRequest) -> Result<PlanReply, Refusal> {
        self.session.look()?;
        self.service.operations.plan(&request).await
    }

    async fn apply(self, _: Context, request: ApplyRequest) -> Result<Applied, Refusal> {
        let caller = self.session.allow(Action::Apply)?;
        self.service.operations.apply(request, caller).await
    }

    async fn start(self, _: Context, request: VerbRequest) -> Result<Done, Refusal> {
        self.act(Verb::Start, request).await
    }

    async fn pause(self, _: Context, request: VerbRequest) -> Result<Done, Refusal> {
        self.act(Verb::Pause, request).await
    }

    async fn resume(self, _: Context, request: VerbRequest) -> Result<Done, Refusal> {
        self.act(Verb::Resume, request).await
    }

    async fn stop(self, _: Context, request: VerbRequest) -> Result<Done, Refusal> {
        self.act(Verb::Stop, request).await
    }

    async fn rollback(self, _: Context, request: VerbRequest) -> Result<Done, Refusal> {
        self.act(Verb::Rollback, request).await
    }

    async fn archive(self, _: Context, request: VerbRequest) -> Result<Done, Refusal> {
        self.act(Verb::Archive, request).await
    }

    async fn quarantine(self, _: Context, request: ArmRequest) -> Result<Done, Refusal> {
        let caller = self.session.allow(Action::DoToArm(ArmVerb::Quarantine))?;
        self.service.operations.quarantine(request, caller).await
    }

    async fn release(self, _: Context, request: ReleaseRequest) -> Result<Done, Refusal> {
        let caller = self.session.allow(Action::DoToArm(ArmVerb::Release))?;
        self.service.operations.release(request, caller).await
    }

    async fn ship(self, _: Context, request: ArmRequest) -> Result<Done, Refusal> {
        let caller = self.session.allow(Action::DoToArm(ArmVerb::Ship))?;
        self.service.operations.ship(request, caller).await
    }

    async fn results(self, _: Context, key: String) -> Result<Results, Refusal> {
        self.session.look()?;
        Ok(self.service.reading.results(&key).await?)
    }

    async fn insights(self, _: Context, key: String) -> Result<Insights, Refusal> {
        self.session.look()?;
        Ok(self.service.reading.insights(&key).await?)
    }

    async fn explain(self, _: Context, key: String, unit: String) -> Result<Explanation, Refusal> {
        self.session.look()?;
        if unit.is_empty() {
            let message = "the unit is empty; name the user, account or device to explain";
            return Err(Refusal::new(Code::Invalid, message));
        }
        Ok(self.service.reading.explain(&key, &unit).await?)
    }

    async fn whatif(self, _: Context, request: WhatIfRequest) -> Result<WhatIf, Refusal> {
        self.session.look()?;
        Ok(self.service.reading.what_if(&request).await?)
    }

    async fn guardrails(self, _: Context, key: String) -> Result<Guardrails, Refusal> {
        self.session.look()?;
        Ok(self.service.reading.guardrails(&key).await?)
    }

    async fn override_guardrail(
        self,
        _: Context,
        request: OverrideRequest,
    ) -> Result<Done, Refusal> {
        let caller = self.session.allow(Action::Override)?;
        self.service
            .operations
            .override_guardrail(request, caller)
            .await
    }

    async fn audit(self, _: Context, query: AuditQuery) -> Result<AuditPage, Refusal> {
        self.session.look()?;
        self.service.reading.present()?;
        audit::page(&self.service.store, &query)
            .await
            .map_err(|error| store_refusal(&error))
    }

    async fn alerts(self, _: Context, query: AlertsQuery) -> Result<AlertsPage, Refusal> {
        self.session.look()?;
        self.service.reading.present()?;
        alerts::page(&self.service.store, &query)
            .await
            .map_err(|error| store_refusal(&error))
    }

    async fn ack(self, _: Context, request: AckRequest) -> Result<AlertDone, Refusal> {
        let caller = self.session.allow(Action::Answer)?;
        self.service.operations.ack(request, caller).await
    }

    async fn silence(self, _: Context, request: SilenceRequest) -> Result<AlertDone, Refusal> {
        let caller = self.session.allow(Action::Answer)?;
        self.service.operations.silence(request, caller).await
    }

    async fn resend(self, _: Context, request: ResendRequest) -> Result<AlertDone, Refusal> {
        let caller = self.session.allow(Action::Answer)?;
        self.service.operations.resend(request, caller).await
    }

    async fn health(self, _: Context) -> Result<Health, Refusal> {
        self.session.look()?;
        let parts = self.service.health.parts().await;
        let About {
            build, started_at, ..
        } = self.service.about.clone();
        Ok(Health {
            ok: parts.iter().all(|part| part.ok),
            build,
            now: self.service.clock.now(),
            started_at,
            parts,
        })
    }
}
