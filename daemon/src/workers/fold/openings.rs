//! When the oldest open window of each experiment began, as far as is known: a round looks only at experiments that may
//! have windows to close, however many there are.

use std::collections::BTreeMap;

use bandit::experiment::ExperimentId;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::Gains;
use crate::store::state::MINUTE_EXPOSED;
use crate::store::{StoreError, windows};

/// 1 min: all are read again, in case that another daemon led the fold for a while. Costs a look into the index for each
/// experiment with open windows: a tenth of a second for 10,000.
const READ_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A batch of assignments is counted at its last one, whose minute may have begun after the first one.
const BATCHED: TimeDelta = TimeDelta::minutes(1);

/// The beginnings of the oldest open windows; a real one may be younger, and until it is read again not older.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Openings {
    read_at: Option<DateTime<Utc>>,
    oldest: BTreeMap<ExperimentId, DateTime<Utc>>,
}

impl Openings {
    /// Reads them, if that is due, or else learns of the windows that this round began.
    pub(super) async fn refresh(
        &mut self,
        tx: &mut PgConnection,
        gains: &Gains,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if self.read_at.is_none_or(|at| now - at >= READ_EVERY) {
            self.oldest = windows::oldest_open(tx).await?.into_iter().collect();
            self.read_at = Some(now);
            return Ok(());
        }
        let begun = gains.minutes.keys();
        for begun in begun.filter(|key| key.event == MINUTE_EXPOSED) {
            let at = begun.minute - BATCHED;
            let oldest = self.oldest.entry(begun.experiment).or_insert(at);
            *oldest = at.min(*oldest);
        }
        Ok(())
    }

    /// Each experiment with open windows, and when its oldest one began at the earliest.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ExperimentId, DateTime<Utc>)> {
        self.oldest.iter().map(|(id, at)| (*id, *at))
    }

    /// Reads those of `experiments` again, whose windows were looked at.
    pub(super) async fn reread(
        &mut self,
        tx: &mut PgConnection,
        experiments: &[ExperimentId],
    ) -> Result<(), StoreError> {
        for id in experiments {
            self.oldest.remove(id);
        }
        self.oldest
            .extend(windows::oldest_open_of(tx, experiments).await?);
        Ok(())
    }
}
