//! The dialog: focus starts on Cancel, what is drawn as focused is what Enter does, declining changes nothing.

use protocol::plans::ApplyRequest;

use crate::effect::{Call, Effect};
use crate::keymap::{Code, Key};
use crate::model::dialog::{Action, Dialog, Focus};
use crate::model::{Asked, Model};

use super::{arms, call, verbs};

/// A key while a dialog is open.
pub(super) fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(dialog) = model.dialog.as_mut() else {
        return Vec::new();
    };
    match key.code {
        Code::Esc => cancel(model),
        Code::Char('c') if key.ctrl => cancel(model),
        Code::Enter => return enter(model),
        Code::Tab | Code::Down => dialog.step(true),
        Code::BackTab | Code::Up => dialog.step(false),
        Code::Left | Code::Right if on_button(dialog) => {
            dialog.focus = match dialog.focus {
                Focus::Yes => Focus::Cancel,
                _ => Focus::Yes,
            };
        }
        _ => typed(model, key),
    }
    Vec::new()
}

fn on_button(dialog: &Dialog) -> bool {
    matches!(dialog.focus, Focus::Cancel | Focus::Yes)
}

/// Letters go to the field with the focus; on a button they go to the name that is asked for.
fn typed(model: &mut Model, key: Key) {
    let Some(dialog) = model.dialog.as_mut() else {
        return;
    };
    if on_button(dialog) && key.typed().is_some() {
        if dialog.proof.is_none() {
            model.note = Some("tab goes to the button, enter presses it, esc cancels".to_owned());
            return;
        }
        dialog.focus = Focus::Proof;
    }
    match dialog.focus {
        Focus::Reason => dialog.reason.edit(key),
        Focus::Proof => dialog.typed.edit(key),
        Focus::Cancel | Focus::Yes => false,
    };
}

/// Pasted text goes to the reason only: a name that proves attention is typed.
pub(super) fn paste(model: &mut Model, text: &str) {
    let Some(dialog) = model.dialog.as_mut() else {
        return;
    };
    if dialog.focus == Focus::Reason {
        dialog.reason.insert(text);
    } else {
        model.note = Some("type it; only the reason can be pasted".to_owned());
    }
}

fn cancel(model: &mut Model) {
    model.dialog = None;
    model.note = Some("cancelled; nothing was changed".to_owned());
}

fn enter(model: &mut Model) -> Vec<Effect> {
    let Some(dialog) = model.dialog.as_mut() else {
        return Vec::new();
    };
    match dialog.focus {
        Focus::Reason => dialog.step(true),
        Focus::Proof => match dialog.missing() {
            None => dialog.focus = Focus::Yes,
            Some(missing) => model.note = Some(missing),
        },
        Focus::Cancel => cancel(model),
        Focus::Yes => return yes(model),
    }
    Vec::new()
}

fn yes(model: &mut Model) -> Vec<Effect> {
    let Some(dialog) = &model.dialog else {
        return Vec::new();
    };
    if let Some(missing) = dialog.missing() {
        model.note = Some(missing);
        return Vec::new();
    }
    let reason = dialog.reason.text().trim().to_owned();
    let action = dialog.action.clone();
    model.dialog = None;
    match action {
        Action::Verb {
            verb,
            key,
            revision,
            from,
        } => verbs::send(model, verb, &key, revision, &from, &reason, false),
        Action::Arm(on) => arms::send(model, on, reason),
        Action::Apply {
            request,
            base_revision,
        } => call(model, Asked::Apply, |request_id| {
            Call::Apply(ApplyRequest {
                plan: request,
                base_revision,
                reason,
                request_id,
            })
        }),
    }
}
