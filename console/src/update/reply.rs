//! Answers: the outcome lands in a line that stays, also if the dialog is gone.

use bandit::experiment::Verb;
use protocol::control::Done;
use protocol::experiments::Detail;
use protocol::refusal::{Refusal, Retry};

use super::{alerts, lane};
use crate::effect::Effect;
use crate::model::form::Form;
use crate::model::outcome::OutcomeKind;
use crate::model::plan::PlanStatus;
use crate::model::{Asked, Model, ScreenKind, Undo};
use crate::msg::{CallFailure, Reply};

/// 10 s to take a pause or a resume back.
const UNDO_FOR_MS: u64 = 10_000;

/// Take in an answer; answers to calls that nobody waits for any more are dropped.
pub(super) fn answered(
    model: &mut Model,
    id: u64,
    reply: Result<Reply, CallFailure>,
) -> Vec<Effect> {
    let Some(asked) = model.asked.remove(&id) else {
        return Vec::new();
    };
    match (asked, reply) {
        (Asked::Detail { key }, Ok(Reply::Detail(detail))) => show_detail(model, &key, *detail),
        (Asked::Detail { .. }, Err(failure)) => model.detail.failure = Some(failure.sentence()),
        (Asked::Audit, Ok(Reply::Audit(page))) => {
            if let Some(frozen) = model.frozen.as_mut() {
                frozen.data.audit = Some(page.clone());
            }
            model.data.audit = Some(page);
        }
        (Asked::Audit, Err(failure)) => model.audit.failure = Some(failure.sentence()),
        (Asked::Alerts, Ok(Reply::Alerts(page))) => alerts::came(model, Ok(page)),
        (Asked::Alerts, Err(failure)) => alerts::came(model, Err(failure)),
        (Asked::Answer { deed }, Ok(Reply::Answered(done))) => {
            return alerts::answered(model, &deed, Ok(done));
        }
        (Asked::Answer { deed }, Err(failure)) => {
            return alerts::answered(model, &deed, Err(failure));
        }
        (asked @ Asked::Verb { .. }, Ok(Reply::Done(done))) => done_verb(model, asked, &done),
        (Asked::Verb { verb, key, .. }, Err(failure)) => {
            failed_verb(model, &format!("{verb} {key}"), failure);
        }
        (Asked::Arm { .. }, Ok(Reply::Done(done))) => {
            model.say(OutcomeKind::Done, format!("you: {}", done.outcome));
        }
        (Asked::Arm { verb, key, arm }, Err(failure)) => {
            let arm = arm.map_or_else(String::new, |arm| format!(" {arm}"));
            failed_verb(model, &format!("{} {key}{arm}", verb.as_str()), failure);
        }
        (Asked::Plan, Ok(Reply::Plan(reply))) => {
            let at_ms = model.now_ms;
            set_plan(model, PlanStatus::Ready { reply, at_ms });
        }
        (Asked::Plan, Err(failure)) => failed_plan(model, failure),
        (Asked::Apply, Ok(Reply::Applied(applied))) => {
            model.say(OutcomeKind::Done, applied.outcome);
            applied_plan(model, applied.revision);
        }
        (Asked::Apply, Err(failure)) => failed_apply(model, failure),
        (asked, Ok(_)) => {
            model.say(
                OutcomeKind::Failed,
                format!("the daemon answered something else to {asked:?}; its version may not fit"),
            );
        }
    }
    Vec::new()
}

fn show_detail(model: &mut Model, key: &str, mut detail: Detail) {
    if model.detail.key.as_deref() != Some(key) {
        return;
    }
    model.detail.failure = None;
    lane::turn(&mut detail, model.detail.lane.as_deref());
    if let Some(frozen) = model.frozen.as_mut() {
        let known = frozen.data.detail.as_ref();
        if known.is_none_or(|known| known.row.key != key) {
            frozen.data.detail = Some(detail.clone());
        }
    }
    model.data.detail = Some(detail);
}

fn done_verb(model: &mut Model, asked: Asked, done: &Done) {
    let Asked::Verb {
        verb,
        key,
        from,
        undoing,
    } = asked
    else {
        return;
    };
    model.say(OutcomeKind::Done, format!("you: {}", done.outcome));
    let inverse = match verb {
        Verb::Pause => Some(Verb::Resume),
        Verb::Resume if from == "paused" => Some(Verb::Pause),
        _ => None,
    };
    model.undo = inverse.filter(|_| !undoing).map(|verb| Undo {
        key,
        verb,
        revision: done.revision,
        until_ms: model.now_ms + UNDO_FOR_MS,
    });
}

fn failed_verb(model: &mut Model, deed: &str, failure: CallFailure) {
    let text = match failure {
        CallFailure::Refused(refusal) => {
            format!("{deed} refused: {}{}", refusal.message, way_out(&refusal))
        }
        CallFailure::NoAnswer(why) => {
            format!("{deed}: no answer, it may have happened, look at its state ({why})")
        }
    };
    model.say(OutcomeKind::Failed, text);
}

fn way_out(refusal: &Refusal) -> &'static str {
    match refusal.retry() {
        Retry::AfterReplan => "; it changed meanwhile, look again",
        Retry::Later => "; try again later",
        Retry::Never => "",
    }
}

fn set_plan(model: &mut Model, status: PlanStatus) {
    if let Some(plan) = model.plan.as_mut() {
        plan.status = status;
        plan.scroll = 0;
    }
}

fn failed_plan(model: &mut Model, failure: CallFailure) {
    let status = match failure {
        CallFailure::Refused(refusal) => PlanStatus::Failed {
            message: refusal.message,
            problems: refusal.problems,
        },
        CallFailure::NoAnswer(why) => PlanStatus::Failed {
            message: format!("no answer: {why}; r asks again"),
            problems: Vec::new(),
        },
    };
    set_plan(model, status);
}

/// Keep the plan on screen as applied; a form that became an experiment is emptied.
fn applied_plan(model: &mut Model, revision: u64) {
    let Some(plan) = model.plan.as_mut() else {
        return;
    };
    if let PlanStatus::Ready { reply, .. } = &plan.status {
        plan.status = PlanStatus::Applied {
            reply: reply.clone(),
            revision,
        };
    }
    if plan.from_form {
        let key = plan.request.file.trim_end_matches(".toml").to_owned();
        model.list.selected = Some(key);
        model.form = Form::default();
        model.stack.retain(|screen| *screen != ScreenKind::Form);
    }
}

fn failed_apply(model: &mut Model, failure: CallFailure) {
    let text = match failure {
        CallFailure::Refused(refusal) if refusal.retry() == Retry::AfterReplan => {
            format!("apply refused: {}; r plans again", refusal.message)
        }
        CallFailure::Refused(refusal) => format!("apply refused: {}", refusal.message),
        CallFailure::NoAnswer(why) => {
            format!("apply: no answer, it may have happened; r shows what is left ({why})")
        }
    };
    model.say(OutcomeKind::Failed, text);
}
