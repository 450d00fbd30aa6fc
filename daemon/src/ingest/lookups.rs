//! The group reading of units that are not in the sticky cache and would not be recorded now: whether they
//! have a record is for the database to say, however often it is asked.

use std::sync::Arc;

use sqlx::PgConnection;

use super::group::Flush;
use crate::sticky::{Recorded, Sticky};
use crate::store::StoreError;
use crate::store::assignments::{self, Place};

/// Reads records; what is found goes to the sticky cache.
pub(super) struct Lookups {
    sticky: Arc<Sticky>,
}

impl Lookups {
    pub(super) fn new(sticky: Arc<Sticky>) -> Self {
        Self { sticky }
    }
}

impl Flush for Lookups {
    type Item = Place;
    type Answer = Option<Recorded>;
    const NAME: &'static str = "lookups";

    fn rows(_: &Place) -> usize {
        1
    }

    async fn flush(
        &self,
        connection: &mut PgConnection,
        places: &[Place],
    ) -> Result<Vec<Option<Recorded>>, StoreError> {
        let found = assignments::find(connection, places).await?;
        Ok(places
            .iter()
            .map(|place| found.get(place).copied())
            .collect())
    }

    fn written(&self, places: &[Place], found: &[Option<Recorded>]) {
        for (&(experiment, unit), found) in places.iter().zip(found) {
            if let Some(recorded) = *found {
                self.sticky.insert(experiment, unit, recorded);
            }
        }
    }
}
