//! Which events guardrails ask for, and what a round learned of them.

use std::collections::{BTreeMap, BTreeSet};

use bandit::experiment::ExperimentId;
use bandit::spec::model::{EventMeasure, GuardrailCheck, GuardrailSpec};

use super::Gains;
use crate::store::guards::{GuardKey, Measured, Wanted};
use crate::store::state::MINUTE_EXPOSED;
use crate::world::World;

/// The events that guardrails of the present specs ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guarded {
    experiments: BTreeSet<ExperimentId>,
    events: BTreeSet<Wanted>,
}

impl Guarded {
    /// Those of all experiments of the world.
    pub fn of(world: &World) -> Self {
        let mut guarded = Self::default();
        for live in world.experiments.values() {
            guarded.declare(live.id, &live.spec.guardrails);
        }
        guarded
    }

    /// Adds those of one experiment.
    pub fn declare(&mut self, experiment: ExperimentId, guardrails: &[GuardrailSpec]) {
        let mut wanted: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
        for guardrail in guardrails {
            self.experiments.insert(experiment);
            for (event, units, values) in asked_for(&guardrail.check) {
                let known = wanted.entry(event).or_default();
                known.0 |= units;
                known.1 |= values;
            }
        }
        for (event, (units, values)) in wanted {
            self.events.insert(Wanted {
                experiment,
                event: event.to_owned(),
                units,
                values,
            });
        }
    }

    /// Those of `experiments`.
    pub(super) fn events(&self, experiments: &[ExperimentId]) -> Vec<&Wanted> {
        let asked: BTreeSet<&ExperimentId> = experiments.iter().collect();
        let wanted = self.events.iter();
        wanted.filter(|it| asked.contains(&it.experiment)).collect()
    }

    /// What a round learned: of events as it took them, and of exposures as it counted them.
    pub(super) fn learned(
        &self,
        mut events: BTreeMap<GuardKey, Measured>,
        gains: &Gains,
    ) -> BTreeMap<GuardKey, Measured> {
        for (key, stats) in &gains.state {
            if stats.exposed > 0 && self.experiments.contains(&key.experiment) {
                let key = GuardKey {
                    experiment: key.experiment,
                    arm: key.arm,
                    event: MINUTE_EXPOSED.to_owned(),
                };
                events.entry(key).or_default().count += stats.exposed as i64;
            }
        }
        events
    }
}

/// Each event of a check, whether its units are asked for, and whether the spread of its values is.
fn asked_for(check: &GuardrailCheck) -> Vec<(&str, bool, bool)> {
    match check {
        GuardrailCheck::ErrorRate {
            event, of: None, ..
        }
        | GuardrailCheck::Event {
            event,
            measure: EventMeasure::Rate,
            ..
        } => vec![(event, true, false)],
        GuardrailCheck::ErrorRate {
            event,
            of: Some(of),
            ..
        } => vec![(event, false, false), (of, false, false)],
        GuardrailCheck::Latency { event, .. } => vec![(event, false, true)],
        GuardrailCheck::Event {
            event,
            measure: EventMeasure::Mean,
            ..
        } => vec![(event, false, false)],
        GuardrailCheck::RewardDrop { .. }
        | GuardrailCheck::Concentration { .. }
        | GuardrailCheck::Srm { .. }
        | GuardrailCheck::Staleness { .. } => Vec::new(),
    }
}
