//! The installation as a plan compares it: every experiment's spec, state, holds and counts, in one
//! transaction's view.

use std::collections::{BTreeMap, HashMap};

use bandit::experiment::{Arm, ArmName, ExperimentId, ExperimentKey, LaneId, LaneName, Millis};
use bandit::plan::{Current, LaneNow};
use bandit::policy::Evidence;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use crate::learning::{self, Learner, Readings};
use crate::publication::LaneEvidence;
use crate::store::experiments::{self, Stored};
use crate::store::holds::{self, Hold};
use crate::store::state::{self, LaneStats};
use crate::store::versions::running_for;
use crate::store::{StoreError, activity, revisions};

/// An experiment as it is now, and what only the database cares for.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) id: ExperimentId,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) current: Current,
}

/// All experiments by key.
pub(super) async fn load(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<BTreeMap<ExperimentKey, Present>, StoreError> {
    let ids = revisions::ids(tx).await?;
    let mut found = Found {
        now,
        stats: state::sums(tx, &ids).await?.into_iter().collect(),
        assigned_last_day: activity::assigned_since(tx, now - TimeDelta::days(1)).await?,
        holds: HashMap::new(),
    };
    for (id, hold) in holds::active(tx).await? {
        found.holds.entry(id).or_default().push(hold);
    }
    let mut present = BTreeMap::new();
    for stored in experiments::load(tx, &ids).await? {
        let stored = stored?;
        let known = found.known(tx, &stored).await?;
        present.insert(stored.spec.key.clone(), found.present(stored, &known));
    }
    Ok(present)
}

/// What is read for all experiments together.
struct Found {
    now: DateTime<Utc>,
    stats: HashMap<(ExperimentId, LaneId), LaneStats>,
    assigned_last_day: HashMap<ExperimentId, u64>,
    holds: HashMap<ExperimentId, Vec<Hold>>,
}

impl Found {
    /// What each lane with statistics learns from.
    async fn known(
        &self,
        tx: &mut PgConnection,
        stored: &Stored,
    ) -> Result<BTreeMap<LaneId, LaneEvidence>, StoreError> {
        let readings = Readings::default();
        let mut known = BTreeMap::new();
        let in_force = stored.lane_numbers.lanes_of(&stored.spec);
        for (_, lane) in stored.lane_numbers.iter() {
            let Some(stats) = self.stats.get(&(stored.id, lane)) else {
                continue;
            };
            let learning = in_force.iter().find(|it| it.id == lane && it.learns);
            let learner = Learner {
                experiment: stored.id,
                lane,
                reward: &stored.spec.reward,
                memory: learning.and_then(|lane| lane.policy.memory),
            };
            let evidence = learning::evidence(tx, learner, stats, self.now, &readings).await?;
            known.insert(lane, evidence);
        }
        Ok(known)
    }

    fn present(&mut self, stored: Stored, known: &BTreeMap<LaneId, LaneEvidence>) -> Present {
        let id = stored.id;
        let running_for = stored
            .started_at
            .map_or(Millis(0), |started| running_for(started, self.now));
        let mut assigned_by_arm = BTreeMap::new();
        let mut lanes: BTreeMap<LaneName, LaneNow> = BTreeMap::new();
        for (name, lane) in stored.lane_numbers.iter() {
            let evidence = by_name(&stored.arms, known.get(&lane));
            for (arm, known) in &evidence {
                *assigned_by_arm.entry(arm.clone()).or_default() += known.stats.assigned;
            }
            if lane != LaneId::HOLDBACK {
                let shares = shares(&stored, lane);
                lanes.insert(name.clone(), LaneNow { shares, evidence });
            }
        }
        let held = self.holds.remove(&id).unwrap_or_default();
        let (state, arms): (Vec<Hold>, Vec<Hold>) =
            held.into_iter().partition(|hold| hold.arm.is_none());
        Present {
            id,
            started_at: stored.started_at,
            current: Current {
                quarantines: quarantines(&stored.arms, &arms),
                spec: stored.spec,
                state: stored.state,
                arms: stored.arms,
                holds: state.iter().map(Hold::to_string).collect(),
                assigned_by_arm,
                decisions_per_day: self.decisions_per_day(id, running_for),
                lanes,
                running_for,
                ramp: stored.ramp,
            },
        }
    }

    /// Over the last day, or over its life where that is shorter, but over a minute at least.
    fn decisions_per_day(&self, id: ExperimentId, running_for: Millis) -> f64 {
        const DAY: u64 = 86_400_000;
        const MINUTE: u64 = 60_000;
        let assigned = self.assigned_last_day.get(&id).copied().unwrap_or(0);
        assigned as f64 * DAY as f64 / running_for.0.clamp(MINUTE, DAY) as f64
    }
}

fn quarantines(arms: &[Arm], holds: &[Hold]) -> BTreeMap<ArmName, String> {
    holds
        .iter()
        .filter_map(|hold| {
            let arm = arms.iter().find(|arm| Some(arm.id) == hold.arm)?;
            Some((arm.name.clone(), hold.in_words(arms)))
        })
        .collect()
}

fn by_name(arms: &[Arm], known: Option<&LaneEvidence>) -> BTreeMap<ArmName, Evidence> {
    arms.iter()
        .filter_map(|arm| Some((arm.name.clone(), *known?.get(&arm.id)?)))
        .collect()
}

fn shares(stored: &Stored, lane: LaneId) -> BTreeMap<ArmName, f64> {
    let Some(newest) = stored.lanes.iter().find(|newest| newest.id == lane) else {
        return BTreeMap::new();
    };
    stored
        .arms
        .iter()
        .filter(|arm| arm.is_open())
        .map(|arm| (arm.name.clone(), newest.allocation.get(arm.id)))
        .collect()
}
