//! What a change means for users, in words with figures: who moves, what is stopped, what new units get.

mod decision;
mod lanes;
mod quarantine;
mod schedule;
mod split;

use crate::experiment::{Arm, ArmName, RunState, Verb};
use crate::plan::numbers::{control, per_day, units};
use crate::plan::quarantine::Quarantines;
use crate::plan::{Current, Effect, FieldChange, arms};
use crate::spec::model::ExperimentSpec;
use crate::spec::{LearningNote, experiment_notes};

/// Collects effects; the warnings come first.
#[derive(Default)]
struct Effects(Vec<Effect>);

impl Effects {
    fn say(&mut self, text: impl Into<String>) {
        self.0.push(Effect {
            warning: false,
            text: text.into(),
        });
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.0.push(Effect {
            warning: true,
            text: text.into(),
        });
    }

    fn warnings_first(mut self) -> Vec<Effect> {
        self.0.sort_by_key(|effect| !effect.warning);
        self.0
    }
}

/// What a new experiment does to its callers.
pub(super) fn of_new(spec: &ExperimentSpec, verb: Option<Verb>) -> Vec<Effect> {
    let mut effects = Effects::default();
    if verb == Some(Verb::Start) {
        effects.say(format!(
            "starts at once: {} of the eligible units take part, {} of them in the holdback",
            schedule::first_traffic(spec),
            spec.holdback
        ));
        split::of_new(&mut effects, spec);
        learning(&mut effects, spec);
    } else {
        effects.say(format!(
            "created as a draft: callers get {} until it is started",
            control(spec)
        ));
    }
    schedule::of_draft(&mut effects, spec, verb == Some(Verb::Start));
    decision::acting(&mut effects, spec);
    effects.warnings_first()
}

/// What stopping does, for an experiment that the file does not mention.
pub(super) fn of_stop(current: &Current) -> Vec<Effect> {
    let mut effects = Effects::default();
    stop(&mut effects, current);
    effects.warnings_first()
}

/// What a change does to units that are in, and to new ones.
pub(super) fn of_change(
    current: &Current,
    wanted: &ExperimentSpec,
    fields: &[FieldChange],
    verb: Option<Verb>,
    holds: &[String],
    quarantines: &Quarantines,
) -> Vec<Effect> {
    let mut effects = Effects::default();
    transition(&mut effects, current, wanted, verb);
    kept_holds(&mut effects, current, verb, holds);
    quarantine::shown(&mut effects, quarantines);
    let alters = !fields.is_empty() || !quarantines.released.is_empty();
    if !alters || verb == Some(Verb::Stop) {
        return effects.warnings_first();
    }
    if !current.state.has_started() {
        if verb.is_none() {
            effects.say("a draft: nobody is in");
            schedule::of_changed_draft(&mut effects, wanted, fields);
            decision::of_change(&mut effects, current, wanted);
        }
        return effects.warnings_first();
    }
    if matches!(current.state, RunState::RolledBack { .. }) && verb.is_none() {
        effects.say(format!(
            "rolled back: everyone gets {} until it is resumed, whatever changes here",
            control(wanted)
        ));
        return effects.warnings_first();
    }
    let moved = quarantine::given_back(&mut effects, current, wanted, quarantines)
        | quarantine::answered_differently(&mut effects, current, wanted, quarantines)
        | removed_arms(&mut effects, current, wanted)
        | added_arms(&mut effects, current, wanted)
        | reconfigured_arms(&mut effects, current, wanted);
    let said = effects.0.len();
    traffic(&mut effects, current, wanted);
    eligibility(&mut effects, fields);
    holdback(&mut effects, current, wanted);
    lanes::of_change(&mut effects, current, wanted);
    let moved = moved || effects.0.len() > said;
    schedule::of_change(&mut effects, current, wanted, fields);
    decision::of_change(&mut effects, current, wanted);
    split::of_change(&mut effects, current, wanted, quarantines);
    if experiment_notes(&current.spec) != experiment_notes(wanted) {
        learning(&mut effects, wanted);
    }
    if !moved {
        effects.say("nobody who is in moves");
    }
    effects.warnings_first()
}

/// Where the split learns from something else than results and decisions do.
fn learning(effects: &mut Effects, spec: &ExperimentSpec) {
    for LearningNote { warning, text } in experiment_notes(spec) {
        if warning {
            effects.warn(text);
        } else {
            effects.say(text);
        }
    }
}

