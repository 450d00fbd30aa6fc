//! A plan: read the file, ask the daemon, apply against the revision it was made for.

use protocol::plans::PlanRequest;

use crate::effect::{Call, Effect};
use crate::model::dialog::{Action, Dialog, Focus};
use crate::model::field::TextField;
use crate::model::plan::{PlanStatus, PlanView, counts, proof};
use crate::model::{Asked, Model, ScreenKind};

use super::{call, navigation, prompt};

/// `:plan FILE [--prune]`
pub(super) fn from_line(model: &mut Model, rest: &str) -> Vec<Effect> {
    match rest.strip_suffix("--prune") {
        Some(path) if path.ends_with(' ') => {
            let effects = read(model, path.trim());
            set_prune(model, true);
            effects
        }
        _ => read(model, rest),
    }
}

/// Read a file and plan it.
pub(super) fn read(model: &mut Model, path: &str) -> Vec<Effect> {
    let prune = model
        .plan
        .as_ref()
        .is_some_and(|plan| plan.request.file == path && plan.request.prune);
    show(
        model,
        PlanRequest {
            file: path.to_owned(),
            text: String::new(),
            prune,
            release_holds: false,
        },
        PlanStatus::Reading,
        false,
    );
    vec![Effect::ReadFile {
        path: path.to_owned(),
    }]
}

/// Plan what the form says.
pub(super) fn from_form(model: &mut Model, key: &str, text: String) -> Vec<Effect> {
    let request = PlanRequest {
        file: format!("{key}.toml"),
        text,
        prune: false,
        release_holds: false,
    };
    show(model, request, PlanStatus::Reading, true);
    ask(model)
}

fn show(model: &mut Model, request: PlanRequest, status: PlanStatus, from_form: bool) {
    model.plan = Some(PlanView {
        request,
        from_form,
        status,
        scroll: 0,
    });
    navigation::push(model, ScreenKind::Plan);
}

fn set_prune(model: &mut Model, prune: bool) {
    if let Some(plan) = model.plan.as_mut() {
        plan.request.prune = prune;
    }
}

/// A file was read, or not.
pub(super) fn file_read(
    model: &mut Model,
    path: &str,
    text: Result<String, String>,
) -> Vec<Effect> {
    let Some(plan) = model.plan.as_mut().filter(|plan| plan.request.file == path) else {
        return Vec::new();
    };
    match text {
        Ok(text) => {
            plan.request.text = text;
            ask(model)
        }
        Err(why) => {
            plan.status = failed(format!("cannot read {path}: {why}"));
            Vec::new()
        }
    }
}

fn failed(message: String) -> PlanStatus {
    PlanStatus::Failed {
        message,
        problems: Vec::new(),
    }
}

fn ask(model: &mut Model) -> Vec<Effect> {
    let Some(plan) = model.plan.as_mut() else {
        return Vec::new();
    };
    if !model.link.is_up() {
        plan.status = failed("not connected; r plans again once the link is back".to_owned());
        return Vec::new();
    }
    plan.status = PlanStatus::Asking {
        since_ms: model.now_ms,
    };
    let request = plan.request.clone();
    model.asked.retain(|_, asked| *asked != Asked::Plan);
    call(model, Asked::Plan, |_| Call::Plan(request))
}

/// Plan again: the file as it is now, against the world as it is now.
pub(super) fn again(model: &mut Model) -> Vec<Effect> {
    match &model.plan {
        Some(plan) if !plan.from_form => {
            let path = plan.request.file.clone();
            read(model, &path)
        }
        Some(_) => ask(model),
        None => {
            prompt::ask_path(model, "");
            Vec::new()
        }
    }
}

/// Also stop what the file leaves out, or not; plans again, so that the effect is on screen first.
pub(super) fn toggle_prune(model: &mut Model) -> Vec<Effect> {
    let prune = model.plan.as_ref().is_some_and(|plan| plan.request.prune);
    set_prune(model, !prune);
    let word = if prune { "off" } else { "on" };
    model.note = Some(format!("prune is {word}"));
    again(model)
}

/// The question before an apply.
pub(super) fn ask_apply(model: &mut Model) -> Vec<Effect> {
    let Some(plan) = &model.plan else {
        return Vec::new();
    };
    let Some(reply) = plan.reply() else {
        return Vec::new();
    };
    let (adds, changes, stops) = counts(reply);
    let proof = proof(reply);
    let warnings = reply.changes.iter().flat_map(|change| &change.effects);
    let warnings: Vec<String> = warnings
        .filter(|effect| effect.warning)
        .map(|effect| format!("! {}", effect.text))
        .collect();
    let mut lines = vec![format!(
        "{adds} add, {changes} change, {stops} STOP, valid for revision {} only.",
        reply.base_revision
    )];
    let more = warnings.len().saturating_sub(3);
    lines.extend(warnings.into_iter().take(3));
    if more > 0 {
        lines.push(format!("! and {more} more warnings: esc and read the plan"));
    }
    lines.push(match &proof {
        Some(_) => "Irreversible: what is stopped cannot run again.".to_owned(),
        None => "Every change can be taken back by another apply.".to_owned(),
    });
    let environment = model.link.environment().unwrap_or("?");
    let place = if model.link.production() {
        environment.to_uppercase()
    } else {
        environment.to_owned()
    };
    model.dialog = Some(Dialog {
        action: Action::Apply {
            request: plan.request.clone(),
            base_revision: reply.base_revision,
        },
        title: format!("Apply {} to {place}", plan.request.file),
        lines,
        reason: TextField::new(format!("apply {}", plan.request.file)),
        proof,
        typed: TextField::default(),
        focus: Focus::Cancel,
        yes: "Apply".to_owned(),
    });
    Vec::new()
}
