//! Quarantine, release, ship: which arm is meant, and what is asked first.

use bandit::experiment::ArmVerb;
use protocol::control::{ArmRequest, ReleaseRequest};
use protocol::experiments::{ArmRow, Row};

use crate::command::availability;
use crate::effect::{Call, Effect};
use crate::model::dialog::{Action, Dialog, Focus, OnArm};
use crate::model::field::TextField;
use crate::model::prompt::{Prompt, PromptKind};
use crate::model::reading::{EVERY_HOLD, arms_for};
use crate::model::{Asked, Model};
use crate::view::text;

use super::{call, verbs};

/// From its key, or from the `:` line with `rest`: an experiment, an arm, a reason. The experiment on the screen need
/// not be named, nor an arm that is the only one.
pub(super) fn run(model: &mut Model, verb: ArmVerb, rest: &str) -> Vec<Effect> {
    match meant(model, verb, rest) {
        Ok(Meant::Ask { on, reason }) => model.dialog = Some(dialog(model, on, &reason)),
        Ok(Meant::Choose { line }) => model.prompt = Some(Prompt::new(PromptKind::Command, &line)),
        Err(why) => model.note = Some(format!("{}: {why}", verb.as_str())),
    }
    Vec::new()
}

/// Carry it out, against the revision that was on screen.
pub(super) fn send(model: &mut Model, on: OnArm, reason: String) -> Vec<Effect> {
    let asked = Asked::Arm {
        verb: on.verb,
        key: on.key.clone(),
        arm: on.arm.clone(),
    };
    let OnArm {
        verb,
        key,
        arm,
        revision,
    } = on;
    let expect_revision = Some(revision);
    call(model, asked, |request_id| match (verb, arm) {
        (ArmVerb::Quarantine, Some(arm)) => Call::Quarantine(ArmRequest {
            key,
            arm,
            reason,
            request_id,
            expect_revision,
        }),
        (ArmVerb::Ship, Some(arm)) => Call::Ship(ArmRequest {
            key,
            arm,
            reason,
            request_id,
            expect_revision,
        }),
        (_, arm) => Call::Release(ReleaseRequest {
            key,
            arm,
            reason,
            request_id,
            expect_revision,
        }),
    })
}

/// What a line means.
enum Meant {
    /// This, for this reason.
    Ask { on: OnArm, reason: String },
    /// It must say which arm.
    Choose { line: String },
}

fn meant(model: &Model, verb: ArmVerb, rest: &str) -> Result<Meant, String> {
    let (key, rest) = experiment(model, rest)?;
    if let Some(why) = availability::why_no_change(model) {
        return Err(why);
    }
    if let Some(why) = availability::why_not_for_arms(model, verb, &key) {
        return Err(why);
    }
    let row = &model.shown().rows[&key];
    let (arm, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let candidates = arms_for(row, verb);
    let arm = match (arm, candidates.as_slice()) {
        ("", [only]) => *only,
        ("", _) => {
            let line = format!("{} {key} ", verb.as_str());
            return Ok(Meant::Choose { line });
        }
        (arm, all) if all.contains(&arm) => arm,
        (arm, all) => return Err(format!("{arm} cannot be meant; {} can", all.join(", "))),
    };
    let on = OnArm {
        verb,
        arm: (arm != EVERY_HOLD).then(|| arm.to_owned()),
        revision: row.revision,
        key,
    };
    let reason = reason.trim();
    let reason = if reason.is_empty() {
        proposal(verb)
    } else {
        reason
    };
    Ok(Meant::Ask {
        on,
        reason: reason.to_owned(),
    })
}

/// The experiment that a line begins with, or the one on the screen; and the rest of the line.
fn experiment<'a>(model: &Model, line: &'a str) -> Result<(String, &'a str), String> {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rows = &model.shown().rows;
    if rows.contains_key(first) {
        return Ok((first.to_owned(), rest));
    }
    let Some(target) = model.target().filter(|key| rows.contains_key(key)) else {
        return Err("nothing selected".to_owned());
    };
    let names_an_arm = rows[&target].arms.iter().any(|arm| arm.name == first);
    if first.is_empty() || first == EVERY_HOLD || names_an_arm {
        return Ok((target, line));
    }
    Err(format!(
        "no experiment {first}, and {target} has no such arm"
    ))
}

/// The reason that is proposed. Why a hold may end is for a person to say.
fn proposal(verb: ArmVerb) -> &'static str {
    match verb {
        ArmVerb::Quarantine => "quarantined by the operator",
        ArmVerb::Release => "",
        ArmVerb::Ship => "shipped by the operator",
    }
}

fn dialog(model: &Model, on: OnArm, reason: &str) -> Dialog {
    let lines = model
        .shown()
        .rows
        .get(&on.key)
        .map_or_else(Vec::new, |row| {
            let arm = row
                .arms
                .iter()
                .find(|arm| Some(&arm.name) == on.arm.as_ref());
            consequences(on.verb, row, arm)
        });
    let verb = text::capital(on.verb.as_str());
    let what = match &on.arm {
        Some(arm) => format!("{arm} of {}", on.key),
        None => on.key.clone(),
    };
    Dialog {
        title: format!("{verb} {what} in {}", verbs::place(model)),
        lines,
        reason: TextField::new(reason),
        proof: (on.verb == ArmVerb::Ship).then(|| on.key.clone()),
        typed: TextField::default(),
        focus: Focus::Cancel,
        yes: verb,
        action: Action::Arm(on),
    }
}

/// What will happen, to how many, and whether it can be undone.
fn consequences(verb: ArmVerb, row: &Row, arm: Option<&ArmRow>) -> Vec<String> {
    let Some(arm) = arm else {
        return vec![
            format!("Held: {}.", row.holds.join("; ")),
            format!(
                "It stays {}, and apply may change that again.",
                row.state.replace('_', " ")
            ),
            "Quarantined arms get new units again.".to_owned(),
        ];
    };
    let name = &arm.name;
    let units = text::count(arm.assigned);
    match verb {
        ArmVerb::Quarantine => vec![
            format!(
                "It gets {} of the new units now; {units} units have it.",
                text::percent(arm.share, 1)
            ),
            "Nobody new gets it; its own units keep it, or get control if the file says so."
                .to_owned(),
            "It can be released with a reason; until then apply keeps it closed.".to_owned(),
        ],
        ArmVerb::Release => vec![
            format!("New units draw \"{name}\" again; {units} units have it."),
            "It can be quarantined again.".to_owned(),
        ],
        ArmVerb::Ship => vec![
            verbs::serving(row),
            format!("From the next request on everyone gets \"{name}\"."),
            "Open windows still resolve. Irreversible: it cannot run again.".to_owned(),
        ],
    }
}
