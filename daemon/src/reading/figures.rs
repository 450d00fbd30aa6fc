//! The figures behind rows, read for many experiments at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use bandit::experiment::{ExperimentId, LaneId};

use crate::store::decisions::{self, Line};
use crate::store::guardrails::{self, Memory, Place};
use crate::store::results::{self, Uncounted};
use crate::store::state::{self, LaneStats};
use crate::store::{Store, StoreError, experiments};
use crate::world::Live;

/// The figures of some experiments, as of one instant.
#[derive(Debug, Default)]
pub(super) struct Figures {
    sums: BTreeMap<(ExperimentId, LaneId), LaneStats>,
    uncounted: BTreeMap<ExperimentId, Uncounted>,
    per_sec: BTreeMap<ExperimentId, f64>,
    decisions: BTreeMap<ExperimentId, Line>,
    guardrails: BTreeMap<ExperimentId, Vec<(Place, Memory)>>,
}

/// The figures of one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OfOne<'a> {
    pub(super) leading: Option<&'a LaneStats>,
    pub(super) assigned: u64,
    /// As far as they are folded.
    pub(super) exposed: u64,
    pub(super) decisions_per_sec: f64,
    pub(super) decision: Option<&'a Line>,
    pub(super) guardrails: &'a [(Place, Memory)],
}

impl Figures {
    pub(super) fn of(&self, live: &Live) -> OfOne<'_> {
        let all = (live.id, LaneId(0))..=(live.id, LaneId(u16::MAX));
        let arms = || self.sums.range(all.clone()).flat_map(|(_, it)| it.values());
        let counted: u64 = arms().map(|stats| stats.assigned).sum();
        let uncounted = self.uncounted.get(&live.id).copied().unwrap_or_default();
        OfOne {
            leading: self.sums.get(&(live.id, live.leading_lane().id)),
            assigned: counted + uncounted.assigned,
            exposed: arms().map(|stats| stats.exposed).sum(),
            decisions_per_sec: self.per_sec.get(&live.id).copied().unwrap_or(0.0),
            decision: self.decisions.get(&live.id),
            guardrails: self.guardrails.get(&live.id).map_or(&[], Vec::as_slice),
        }
    }
}

pub(super) async fn read(store: &Store, lives: &[Arc<Live>]) -> Result<Figures, StoreError> {
    let ids: Vec<ExperimentId> = lives.iter().map(|live| live.id).collect();
    if ids.is_empty() {
        return Ok(Figures::default());
    }
    let mut view = experiments::snapshot(store).await?;
    Ok(Figures {
        sums: state::sums(&mut view, &ids).await?,
        uncounted: results::uncounted(&mut view, &ids).await?,
        per_sec: results::decisions_per_sec(&mut view, &ids).await?,
        decisions: decisions::lines(&mut view, &ids).await?,
        guardrails: guardrails::newest(&mut view, &ids).await?,
    })
}
