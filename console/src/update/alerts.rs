//! The alert inbox: asked for again and again while it is on screen, and what is done about an alert.

use bandit::experiment::Millis;
use protocol::alerts::{AckRequest, AlertDone, AlertsPage, AlertsQuery, SilenceRequest};

use super::{call, navigation};
use crate::effect::{Call, Effect};
use crate::model::outcome::OutcomeKind;
use crate::model::{Asked, Model, ScreenKind};
use crate::msg::CallFailure;

/// 5 s: whoever looks at the inbox waits for something to change in it.
const EVERY_MS: u64 = 5_000;

/// Alerts asked for at once: more than anybody reads.
const ROWS: u32 = 200;

/// What `I` alone means.
const USUAL_SILENCE: Millis = Millis(3_600_000);

/// To the inbox.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    model.alerts.failure = None;
    navigation::push(model, ScreenKind::Alerts);
    ask(model)
}

/// Asks again once it is time.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    let due = model.now_ms.saturating_sub(model.alerts.asked_at_ms) >= EVERY_MS;
    if due && model.screen() == ScreenKind::Alerts {
        return ask(model);
    }
    Vec::new()
}

fn ask(model: &mut Model) -> Vec<Effect> {
    let on_its_way = model.asked.values().any(|asked| *asked == Asked::Alerts);
    if !model.link.is_up() || on_its_way {
        return Vec::new();
    }
    model.alerts.asked_at_ms = model.now_ms;
    let query = AlertsQuery {
        all: true,
        limit: ROWS,
    };
    call(model, Asked::Alerts, |_| Call::Alerts(query))
}

/// The alerts came, or why not.
pub(super) fn came(model: &mut Model, page: Result<AlertsPage, CallFailure>) {
    match page {
        Ok(page) => {
            model.alerts.failure = None;
            if let Some(frozen) = model.frozen.as_mut()
                && frozen.data.alerts.is_none()
            {
                frozen.data.alerts = Some(page.clone());
            }
            // What is looked at stays what is meant, also when something worse comes above it.
            let is_there = |number| page.alerts.iter().any(|alert| alert.number == number);
            if !model.alerts.selected.is_some_and(is_there) {
                model.alerts.selected = page.alerts.first().map(|alert| alert.number);
            }
            model.data.alerts = Some(page);
        }
        Err(failure) => model.alerts.failure = Some(failure.sentence()),
    }
}

/// You look after the selected alert.
pub(super) fn ack(model: &mut Model, reason: &str) -> Vec<Effect> {
    let Some(number) = selected(model) else {
        return Vec::new();
    };
    let reason = or(reason, "ack from the console");
    let asked = Asked::Answer {
        deed: format!("ack alert {number}"),
    };
    call(model, asked, |request_id| {
        Call::Ack(AckRequest {
            alert: number,
            reason,
            request_id,
        })
    })
}

/// Nobody is told of the selected alert: `2h a known cause`.
pub(super) fn silence(model: &mut Model, rest: &str) -> Vec<Effect> {
    let Some(number) = selected(model) else {
        return Vec::new();
    };
    let (length, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let length = if length.is_empty() {
        Ok(USUAL_SILENCE)
    } else {
        length.parse::<Millis>()
    };
    let Ok(length) = length else {
        model.note = Some("for how long? :silence 2h REASON".to_owned());
        return Vec::new();
    };
    let reason = or(reason.trim(), "silence from the console");
    let asked = Asked::Answer {
        deed: format!("silence alert {number}"),
    };
    call(model, asked, |request_id| {
        Call::Silence(SilenceRequest {
            alert: number,
            for_ms: length.0,
            reason,
            request_id,
        })
    })
}

fn or(reason: &str, proposal: &str) -> String {
    if reason.is_empty() { proposal } else { reason }.to_owned()
}

/// The alert that something is done about, if anything may be done.
fn selected(model: &mut Model) -> Option<u64> {
    // What is not seen is not what was meant.
    let why = if model.screen() != ScreenKind::Alerts {
        "on the alerts screen only: :alerts"
    } else if model.read_only {
        "read-only"
    } else if model.link.is_up() {
        return model.alerts.selected(model).map(|alert| alert.number);
    } else {
        "not connected"
    };
    model.note = Some(why.to_owned());
    None
}

/// What came of it; the inbox is read again.
pub(super) fn answered(
    model: &mut Model,
    deed: &str,
    done: Result<AlertDone, CallFailure>,
) -> Vec<Effect> {
    match done {
        Ok(done) => model.say(OutcomeKind::Done, format!("you: {}", done.outcome)),
        Err(CallFailure::Refused(refusal)) => {
            model.say(
                OutcomeKind::Failed,
                format!("{deed} refused: {}", refusal.message),
            );
        }
        Err(CallFailure::NoAnswer(why)) => model.say(
            OutcomeKind::Failed,
            format!("{deed}: no answer, it may have happened ({why})"),
        ),
    }
    if model.screen() == ScreenKind::Alerts {
        return ask(model);
    }
    Vec::new()
}
