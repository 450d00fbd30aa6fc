//! Assign: the walk of one unit from its key to its arm.

use std::time::Duration;

use bandit::assign::{Decision, Reason, Stored, UnitKey, decide, honour};
use bandit::experiment::{ArmId, RunState};
use bandit::spec::model::{Attributes, OnOutage};

use super::draws::Wanted;
use super::track::new_id;
use super::{Durability, Ingest, NotDone};
use crate::clock::Stopwatch;
use crate::spool::item;
use crate::sticky::Recorded;
use crate::store::assignments::Draw;
use crate::world::Live;

/// 1 s: callers wait for an assign before they can answer their own user, so control now is worth more than
/// the drawn arm later (DESIGN section 9). What was handed in is written all the same.
const WAIT: Duration = Duration::from_secs(1);

/// What a unit gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assigned {
    /// The arm to serve.
    pub arm: ArmId,
    /// Why.
    pub reason: Reason,
    /// The record behind the arm; `None` where the arm is not the unit's own draw.
    pub recorded: Option<Recorded>,
    /// Whether it was recorded by this call.
    pub new: bool,
}

impl Ingest {
    /// Gives the unit its arm: the recorded one, or a new draw that is in the database before this returns.
    /// With `expose`, the unit's attribution window starts now, unless it has started before.
    pub async fn assign(
        &self,
        live: &Live,
        unit: UnitKey,
        attributes: &Attributes,
        expose: bool,
    ) -> Result<Assigned, NotDone> {
        let started = Stopwatch::start();
        let assigned = self.decide(live, unit, attributes, expose).await?;
        self.durations.record(started.elapsed().as_secs_f64());
        let meter = match (assigned.new, assigned.recorded) {
            (true, _) => &live.meters.policy,
            (false, Some(_)) => &live.meters.sticky,
            (false, None) => &live.meters.fallback,
        };
        meter.increment(1);
        Ok(assigned)
    }

    /// Whether the unit's record is of an arm that `live` does not have: another daemon has given it to the unit since
    /// this one read the experiment.
    pub fn is_ahead_of(&self, live: &Live, unit: UnitKey) -> bool {
        let recorded = self.sticky.get(live.id, unit);
        recorded.is_some_and(|recorded| live.serving.arm(recorded.stored.arm).is_none())
    }

    async fn decide(
        &self,
        live: &Live,
        unit: UnitKey,
        attributes: &Attributes,
        expose: bool,
    ) -> Result<Assigned, NotDone> {
        let serving = &live.serving;
        if !keeps_assignments(&serving.state) {
            return Ok(unrecorded(live, decide(serving, &unit, attributes)));
        }
        if let Some(recorded) = self.sticky.get(live.id, unit) {
            return self.keep(live, unit, recorded, expose).await;
        }
        match decide(serving, &unit, attributes) {
            Decision::Draw {
                lane,
                arm,
                version,
                propensity,
            } => {
                let stored = Stored { lane, arm, version };
                self.record(live, unit, stored, propensity, expose).await
            }
            // The unit may have a record from before the pause, the lower traffic or the other attributes.
            otherwise => {
                let found = self.lookups.submit((live.id, unit));
                match self.outage.unless_away(WAIT, found).await {
                    Ok(Some(recorded)) => self.keep(live, unit, recorded, expose).await,
                    Ok(None) => Ok(unrecorded(live, otherwise)),
                    Err(NotDone::Full) => Err(NotDone::Full),
                    Err(_) => Ok(outage(live)),
                }
            }
        }
    }

    /// Records a draw, or learns what was recorded before.
    async fn record(
        &self,
        live: &Live,
        unit: UnitKey,
        stored: Stored,
        propensity: f64,
        expose: bool,
    ) -> Result<Assigned, NotDone> {
        let draw = Draw {
            place: (live.id, unit),
            stored,
            expose,
            at: self.clock.now(),
        };
        let settled = self.draws.submit(Wanted { draw, propensity });
        let settled = match self.outage.unless_away(WAIT, settled).await {
            Ok(settled) => settled,
            Err(NotDone::Full) => return Err(NotDone::Full),
            Err(_) => return Ok(self.without_database(live, draw, propensity).await),
        };
        if !settled.new {
            return self.keep(live, unit, settled.recorded, expose).await;
        }
        Ok(Assigned {
            arm: settled.recorded.stored.arm,
            reason: Reason::Assigned,
            recorded: Some(settled.recorded),
            new: true,
        })
    }

    /// A draw that cannot be recorded now: control, or where the experiment says `frozen`, the drawn arm, which
    /// is spooled and recorded when the database is back, unless the unit has a record by then.
    async fn without_database(&self, live: &Live, draw: Draw, propensity: f64) -> Assigned {
        if live.spec.on_outage == OnOutage::Control {
            return outage(live);
        }
        let payload = item::assigned(&draw, propensity, new_id(draw.at));
        if self.outage.keep_payloads(vec![payload]).await.is_err() {
            return outage(live);
        }
        let recorded = Recorded {
            stored: draw.stored,
            propensity,
            exposed: draw.expose,
        };
        let (experiment, unit) = draw.place;
        self.sticky.insert(experiment, unit, recorded);
        Assigned {
            arm: draw.stored.arm,
            reason: Reason::Frozen,
            recorded: Some(recorded),
            new: true,
        }
    }

    /// Honours a record, and exposes the unit if it is to be and was not.
    async fn keep(
        &self,
        live: &Live,
        unit: UnitKey,
        recorded: Recorded,
        expose: bool,
    ) -> Result<Assigned, NotDone> {
        let honoured = honour(&live.serving, recorded.stored);
        if honoured.reason != Reason::Sticky {
            return Ok(Assigned {
                arm: honoured.arm,
                reason: honoured.reason,
                recorded: None,
                new: false,
            });
        }
        let mut away = self.outage.breaker.is_open();
        if expose && !recorded.exposed {
            match self.land_exposure(WAIT, live, unit, recorded).await {
                Ok(Durability::Db) => {}
                Ok(Durability::Spool) | Err(NotDone::Away | NotDone::SpoolFull) => away = true,
                Err(NotDone::Full) => return Err(NotDone::Full),
            }
        }
        let reason = if away { Reason::Stale } else { Reason::Sticky };
        Ok(Assigned {
            arm: honoured.arm,
            reason,
            recorded: Some(recorded),
            new: false,
        })
    }
}

/// Whether recorded units get their own arm; in every other state one answer fits all, without a look at the
/// database.
pub(super) fn keeps_assignments(state: &RunState) -> bool {
    matches!(state, RunState::Running { .. } | RunState::Paused { .. })
}

/// A decision that leaves no trace.
fn unrecorded(live: &Live, decision: Decision) -> Assigned {
    let (arm, reason) = match decision {
        Decision::Shipped { arm } => (arm, Reason::Shipped),
        Decision::Control { reason } => (live.serving.control().id, reason),
        Decision::Draw { .. } => (live.serving.control().id, Reason::NotRunning),
    };
    Assigned {
        arm,
        reason,
        recorded: None,
        new: false,
    }
}

/// The database is away: control, not recorded. Nothing is remembered, so the unit is decided afresh as
/// soon as the database is back.
fn outage(live: &Live) -> Assigned {
    unrecorded(
        live,
        Decision::Control {
            reason: Reason::Outage,
        },
    )
}
