//! What people see: rows, details, results and explanations, put together from the store, the world and the
//! core. The console's calls and the data port's read-only routes both come here.

mod beliefs;
mod decision;
mod detail;
mod error;
mod evidence;
mod explain;
mod figures;
mod guarding;
mod insights;
mod lanes;
mod origin;
mod remembered;
mod results;
mod row;
mod schedule;
mod whatif;

use std::sync::Arc;

use bandit::experiment::ExperimentKey;
use protocol::evaluation::{WhatIf, WhatIfRequest};
use protocol::experiments::{Detail, Explanation, Insights, Results, Row, Stale};
use protocol::guardrails::Guardrails;

pub use error::ReadingError;

use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::learning::Readings;
use crate::replica::Replica;
use crate::store::Store;
use crate::world::{Live, WorldHandle};
use beliefs::Beliefs;
use remembered::{Last, Remembered};

/// A reader. Cheap to clone; clones share what they have computed.
#[derive(Clone)]
pub struct Reading {
    store: Store,
    replica: Option<Replica>,
    world: WorldHandle,
    clock: Clock,
    unit_secret: [u8; 32],
    beliefs: Arc<Beliefs>,
    readings: Readings,
    breaker: Option<Breaker>,
    remembered: Arc<Remembered>,
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
            replica: None,
            world,
            clock,
            unit_secret,
            beliefs: Arc::default(),
            readings: Readings::default(),
            breaker: None,
            remembered: Arc::default(),
        }
    }

    /// The same, which does not wait for a database that `breaker` knows to be away.
    #[must_use]
    pub fn with_breaker(self, breaker: Breaker) -> Self {
        Self {
            breaker: Some(breaker),
            ..self
        }
    }

    /// The same, with results, insights and charts read from `replica` while it is there.
    #[must_use]
    pub fn with_replica(self, replica: Replica) -> Self {
        Self {
            replica: Some(replica),
            ..self
        }
    }

    /// The rows of `keys`, in their order; keys that are not in the world are left out.
    pub async fn rows(&self, keys: &[ExperimentKey]) -> Result<Vec<Row>, ReadingError> {
        let world = self.world.load();
        let lives: Vec<Arc<Live>> = keys
            .iter()
            .filter_map(|key| world.get(key.as_str()).cloned())
            .collect();
        self.rows_or_stale(&lives).await
    }

    /// The rows of all experiments, in key order; the archived ones last.
    pub async fn all_rows(&self) -> Result<Vec<Row>, ReadingError> {
        let world = self.world.load();
        let mut lives: Vec<Arc<Live>> = world.in_key_order().into_iter().cloned().collect();
        lives.sort_by_key(|live| live.serving.state.name() == "archived");
        self.rows_or_stale(&lives).await
    }

    /// One experiment's row.
    pub async fn row(&self, key: &str) -> Result<Row, ReadingError> {
        let mut rows = self.rows_or_stale(&[self.live(key)?]).await?;
        rows.pop()
            .ok_or_else(|| ReadingError::NotFound(key.to_owned()))
    }

    /// One experiment's screen; without the database, what the daemon knows of it.
    pub async fn detail(&self, key: &str) -> Result<Detail, ReadingError> {
        let live = &self.live(key)?;
        match self.detail_now(live).await {
            Err(error) if error.is_away() => Ok(detail::stale(self, live)),
            read => read,
        }
    }

    async fn detail_now(&self, live: &Arc<Live>) -> Result<Detail, ReadingError> {
        let origin = self.origin()?;
        let read = detail::detail(self, live, &origin).await;
        match self.instead(&origin, &read) {
            Some(primary) => detail::detail(self, live, &primary?).await,
            None => read,
        }
    }

    /// Counts, rates and posteriors of every lane.
    pub async fn results(&self, key: &str) -> Result<Results, ReadingError> {
        let live = &self.live(key)?;
        let origin = self.origin()?;
        let read = results::results(self, live, &origin).await;
        match self.instead(&origin, &read) {
            Some(primary) => results::results(self, live, &primary?).await,
            None => read,
        }
    }

    /// The reading of the results.
    pub async fn insights(&self, key: &str) -> Result<Insights, ReadingError> {
        let live = &self.live(key)?;
        let origin = self.origin()?;
        let read = insights::insights(self, live, &origin).await;
        match self.instead(&origin, &read) {
            Some(primary) => insights::insights(self, live, &primary?).await,
            None => read,
        }
    }

    /// What guardrails say of an experiment, and what they did. From the primary: nothing that acts is told late.
    pub async fn guardrails(&self, key: &str) -> Result<Guardrails, ReadingError> {
        let live = self.live(key)?;
        self.present()?;
        guarding::guardrails(self, &live).await
    }

    /// Why a unit has its arm. `unit` is its id, or its key in hex as an explanation shows it.
    pub async fn explain(&self, key: &str, unit: &str) -> Result<Explanation, ReadingError> {
        let live = self.live(key)?;
        self.present()?;
        explain::explain(self, &live, unit).await
    }

    /// What another policy would have earned on an experiment's own log.
    pub async fn what_if(&self, request: &WhatIfRequest) -> Result<WhatIf, ReadingError> {
        let live = self.live(&request.key)?;
        let origin = self.origin()?;
        let read = whatif::read(self, &live, request, &origin).await;
        match self.instead(&origin, &read) {
            Some(primary) => whatif::read(self, &live, request, &primary?).await,
            None => read,
        }
    }

    async fn row_of(&self, store: &Store, live: &Arc<Live>) -> Result<Row, ReadingError> {
        let mut rows = self.rows_of(store, std::slice::from_ref(live)).await?;
        rows.pop()
            .ok_or_else(|| ReadingError::NotFound(live.serving.key.to_string()))
    }

    /// The rows of `lives`; without the database, what the daemon knows of them.
    async fn rows_or_stale(&self, lives: &[Arc<Live>]) -> Result<Vec<Row>, ReadingError> {
        let read = match self.present() {
            Ok(()) => self.rows_of(&self.store, lives).await,
            Err(away) => Err(away),
        };
        match read {
            Err(error) if error.is_away() => {
                Ok(lives.iter().map(|live| self.stale_row(live)).collect())
            }
            read => read,
        }
    }

    async fn rows_of(&self, store: &Store, lives: &[Arc<Live>]) -> Result<Vec<Row>, ReadingError> {
        let figures = figures::read(store, lives).await?;
        let now = self.clock.now();
        self.remembered.keep(lives, &figures, now);
        let mut rows = Vec::with_capacity(lives.len());
        for live in lives {
            rows.push(row::row(live, figures.of(live), &self.beliefs, now));
            // A row whose state changed costs a quadrature: others get their turn in between.
            tokio::task::yield_now().await;
        }
        Ok(rows)
    }

    /// What is served, with the figures that were read last.
    fn stale_row(&self, live: &Live) -> Row {
        let now = self.clock.now();
        let last = self.remembered.of(live.id);
        let since = self.breaker.as_ref().and_then(Breaker::since);
        let stale = Stale {
            as_of: last.as_ref().map_or(since.unwrap_or(now), |last| last.at),
            figures: last.is_some(),
        };
        let figures = last.as_deref().map(Last::figures).unwrap_or_default();
        Row {
            stale: Some(stale),
            ..row::row(live, figures, &self.beliefs, now)
        }
    }

    /// Refuses to ask a database that is known to be away.
    pub fn present(&self) -> Result<(), ReadingError> {
        match self.breaker.as_ref().and_then(Breaker::since) {
            Some(since) => Err(ReadingError::Away(since)),
            None => Ok(()),
        }
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
