//! Plans: what a file would change, for whom, and what stands in the way.
//!
//! [`diff`] compares typed specs, not text: the order of experiments, of keys and of arms, comments and the file's
//! name are no change. What it predicts about new units comes from the very functions that serve.

mod arms;
mod effects;
mod fields;
mod forecast;
mod lanes;
pub(crate) mod numbers;
mod quarantine;
mod settled;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use crate::experiment::{Arm, ArmName, ExperimentKey, LaneName, Millis, RunState, Verb};
use crate::policy::Evidence;
use crate::schedule::Ramp;
use crate::spec::model::ExperimentSpec;

/// An experiment as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Current {
    /// The spec in force.
    pub spec: ExperimentSpec,
    /// Where it is in its life.
    pub state: RunState,
    /// All arms it ever had, by ascending number; retired and quarantined ones included.
    pub arms: Vec<Arm>,
    /// How operators and guardrails hold its state, in words, such as `paused by ana: latency`.
    pub holds: Vec<String>,
    /// Why arms are quarantined, in words, such as `blue quarantined by ana: errors`.
    pub quarantines: BTreeMap<ArmName, String>,
    /// Units assigned so far, by arm, over all lanes.
    pub assigned_by_arm: BTreeMap<ArmName, u64>,
    /// New assignments a day, as of late.
    pub decisions_per_day: f64,
    /// What the learning lanes it ever had know; also those that it does not declare now.
    pub lanes: BTreeMap<LaneName, LaneNow>,
    /// How long it has been running since it was started; 0 for a draft.
    pub running_for: Millis,
    /// How far its ramp is, if it has one and has started.
    pub ramp: Option<Ramp>,
}

/// A learning lane as it is now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneNow {
    /// The probability with which a new unit of the lane draws each open arm; empty if nothing is published.
    pub shares: BTreeMap<ArmName, f64>,
    /// What it knows of each arm.
    pub evidence: BTreeMap<ArmName, Evidence>,
}

/// How to treat what the file does not mention, and what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Stop experiments that the file does not mention.
    pub prune: bool,
    /// Change the state of held experiments too, and open the quarantined arms that the file declares.
    pub release_holds: bool,
}

/// What applying the file would do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The changes, by key. One without anything to carry out only shows a hold.
    pub changes: Vec<Change>,
    /// Declared and already so, by key.
    pub unchanged: Vec<ExperimentKey>,
    /// Not mentioned in the file and left alone, by key; archived ones are not listed.
    pub not_declared: Vec<ExperimentKey>,
    /// Why nothing of it can be applied, with the way out; empty if it can.
    pub refused: Vec<String>,
}

/// One experiment's change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which experiment.
    pub key: ExperimentKey,
    /// Sign and word of the diff.
    pub kind: ChangeKind,
    /// What differs, in the order of the file format.
    pub fields: Vec<FieldChange>,
    /// What it means for users, the warnings first.
    pub effects: Vec<Effect>,
    /// Holds in the way of the declared state and arms: kept, or released if the options say so.
    pub holds: Vec<String>,
    /// Arms whose quarantine is released.
    pub released: Vec<ArmName>,
    /// The state transition to carry out.
    pub verb: Option<Verb>,
    /// The spec to store; `None` if only the state changes.
    pub spec: Option<ExperimentSpec>,
}

/// What happens to an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// New.
    Add,
    /// Changed, including a start, a pause and a resume.
    Change,
    /// Stopped: irreversible.
    Stop,
}

/// One field, before and after, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Such as `policy.floor` or `arm "terse".weight`.
    pub path: String,
    /// Before; `(none)` where there was none.
    pub from: String,
    /// After; `(none)` where there is none any more.
    pub to: String,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Whether it deserves a second look.
    pub warning: bool,
    /// In words, with figures.
    pub text: String,
}

impl Change {
    /// Whether there is anything to carry out; if not, it only shows a hold.
    pub fn alters(&self) -> bool {
        self.verb.is_some() || self.spec.is_some() || !self.released.is_empty()
    }
}

