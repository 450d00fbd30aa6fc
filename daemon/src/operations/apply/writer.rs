//! Writes a judged plan: specs, arms, policy versions, states and released holds, all under one revision.

use bandit::experiment::{ArmName, ExperimentId, Revision, RunState, Verb};
use bandit::plan::Change as Planned;
use bandit::spec::model::ExperimentSpec;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::operations::arms::republish;
use crate::operations::current::Present;
use crate::operations::failure::Failure;
use crate::operations::ramp;
use crate::store::holds::{self, Which};
use crate::store::revisions;
use crate::store::versions::{self, publish_all_lanes};

/// Writes a plan's changes under one revision.
pub(super) struct Writer<'a> {
    pub(super) revision: Revision,
    pub(super) at: DateTime<Utc>,
    pub(super) by: &'a str,
    pub(super) why: &'a str,
    pub(super) release_holds: bool,
}

impl Writer<'_> {
    /// Carries out one change; `present` is the experiment as it is, if there is one.
    pub(super) async fn put(
        &self,
        tx: &mut PgConnection,
        change: &Planned,
        present: Option<&Present>,
    ) -> Result<(), Failure> {
        let id = match present {
            Some(present) => present.id,
            None => revisions::create(tx, change.key.as_str(), self.revision, self.at).await?,
        };
        // First, so that every lane is published with the arms that are open then.
        if let Some(present) = present {
            self.release_arms(tx, change, present).await?;
        }
        if let Some(spec) = &change.spec {
            let started_at = present.and_then(|it| it.started_at);
            self.put_spec(tx, id, spec, started_at).await?;
            if let Some(present) = present.filter(|it| it.current.state.has_started()) {
                ramp::carry_on(tx, present, spec, self.at).await?;
            }
        }
        if let Some(verb) = change.verb {
            let state = present.map_or(&RunState::Draft, |it| &it.current.state);
            self.put_state(tx, id, state, verb).await?;
            let spec = change.spec.as_ref();
            if verb == Verb::Start
                && let Some(spec) = spec.or_else(|| Some(&present?.current.spec))
            {
                ramp::begin(tx, id, spec, self.at).await?;
            }
        }
        Ok(())
    }

    async fn release_arms(
        &self,
        tx: &mut PgConnection,
        change: &Planned,
        present: &Present,
    ) -> Result<(), Failure> {
        let known = &present.current.arms;
        let released = known
            .iter()
            .filter(|arm| change.released.contains(&arm.name));
        for arm in released {
            holds::release(tx, present.id, Which::Arm(arm.id), self.at).await?;
        }
        if change.released.is_empty() || change.spec.is_some() {
            return Ok(());
        }
        let names: Vec<&str> = change.released.iter().map(ArmName::as_str).collect();
        let reason = format!("released {}", names.join(", "));
        republish(tx, present.id, self.revision, &reason, self.at).await
    }

    /// Stores the spec and publishes every lane under it, so that no new unit is drawn from a split that
    /// the spec in force does not know.
    async fn put_spec(
        &self,
        tx: &mut PgConnection,
        id: ExperimentId,
        spec: &ExperimentSpec,
        started_at: Option<DateTime<Utc>>,
    ) -> Result<(), Failure> {
        let numbered = revisions::put_spec(tx, id, spec, self.revision, self.at).await?;
        let change = versions::Change {
            experiment: id,
            revision: self.revision,
            spec,
            arms: &numbered.arms,
            lanes: &numbered.lanes,
            started_at: started_at.unwrap_or(self.at),
            reason: &format!("applied revision {}", self.revision),
            at: self.at,
        };
        publish_all_lanes(tx, &change).await?;
        Ok(())
    }

    async fn put_state(
        &self,
        tx: &mut PgConnection,
        id: ExperimentId,
        state: &RunState,
        verb: Verb,
    ) -> Result<(), Failure> {
        // The plan was made from this very state under this very lock.
        let next = state
            .after(verb, self.at, self.by, self.why)
            .map_err(|_| Failure::Illegal {
                experiment: id,
                verb,
            })?;
        revisions::put_state(tx, id, &next, self.revision).await?;
        if self.release_holds || verb == Verb::Stop {
            holds::release(tx, id, Which::State, self.at).await?;
        }
        Ok(())
    }
}
