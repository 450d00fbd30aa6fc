//! What happens next: the model, a message, and what is wanted of the world. No clock, no IO.

mod alerts;
mod arms;
mod dialog;
mod form;
mod keys;
mod lane;
mod link;
mod navigation;
mod plan;
mod prompt;
mod reply;
mod run;
mod verbs;

use crate::effect::{Call, Effect};
use crate::model::outcome::OutcomeKind;
use crate::model::{Asked, LocalMs, Model, ScreenKind};
use crate::msg::Msg;

/// 5 s: long enough to catch the eye after looking away, short enough not to be everywhere.
const MOVED_FOR_MS: u64 = 5_000;

/// 1 s: two keys of a chord that are further apart are two keys.
const CHORD_FOR_MS: u64 = 1_000;

/// 30 s: policy milestones reach the detail screen by this, everything else by the watch.
const DETAIL_EVERY_MS: u64 = 30_000;

/// Take in one message.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let effects = match msg {
        Msg::Clock(now_ms) => clock(model, now_ms),
        Msg::Key(key) => keys::press(model, key),
        Msg::Paste(text) => keys::paste(model, &text),
        Msg::Resize { width, height } => {
            model.size = (width, height);
            Vec::new()
        }
        Msg::Link(event) => link::heard(model, *event),
        Msg::Reply { id, reply } => reply::answered(model, id, *reply),
        Msg::FileRead { path, text } => plan::file_read(model, &path, text),
        Msg::Copied(result) => copied(model, result),
        Msg::Terminate => vec![Effect::Quit],
    };
    navigation::keep_in_view(model);
    effects
}

fn clock(model: &mut Model, now_ms: LocalMs) -> Vec<Effect> {
    model.now_ms = now_ms;
    model
        .moved
        .retain(|_, moved| now_ms.saturating_sub(moved.at_ms) < MOVED_FOR_MS);
    if model
        .undo
        .as_ref()
        .is_some_and(|undo| undo.until_ms <= now_ms)
    {
        model.undo = None;
    }
    if let Some((_, at_ms)) = model.chord
        && now_ms.saturating_sub(at_ms) > CHORD_FOR_MS
    {
        model.chord = None;
    }
    let due = now_ms.saturating_sub(model.detail.asked_at_ms) > DETAIL_EVERY_MS;
    if due && model.stack.contains(&ScreenKind::Detail) {
        return ask_detail(model);
    }
    alerts::refresh(model)
}

/// Ask for the detail on screen, unless that is on its way.
fn ask_detail(model: &mut Model) -> Vec<Effect> {
    let on_its_way = |asked: &Asked| matches!(asked, Asked::Detail { .. });
    let Some(key) = model.detail.key.clone() else {
        return Vec::new();
    };
    if !model.link.is_up() || model.asked.values().any(on_its_way) {
        return Vec::new();
    }
    model.detail.asked_at_ms = model.now_ms;
    let asked = Asked::Detail { key: key.clone() };
    call(model, asked, |_| Call::Detail { key })
}

/// Ask the daemon something, under a request id of this session.
fn call(model: &mut Model, asked: Asked, call: impl FnOnce(uuid::Uuid) -> Call) -> Vec<Effect> {
    let (id, request) = model.next_request();
    model.asked.insert(id, asked);
    vec![Effect::Call {
        id,
        call: Box::new(call(request)),
    }]
}

fn copied(model: &mut Model, result: Result<String, String>) -> Vec<Effect> {
    match result {
        Ok(what) => model.note = Some(format!("copied {what} (OSC 52, by your terminal)")),
        Err(why) => model.say(OutcomeKind::Failed, format!("not copied: {why}")),
    }
    Vec::new()
}