impl Plan {
    /// Whether applying it would change nothing.
    pub fn is_empty(&self) -> bool {
        !self.changes.iter().any(Change::alters)
    }
}

/// A file that was cut short must not stop everything for good.
const NOTHING_TO_PRUNE_BY: &str = "the file declares no experiment, and pruning by it would stop every other one: \
     stop them one by one, or look whether the file is the right one";

/// What has to be done so that the installation is as `wanted` says. Keys are unique in both lists.
pub fn diff(current: &[Current], wanted: &[ExperimentSpec], options: Options) -> Plan {
    let now: BTreeMap<&ExperimentKey, &Current> =
        current.iter().map(|it| (&it.spec.key, it)).collect();
    let declared: BTreeSet<&ExperimentKey> = wanted.iter().map(|spec| &spec.key).collect();
    let mut plan = Plan::default();
    for spec in wanted {
        match now.get(&spec.key) {
            None => plan.changes.push(add(spec)),
            Some(current) => change(&mut plan, current, spec, options),
        }
    }
    if options.prune && wanted.is_empty() {
        plan.refused.push(NOTHING_TO_PRUNE_BY.to_owned());
        return plan;
    }
    for (key, current) in now {
        if !declared.contains(key) {
            leave_or_stop(&mut plan, current, options);
        }
    }
    plan.changes.sort_by(|one, other| one.key.cmp(&other.key));
    plan.unchanged.sort();
    plan
}

fn add(spec: &ExperimentSpec) -> Change {
    let verb = state::of_new(spec);
    Change {
        key: spec.key.clone(),
        kind: ChangeKind::Add,
        fields: fields::of_new(spec, verb),
        effects: effects::of_new(spec, verb),
        holds: Vec::new(),
        released: Vec::new(),
        verb,
        spec: Some(spec.clone()),
    }
}

fn change(plan: &mut Plan, current: &Current, spec: &ExperimentSpec, options: Options) {
    let mut fields = fields::diff(&current.spec, spec);
    let differs = !fields.is_empty();
    let mut refused = settled::refusals(current, spec, &fields);
    let transition = match state::of_declared(current, spec, options) {
        Ok(transition) => transition,
        Err(refusal) => {
            plan.refused.extend(refused);
            plan.refused.push(refusal);
            return;
        }
    };
    let state::Transition { verb, mut holds } = transition;
    let quarantines = quarantine::of_declared(current, spec, verb, options);
    refused.extend(quarantines.refusal(spec));
    if !refused.is_empty() {
        plan.refused.extend(refused);
        return;
    }
    if !differs && verb.is_none() && holds.is_empty() && quarantines.is_empty() {
        plan.unchanged.push(spec.key.clone());
        return;
    }
    let effects = effects::of_change(current, spec, &fields, verb, &holds, &quarantines);
    if let Some(verb) = verb {
        fields.insert(0, fields::of_state(&current.state, verb));
    }
    let quarantine::Quarantines { kept, released } = quarantines;
    fields.extend(released.keys().map(fields::of_release));
    holds.extend(kept.into_values().chain(released.values().cloned()));
    plan.changes.push(Change {
        key: spec.key.clone(),
        kind: match verb {
            Some(Verb::Stop) => ChangeKind::Stop,
            _ => ChangeKind::Change,
        },
        fields,
        effects,
        holds,
        released: released.into_keys().collect(),
        verb,
        spec: differs.then(|| spec.clone()),
    });
}

/// An experiment that the file does not mention: pruned if it still decides anything, else left alone.
fn leave_or_stop(plan: &mut Plan, current: &Current, options: Options) {
    let key = current.spec.key.clone();
    if options.prune && current.state.check(Verb::Stop).is_ok() {
        plan.changes.push(Change {
            key,
            kind: ChangeKind::Stop,
            fields: vec![fields::of_state(&current.state, Verb::Stop)],
            effects: effects::of_stop(current),
            holds: Vec::new(),
            released: Vec::new(),
            verb: Some(Verb::Stop),
            spec: None,
        });
    } else if !matches!(current.state, RunState::Archived { .. }) {
        plan.not_declared.push(key);
    }
}
