//! The figures of each experiment as they were read last, for when the database is away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};

use super::figures::{Figures, OfOne};
use crate::store::decisions::Line;
use crate::store::guardrails::{Memory, Place};
use crate::store::state::LaneStats;
use crate::world::Live;

/// Of every experiment that somebody has looked at: a few hundred bytes each, as many as the world has.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<HashMap<ExperimentId, Arc<Last>>>);

/// One experiment's.
#[derive(Debug)]
pub(super) struct Last {
    /// When they were read.
    pub(super) at: DateTime<Utc>,
    leading: Option<LaneStats>,
    assigned: u64,
    exposed: u64,
    decision: Option<Line>,
    guardrails: Vec<(Place, Memory)>,
}

impl Remembered {
    pub(super) fn keep(&self, lives: &[Arc<Live>], figures: &Figures, at: DateTime<Utc>) {
        let mut known = self.lock();
        for live in lives {
            let of = figures.of(live);
            let last = Last {
                at,
                leading: of.leading.cloned(),
                assigned: of.assigned,
                exposed: of.exposed,
                decision: of.decision.cloned(),
                guardrails: of.guardrails.to_vec(),
            };
            known.insert(live.id, Arc::new(last));
        }
    }

    pub(super) fn of(&self, experiment: ExperimentId) -> Option<Arc<Last>> {
        self.lock().get(&experiment).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExperimentId, Arc<Last>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Last {
    /// But for the pace: how many are assigned a second now is not known.
    pub(super) fn figures(&self) -> OfOne<'_> {
        OfOne {
            leading: self.leading.as_ref(),
            assigned: self.assigned,
            exposed: self.exposed,
            decisions_per_sec: 0.0,
            decision: self.decision.as_ref(),
            guardrails: &self.guardrails,
        }
    }
}
