//! What people see: rows, details, results and explanations, put together from the store, the world and the
//! core. The console's calls and the data port's read-only routes both come here.

mod beliefs;
mod decision;
mod detail;
mod error;
mod evidence;
mod explain;
mod figures;
mod insights;
mod lanes;
mod results;
mod row;
mod whatif;

use std::sync::Arc;

use bandit::experiment::ExperimentKey;
use protocol::evaluation::{WhatIf, WhatIfRequest};
use protocol::experiments::{Detail, Explanation, Insights, Results, Row};

pub use error::ReadingError;

use crate::clock::Clock;
use crate::learning::Readings;
use crate::store::Store;
use crate::world::{Live, WorldHandle};
use beliefs::Beliefs;

/// A reader. Cheap to clone; clones share what they have computed.
#[derive(Clone)]
pub struct Reading {
    store: Store,
    world: WorldHandle,
    clock: Clock,
    unit_secret: [u8; 32],
    beliefs: Arc<Beliefs>,
    readings: Readings,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

impl Reading {
    /// A reader of `world` and `store`. `unit_secret` is what unit keys are derived with.
    pub fn new(store: Store, world: WorldHandle, clock: Clock, unit_secret: [u8; 32]) -> Self {
        Self {
            store,
            world,
            clock,
            unit_secret,
            beliefs: Arc::default(),
            readings: Readings::default(),
        }
    }

    /// The rows of `keys`, in their order; keys that are not in the world are left out.
    pub async fn rows(&self, keys: &[ExperimentKey]) -> Result<Vec<Row>, ReadingError> {
        let world = self.world.load();
        let lives: Vec<Arc<Live>> = keys
            .iter()
            .filter_map(|key| world.get(key.as_str()).cloned())
            .collect();
        self.rows_of(&lives).await
    }

    /// The rows of all experiments, in key order; the archived ones last.
    pub async fn all_rows(&self) -> Result<Vec<Row>, ReadingError> {
        let world = self.world.load();
        let mut lives: Vec<Arc<Live>> = world.in_key_order().into_iter().cloned().collect();
        lives.sort_by_key(|live| live.serving.state.name() == "archived");
        self.rows_of(&lives).await
    }

    /// One experiment's row.
    pub async fn row(&self, key: &str) -> Result<Row, ReadingError> {
        let live = self.live(key)?;
        let mut rows = self.rows_of(&[live]).await?;
        rows.pop()
            .ok_or_else(|| ReadingError::NotFound(key.to_owned()))
    }

    /// One experiment's screen.
    pub async fn detail(&self, key: &str) -> Result<Detail, ReadingError> {
        detail::detail(self, &self.live(key)?).await
    }

    /// Counts, rates and posteriors of every lane.
    pub async fn results(&self, key: &str) -> Result<Results, ReadingError> {
        let live = self.live(key)?;
        results::results(self, &live).await
    }

    /// The reading of the results.
    pub async fn insights(&self, key: &str) -> Result<Insights, ReadingError> {
        insights::insights(self, &self.live(key)?).await
    }

    /// Why a unit has its arm. `unit` is its id, or its key in hex as an explanation shows it.
    pub async fn explain(&self, key: &str, unit: &str) -> Result<Explanation, ReadingError> {
        let live = self.live(key)?;
        explain::explain(self, &live, unit).await
    }

    /// What another policy would have earned on an experiment's own log.
    pub async fn what_if(&self, request: &WhatIfRequest) -> Result<WhatIf, ReadingError> {
        let live = self.live(&request.key)?;
        whatif::read(self, &live, request).await
    }

    async fn rows_of(&self, lives: &[Arc<Live>]) -> Result<Vec<Row>, ReadingError> {
        let figures = figures::read(&self.store, lives).await?;
        let now = self.clock.now();
        let mut rows = Vec::with_capacity(lives.len());
        for live in lives {
            rows.push(row::row(live, figures.of(live), &self.beliefs, now));
            // A row whose state changed costs a quadrature: others get their turn in between.
            tokio::task::yield_now().await;
        }
        Ok(rows)
    }

    fn live(&self, key: &str) -> Result<Arc<Live>, ReadingError> {
        self.world
            .load()
            .get(key)
            .cloned()
            .ok_or_else(|| ReadingError::NotFound(key.to_owned()))
    }
}

#[cfg(test)]
mod tests;
