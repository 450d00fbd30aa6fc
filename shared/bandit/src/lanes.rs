//! The lanes of an experiment: which number each has, and which share of the participants under which policy.

mod earnings;

pub use earnings::{Difference, Earned, LEVEL, differences};

use std::collections::BTreeMap;

use crate::experiment::{LaneId, LaneName, Share};
use crate::spec::model::{ExperimentSpec, LaneSpec, PolicySpec};

/// The name of the lane that never learns. No declared lane may have it.
pub const HOLDBACK: &str = "holdback";

/// The name of the one learning lane of an experiment that declares none.
pub const MAIN: &str = "main";

/// A share of the participants under one policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Its number.
    pub id: LaneId,
    /// Its name.
    pub name: LaneName,
    /// Its share of the participants; the lanes' shares sum to 1.
    pub share: Share,
    /// How it allocates. The holdback's split is even, whatever this says: it only takes the prior from it.
    pub policy: PolicySpec,
    /// Whether it learns.
    pub learns: bool,
}

/// The numbers of an experiment's lanes by name. A name keeps its number for ever, also while no file declares it:
/// a lane that returns goes on with its versions and with what it has learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneNumbers(BTreeMap<LaneName, LaneId>);

impl Default for LaneNumbers {
    /// The two numbers that every experiment has: 0 is the holdback, 1 is `main`.
    fn default() -> Self {
        let fixed = [(HOLDBACK, LaneId::HOLDBACK), (MAIN, LaneId::MAIN)];
        Self(fixed.map(|(name, id)| (known_name(name), id)).into())
    }
}

impl LaneNumbers {
    /// The numbers that were given earlier, beside those that every experiment has.
    pub fn new(given: impl IntoIterator<Item = (LaneName, LaneId)>) -> Self {
        let mut numbers = Self::default();
        for (name, id) in given {
            numbers.0.entry(name).or_insert(id);
        }
        numbers
    }

    /// These numbers and, for names of the spec that have none yet, the next free ones in the order of the file.
    #[must_use]
    pub fn with(&self, spec: &ExperimentSpec) -> Self {
        let mut numbers = self.clone();
        for lane in &spec.lanes {
            let next = numbers.next();
            numbers.0.entry(lane.name.clone()).or_insert(next);
        }
        numbers
    }

    fn next(&self) -> LaneId {
        let greatest = self.0.values().max().copied().unwrap_or_default();
        LaneId(greatest.0.saturating_add(1))
    }

    /// The number of a name.
    pub fn get(&self, name: &LaneName) -> Option<LaneId> {
        self.0.get(name).copied()
    }

    /// The name of a number.
    pub fn name(&self, id: LaneId) -> Option<&LaneName> {
        self.iter()
            .find_map(|(name, it)| (it == id).then_some(name))
    }

    /// Every name with its number, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&LaneName, LaneId)> {
        self.0.iter().map(|(name, id)| (name, *id))
    }

    /// The lanes of the spec in the order of the lane draw, which is that of their numbers: the holdback first, if
    /// it has a share, then the learning lanes. So the order of the file decides nothing.
    pub fn lanes_of(&self, spec: &ExperimentSpec) -> Vec<Lane> {
        let numbers = self.with(spec);
        let learners = 1.0 - spec.holdback.get();
        let mut lanes: Vec<Lane> = spec
            .learning_lanes()
            .into_iter()
            .filter_map(|lane| {
                let LaneSpec {
                    name,
                    share,
                    policy,
                } = lane;
                Some(Lane {
                    id: numbers.get(&name)?,
                    name,
                    share: Share::new(learners * share.get())
                        .expect("a product of shares is a share"),
                    policy,
                    learns: true,
                })
            })
            .collect();
        if spec.holdback.get() > 0.0 {
            lanes.push(Lane {
                id: LaneId::HOLDBACK,
                name: known_name(HOLDBACK),
                share: spec.holdback,
                policy: spec.policy.clone(),
                learns: false,
            });
        }
        lanes.sort_by_key(|lane| lane.id);
        lanes
    }
}

impl ExperimentSpec {
    /// The learning lanes in the order of the file: the declared ones, or else `main` with everyone. Their shares
    /// are of the participants outside the holdback and sum to 1.
    pub fn learning_lanes(&self) -> Vec<LaneSpec> {
        if !self.lanes.is_empty() {
            return self.lanes.clone();
        }
        vec![LaneSpec {
            name: known_name(MAIN),
            share: Share::ALL,
            policy: self.policy.clone(),
        }]
    }

    /// The learning lane with the largest share, the first of the file among equals: the one that a screen with
    /// room for one shows.
    pub fn leading_lane(&self) -> LaneSpec {
        let lanes = self.learning_lanes();
        let most = lanes
            .iter()
            .map(|lane| lane.share.get())
            .fold(0.0, f64::max);
        lanes
            .into_iter()
            .find(|lane| lane.share.get() >= most)
            .expect("there is always a learning lane")
    }
}

fn known_name(name: &str) -> LaneName {
    name.parse().expect("the names of this file are names")
}
