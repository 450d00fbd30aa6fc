//! The group commit of new assignments: the first record of a unit wins, and everyone learns it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::PgConnection;

use super::group::Flush;
use crate::sticky::{Recorded, Sticky};
use crate::store::StoreError;
use crate::store::assignments::{self, Draw, Place};

/// A draw that is to be recorded, with its probability.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) draw: Draw,
    pub(super) propensity: f64,
}

/// What is recorded now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub(super) recorded: Recorded,
    /// Whether this very draw is the record.
    pub(super) new: bool,
}

/// Records draws; what is recorded goes to the sticky cache, whether or not the caller still waits.
pub(super) struct Draws {
    sticky: Arc<Sticky>,
}

impl Draws {
    pub(super) fn new(sticky: Arc<Sticky>) -> Self {
        Self { sticky }
    }
}

impl Flush for Draws {
    type Item = Wanted;
    type Answer = Settled;
    const NAME: &'static str = "assignments";

    fn rows(_: &Wanted) -> usize {
        1
    }

    async fn flush(
        &self,
        connection: &mut PgConnection,
        items: &[Wanted],
    ) -> Result<Vec<Settled>, StoreError> {
        let firsts = first_per_place(items);
        let draws: Vec<Draw> = firsts.iter().map(|&at| items[at].draw).collect();
        let fresh = assignments::record(connection, &draws).await?;
        let earlier = earlier(connection, &draws, &fresh).await?;
        let mut settled: HashMap<Place, Settled> = HashMap::with_capacity(draws.len());
        for &at in &firsts {
            let outcome = settle(&items[at], &earlier);
            settled.insert(items[at].draw.place, outcome);
        }
        // The first caller of a place hears that it is new; those who asked for it at the same time do not.
        let answer = |wanted: &Wanted| {
            let outcome = settled.get_mut(&wanted.draw.place)?;
            let answer = *outcome;
            outcome.new = false;
            Some(answer)
        };
        Ok(items.iter().filter_map(answer).collect())
    }

    fn written(&self, items: &[Wanted], answers: &[Settled]) {
        for (wanted, settled) in items.iter().zip(answers) {
            let (experiment, unit) = wanted.draw.place;
            self.sticky.insert(experiment, unit, settled.recorded);
        }
    }
}

/// The position of the first item of each place, in ascending order of place.
fn first_per_place(items: &[Wanted]) -> Vec<usize> {
    let mut firsts: Vec<usize> = (0..items.len()).collect();
    firsts.sort_by_key(|&at| items[at].draw.place);
    firsts.dedup_by_key(|at| items[*at].draw.place);
    firsts
}

/// The records of places that had one before.
async fn earlier(
    connection: &mut PgConnection,
    draws: &[Draw],
    fresh: &[Place],
) -> Result<HashMap<Place, Recorded>, StoreError> {
    if fresh.len() == draws.len() {
        return Ok(HashMap::new());
    }
    let fresh: HashSet<&Place> = fresh.iter().collect();
    let lost: Vec<Place> = draws
        .iter()
        .map(|draw| draw.place)
        .filter(|place| !fresh.contains(place))
        .collect();
    let found = assignments::find(connection, &lost).await?;
    match lost.iter().find(|place| !found.contains_key(*place)) {
        None => Ok(found),
        Some((experiment, unit)) => Err(StoreError::unreadable(
            format!("assignment of {unit} in experiment {experiment}"),
            "it was there and is gone",
        )),
    }
}

fn settle(wanted: &Wanted, earlier: &HashMap<Place, Recorded>) -> Settled {
    if let Some(&recorded) = earlier.get(&wanted.draw.place) {
        return Settled {
            recorded,
            new: false,
        };
    }
    let recorded = Recorded {
        stored: wanted.draw.stored,
        propensity: wanted.propensity,
        exposed: wanted.draw.expose,
    };
    Settled {
        recorded,
        new: true,
    }
}
