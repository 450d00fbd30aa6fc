//! Every assignment is drawn again, under the version, the salt, the traffic and the lanes of its time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bandit::assign::{Serving, UnitKey, draw};
use bandit::experiment::{ArmId, LaneId, Revision, Version};
use bandit::spec::model::ExperimentSpec;
use sqlx::PgConnection;

use super::report::Differences;
use crate::publication::serving_at;
use crate::store::units::Drawn;
use crate::store::verification::Subject;
use crate::store::{StoreError, versions};

/// Versions that are kept ready; more are read again. Some kilobytes each.
const MOST_KEPT: usize = 4_096;

/// What was served under the versions that were met.
#[derive(Default)]
pub(super) struct Draws {
    servings: HashMap<(LaneId, Version), Option<Serving>>,
    specs: HashMap<Revision, ExperimentSpec>,
}

impl Draws {
    pub(super) async fn check(
        &mut self,
        view: &mut PgConnection,
        subject: &Subject,
        unit: UnitKey,
        stored: Drawn,
        differences: &mut Differences,
    ) -> Result<(), StoreError> {
        let place = (stored.lane, stored.version);
        if !self.servings.contains_key(&place) {
            let serving = self.serving(view, subject, place, differences).await?;
            if self.servings.len() >= MOST_KEPT {
                self.servings.clear();
            }
            self.servings.insert(place, serving);
        }
        let Some(Some(serving)) = self.servings.get(&place) else {
            return Ok(());
        };
        let again = draw(serving, &unit);
        if (again.lane, again.arm, again.in_traffic) != (stored.lane, stored.arm, true) {
            differences.add(
                format!("draw of unit {unit} under version {}", stored.version),
                in_words(subject, stored.lane, stored.arm, true),
                in_words(subject, again.lane, again.arm, again.in_traffic),
            );
        }
        Ok(())
    }

    /// `None`, and a difference, where nothing could have been drawn from.
    async fn serving(
        &mut self,
        view: &mut PgConnection,
        subject: &Subject,
        (lane, version): (LaneId, Version),
        differences: &mut Differences,
    ) -> Result<Option<Serving>, StoreError> {
        let what = format!("version {version} of lane {lane}, which units drew under");
        let Some(published) = versions::get(view, subject.id, lane, version).await? else {
            differences.add(what, "nothing", "a publication");
            return Ok(None);
        };
        let revision = published.revision;
        let spec = match self.specs.entry(revision) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(slot) => {
                slot.insert(versions::spec_at(view, subject.id, revision).await?)
            }
        };
        match serving_at(spec, &subject.arms, &subject.lanes, &published) {
            Ok(serving) => Ok(Some(serving)),
            Err(error) => {
                differences.add(what, error.to_string(), "something that can be served");
                Ok(None)
            }
        }
    }
}

fn in_words(subject: &Subject, lane: LaneId, arm: ArmId, in_traffic: bool) -> String {
    if !in_traffic {
        return "not in the traffic".to_owned();
    }
    let name = subject.arms.iter().find(|known| known.id == arm);
    let name = name.map_or_else(|| "unknown".to_owned(), |arm| arm.name.to_string());
    format!("lane {lane}, arm {arm} ({name})")
}
