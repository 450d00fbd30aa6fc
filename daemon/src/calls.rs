//! The data calls, whichever door they come through: what may be asked, who is let in, what is answered.
//!
//! A door (`http`, `rpc::data`) turns bytes into the typed requests of this module, whose constructors are
//! the one check there is, and writes the answers in its own words.

mod admission;
mod attributes;
mod problem;
mod requests;
mod units;

use std::sync::Arc;

use bandit::assign::{Reason, UnitKey};
use metrics::Counter;

use crate::ingest::{Durability, Event, Exposure, Ingest, NotDone};
use crate::store::landing::Landed;
use crate::world::Live;
use admission::{Admission, Admitted};

pub(crate) use admission::{Kind, events_in};
pub(crate) use attributes::Collector;
pub(crate) use problem::{Code, Problem};
pub(crate) use requests::{Assign, EventFields, MAX_NAME_LEN, TrackItem, check_text};
pub(crate) use units::{Assignment, Unit};

/// What the doors call. One for all of them: a place taken at one is taken at the others.
pub struct Calls {
    ingest: Arc<Ingest>,
    admission: Admission,
    shed_for_the_fold: Counter,
}

/// An event that was taken.
pub(crate) struct Tracked {
    /// Of what.
    pub(crate) live: Arc<Live>,
    /// The ledger's id of the event.
    pub(crate) event_id: uuid::Uuid,
    /// Where it is.
    pub(crate) durability: Durability,
}

impl Calls {
    /// Serves from `ingest`.
    pub fn new(ingest: Arc<Ingest>) -> Arc<Self> {
        Arc::new(Self {
            ingest,
            admission: Admission::new(),
            shed_for_the_fold: metrics::counter!("pitboss_shed_total", "reason" => "fold"),
        })
    }

    /// A place for one call of `kind`, or the refusal.
    pub(crate) fn admit(&self, kind: Kind) -> Result<Admitted<'_>, Problem> {
        self.admit_events(kind, 1)
    }

    /// The same for one that brings about so many events.
    pub(crate) fn admit_events(&self, kind: Kind, events: usize) -> Result<Admitted<'_>, Problem> {
        if kind == Kind::Track && self.ingest.takes_no_events() {
            self.shed_for_the_fold.increment(1);
            return Err(not_done(NotDone::Full));
        }
        self.admission.admit(kind, events)
    }

    /// The experiment under `key`.
    pub(crate) fn experiment(&self, key: &str) -> Result<Arc<Live>, Problem> {
        let world = self.ingest.world().peek();
        world
            .get(key)
            .cloned()
            .ok_or_else(|| Problem::unknown_experiment(key))
    }

    /// Gives a unit its arm.
    pub(crate) async fn assign(
        &self,
        live: Arc<Live>,
        request: &Assign,
    ) -> Result<Assignment, Problem> {
        let unit = self.unit_key(request.unit());
        let assignment = self.assign_in(live, unit, request).await?;
        let Assignment { live, assigned, .. } = &assignment;
        if assigned.reason != Reason::ArmRetired || !self.ingest.is_ahead_of(live, unit) {
            return Ok(assignment);
        }
        // The unit keeps the arm that the other daemon answered, not from the next poll on but now.
        self.ingest.world().refresh().await;
        let live = self.experiment(assignment.experiment())?;
        self.assign_in(live, unit, request).await
    }

    async fn assign_in(
        &self,
        live: Arc<Live>,
        unit: UnitKey,
        request: &Assign,
    ) -> Result<Assignment, Problem> {
        let assigned = self
            .ingest
            .assign(&live, unit, request.attributes(), request.expose())
            .await
            .map_err(not_done)?;
        Ok(Assignment {
            live,
            unit,
            assigned,
        })
    }

    /// Starts a unit's attribution window; says where that is on record.
    pub(crate) async fn expose(&self, live: &Live, unit: &Unit) -> Result<Exposure, Problem> {
        let unit = self.unit_key(unit);
        self.ingest.expose(live, unit).await.map_err(not_done)
    }

    /// Takes one event.
    pub(crate) async fn track(&self, live: Arc<Live>, item: TrackItem) -> Result<Tracked, Problem> {
        let row = self.landed(&live, item);
        let event_id = row.event_id;
        let landed = self.ingest.land(vec![row]).await;
        live.meters.events(landed.ok()).increment(1);
        let durability = landed.map_err(not_done)?;
        Ok(Tracked {
            live,
            event_id,
            durability,
        })
    }

    /// Takes the good items of a batch, all of them or, when there is no room for them, none. One result for each
    /// item, in their order.
    pub(crate) async fn track_batch(
        &self,
        items: Vec<Result<TrackItem, Problem>>,
    ) -> Result<Vec<Result<Tracked, Problem>>, Problem> {
        let mut rows = Vec::with_capacity(items.len());
        let mut place = |item: Result<TrackItem, Problem>| {
            let item = item?;
            let live = self.experiment(item.experiment().unwrap_or_default())?;
            let row = self.landed(&live, item);
            let event_id = row.event_id;
            rows.push(row);
            Ok(Tracked {
                live,
                event_id,
                durability: Durability::Db,
            })
        };
        let mut results: Vec<_> = items.into_iter().map(&mut place).collect();
        let landed = self.ingest.land(rows).await;
        for tracked in results.iter().flatten() {
            tracked.live.meters.events(landed.ok()).increment(1);
        }
        let durability = landed.map_err(not_done)?;
        for tracked in results.iter_mut().flatten() {
            tracked.durability = durability;
        }
        Ok(results)
    }

    fn unit_key(&self, unit: &Unit) -> UnitKey {
        self.ingest.unit_key(unit.as_str())
    }

    fn landed(&self, live: &Live, item: TrackItem) -> Landed {
        let unit = self.unit_key(item.unit());
        let EventFields {
            name,
            value,
            id,
            at,
        } = item.into_event();
        let event = Event {
            unit,
            name,
            value,
            id,
            at,
        };
        self.ingest.landed(live, event)
    }
}

fn not_done(reason: NotDone) -> Problem {
    match reason {
        NotDone::Full => Problem::new(
            Code::Overloaded,
            "too much is waiting to be written; come back after Retry-After seconds",
        ),
        NotDone::Away => Problem::new(
            Code::Unavailable,
            "the database is away; send it again after Retry-After seconds, with the same `id`",
        ),
        NotDone::SpoolFull => Problem::new(
            Code::Unavailable,
            "the database is away and the daemon's spool takes no more; send it again after Retry-After seconds, with the same `id`",
        ),
    }
}