fn transition(
    effects: &mut Effects,
    current: &Current,
    wanted: &ExperimentSpec,
    verb: Option<Verb>,
) {
    match verb {
        None | Some(Verb::Rollback | Verb::Archive) => {}
        Some(Verb::Start) => {
            effects.say(format!(
                "starts: {} of the eligible units take part, {} of them in the holdback",
                schedule::first_traffic(wanted),
                wanted.holdback
            ));
            split::of_new(effects, wanted);
            learning(effects, wanted);
            schedule::of_draft(effects, wanted, true);
            decision::acting(effects, wanted);
        }
        Some(Verb::Pause) => effects.warn(format!(
            "new units get {} from now on, unrecorded ({}); units that are in keep their arm",
            control(wanted),
            per_day(current.decisions_per_day)
        )),
        Some(Verb::Resume) => resume(effects, current),
        Some(Verb::Stop) => stop(effects, current),
    }
}

fn resume(effects: &mut Effects, current: &Current) {
    let back = match current.state {
        RunState::RolledBack { .. } => format!(
            "{} that are in get their arms back; ",
            units(total_assigned(current))
        ),
        _ => String::new(),
    };
    effects.say(format!("resumes: {back}new units are assigned again"));
}

fn stop(effects: &mut Effects, current: &Current) {
    effects.warn(format!(
        "callers get {} from the next decision on ({}, {} assigned)",
        control(&current.spec),
        per_day(current.decisions_per_day),
        units(total_assigned(current))
    ));
    effects.warn("a stopped experiment cannot be started again; rewards whose window is open still resolve, and the ledger stays");
}

fn kept_holds(effects: &mut Effects, current: &Current, verb: Option<Verb>, holds: &[String]) {
    if holds.is_empty() {
        return;
    }
    if verb.is_some() {
        effects.warn(format!("releases a hold: {}", holds.join("; ")));
    } else {
        effects.warn(format!(
            "stays {}: held, and apply does not undo that ({})",
            current.state.name().replace('_', " "),
            holds.join("; ")
        ));
    }
}

fn total_assigned(current: &Current) -> u64 {
    current.assigned_by_arm.values().sum()
}

fn assigned(current: &Current, arm: &ArmName) -> u64 {
    current.assigned_by_arm.get(arm).copied().unwrap_or(0)
}

/// Whether units get another arm.
fn removed_arms(effects: &mut Effects, current: &Current, wanted: &ExperimentSpec) -> bool {
    let removed = arms::added(&wanted.arms, &current.spec.arms);
    for arm in &removed {
        effects.warn(format!(
            "{} on arm \"{}\" get {} from now on",
            units(assigned(current, &arm.name)),
            arm.name,
            control(wanted)
        ));
    }
    !removed.is_empty()
}

/// Whether units get another arm: those of an arm that returns do.
fn added_arms(effects: &mut Effects, current: &Current, wanted: &ExperimentSpec) -> bool {
    let mut returned = false;
    for arm in arms::added(&current.spec.arms, &wanted.arms) {
        let known: Option<&Arm> = current.arms.iter().find(|known| known.name == arm.name);
        let before = assigned(current, &arm.name);
        if known.is_some() && before > 0 {
            returned = true;
            effects.warn(format!(
                "{} had arm \"{}\" before it was removed and get it back",
                units(before),
                arm.name
            ));
        } else {
            effects.say(format!("arm \"{}\" is open to new units only", arm.name));
        }
    }
    returned
}

/// Whether units are treated differently while they keep their arm.
fn reconfigured_arms(effects: &mut Effects, current: &Current, wanted: &ExperimentSpec) -> bool {
    let changed = arms::reconfigured(&current.spec.arms, &wanted.arms);
    for arm in &changed {
        effects.warn(format!(
            "{} on arm \"{}\" get its new configuration from the next decision on; what it has earned so far was earned with the old one",
            units(assigned(current, &arm.name)),
            arm.name
        ));
    }
    !changed.is_empty()
}

fn traffic(effects: &mut Effects, current: &Current, wanted: &ExperimentSpec) {
    let (before, after) = schedule::traffic(current, wanted);
    if after > before {
        effects.say(format!(
            "traffic {before} -> {after}: nobody who is in moves, and more of the new units take part"
        ));
    } else if after < before {
        let text = format!(
            "traffic {before} -> {after}: units that are in keep their arm; more of the new units get {}",
            control(wanted)
        );
        if after.get() > 0.0 {
            effects.say(text);
        } else {
            effects.warn(format!("{text}, all of them"));
        }
    }
}

fn eligibility(effects: &mut Effects, fields: &[FieldChange]) {
    if fields
        .iter()
        .any(|field| field.path.starts_with("targeting."))
    {
        effects.say("targeting is asked of new units only; units that are in keep their arm");
    }
}

fn holdback(effects: &mut Effects, current: &Current, wanted: &ExperimentSpec) {
    let (before, after) = (current.spec.holdback, wanted.holdback);
    if before == after {
        return;
    }
    let text = format!("holdback {before} -> {after}: units that are in keep their lane and arm");
    if after.get() > 0.0 {
        effects.say(text);
    } else {
        effects.warn(format!(
            "{text}; without a holdback nothing unbiased is left to compare with"
        ));
    }
}
