//! Why a command is off right now: in the hints, in the help, and when its key is pressed.

use bandit::experiment::{ArmVerb, RunState, Verb};
use chrono::{DateTime, Utc};

use super::{Command, Id};
use crate::model::form::Step;
use crate::model::reading::arms_for;
use crate::model::{Model, ScreenKind};

/// Why `command` cannot be used now; `None` if it can.
pub fn why_off(model: &Model, command: &Command) -> Option<String> {
    if command.needs_write()
        && let Some(why) = why_no_change(model)
    {
        return Some(why);
    }
    match command.id {
        Id::Verb(verb) => why_no_verb(model, verb),
        Id::Arm(verb) => match model.target() {
            Some(key) => why_not_for_arms(model, verb, &key),
            None => Some("nothing selected".to_owned()),
        },
        Id::Undo => model.undo.is_none().then(|| "nothing to undo".to_owned()),
        Id::Back => why_no_back(model),
        Id::PlanFile | Id::Audit | Id::Alerts => {
            (!model.link.is_up()).then(|| "not connected".to_owned())
        }
        Id::AddArm | Id::RemoveArm => {
            let elsewhere = model.form.step != Step::Arms;
            elsewhere.then(|| "on the arms step only".to_owned())
        }
        Id::Lane => {
            let detail = model.shown().detail.as_ref();
            let several = detail.is_some_and(|detail| detail.lanes.len() > 1);
            (!several).then(|| "there is one lane".to_owned())
        }
        Id::Last => model
            .last
            .is_none()
            .then(|| "no other screen yet".to_owned()),
        Id::Apply => why_no_apply(model),
        Id::Replan => model.plan.is_none().then(|| "no plan yet".to_owned()),
        Id::Prune => why_no_prune(model),
        Id::Edit => {
            let from_form = model.plan.as_ref().is_some_and(|plan| plan.from_form);
            (!from_form).then(|| "the plan came from a file".to_owned())
        }
        Id::Open if model.screen() == ScreenKind::List => model
            .target()
            .is_none()
            .then(|| "nothing selected".to_owned()),
        Id::Copy => model
            .copyable()
            .is_none()
            .then(|| "nothing selected".to_owned()),
        Id::Ack | Id::Silence => why_no_answer(model),
        Id::Reconnect => model.link.is_up().then(|| "the link is up".to_owned()),
        _ => None,
    }
}

/// Why nothing at all can be changed from here now.
pub fn why_no_change(model: &Model) -> Option<String> {
    if model.read_only {
        return Some("read-only".to_owned());
    }
    (!model.link.is_up()).then(|| "not connected".to_owned())
}

fn why_no_back(model: &Model) -> Option<String> {
    let layers =
        model.stack.len() > 1 || !model.list.filter.is_empty() || model.unread_failures() > 0;
    (!layers).then(|| "this is the first screen; q quits".to_owned())
}

/// Why nothing can be done about the alert on screen.
fn why_no_answer(model: &Model) -> Option<String> {
    match model.alerts.selected(model) {
        None => Some("nothing selected".to_owned()),
        Some(alert) if alert.state == "resolved" => Some("it is over".to_owned()),
        Some(_) => None,
    }
}

/// Why a verb cannot be done to the experiment on screen.
fn why_no_verb(model: &Model, verb: Verb) -> Option<String> {
    let Some(key) = model.target() else {
        return Some("nothing selected".to_owned());
    };
    why_not_for(model, verb, &key)
}

/// Why a verb cannot be done to this experiment.
pub fn why_not_for(model: &Model, verb: Verb, key: &str) -> Option<String> {
    let Some(row) = model.data.rows.get(key) else {
        return Some(format!("no experiment {key}"));
    };
    let state = state_named(&row.state)?;
    state.check(verb).err().map(|error| error.to_string())
}

/// Why a verb can be done to no arm of this experiment.
pub fn why_not_for_arms(model: &Model, verb: ArmVerb, key: &str) -> Option<String> {
    let Some(row) = model.data.rows.get(key) else {
        return Some(format!("no experiment {key}"));
    };
    let state = state_named(&row.state)?;
    let legal = match verb {
        ArmVerb::Quarantine => state.check_quarantine(),
        ArmVerb::Release => Ok(()),
        ArmVerb::Ship => state.check_ship(),
    };
    if let Err(error) = legal {
        return Some(error.to_string());
    }
    arms_for(row, verb).is_empty().then(|| match verb {
        ArmVerb::Release => "nothing is held".to_owned(),
        ArmVerb::Quarantine => "no arm besides the control is open".to_owned(),
        ArmVerb::Ship => "no arm is open".to_owned(),
    })
}

/// The core's state for a word on the wire; `None` for a word of a newer daemon, which then decides itself.
fn state_named(word: &str) -> Option<RunState> {
    let since = DateTime::<Utc>::UNIX_EPOCH;
    let (by, why) = (String::new(), String::new());
    Some(match word {
        "draft" => RunState::Draft,
        "running" => RunState::Running { since },
        "paused" => RunState::Paused { since, by, why },
        "stopped" => RunState::Stopped {
            since,
            by,
            why,
            shipped: None,
        },
        "rolled_back" => RunState::RolledBack { since, by, why },
        "archived" => RunState::Archived { since },
        _ => return None,
    })
}

/// A form holds one experiment: pruning by it would stop all others.
fn why_no_prune(model: &Model) -> Option<String> {
    match &model.plan {
        None => Some("no plan yet".to_owned()),
        Some(plan) if plan.from_form => Some("the plan came from the form".to_owned()),
        Some(_) => None,
    }
}

fn why_no_apply(model: &Model) -> Option<String> {
    let Some(plan) = &model.plan else {
        return Some("no plan yet".to_owned());
    };
    let Some(reply) = plan.reply() else {
        return Some("there is no plan to apply".to_owned());
    };
    if !reply.refused.is_empty() {
        return Some("the plan is refused".to_owned());
    }
    if reply.changes.is_empty() {
        return Some("the plan changes nothing".to_owned());
    }
    if reply.base_revision != model.data.revision {
        return Some("the world moved since this plan; r plans again".to_owned());
    }
    None
}
