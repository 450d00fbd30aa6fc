//! Where a key goes: the dialog, the line being typed, the form, or the command it stands for.

use crate::command::Id;
use crate::effect::Effect;
use crate::keymap::{self, Code, Key, Meaning};
use crate::model::{Model, ScreenKind};
use crate::view::LEAST;

use super::{dialog, form, prompt, run};

/// A key was pressed.
pub(super) fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    model.note = None;
    if is_hidden(model) {
        return press_unseen(model, key);
    }
    if model.dialog.is_some() {
        return dialog::press(model, key);
    }
    if model.prompt.is_some() {
        return prompt::press(model, key);
    }
    let before = model.chord.take().map(|(key, _)| key);
    if model.screen() == ScreenKind::Form && form::types(model, key) {
        return Vec::new();
    }
    match keymap::meaning(model.screen(), before, key) {
        Meaning::Command(command) => run::run(model, command, ""),
        Meaning::Prefix => {
            model.chord = Some((key, model.now_ms));
            Vec::new()
        }
        Meaning::Nothing if before.is_some() => press(model, key),
        Meaning::Nothing => unknown(model, key),
    }
}

/// Whether the terminal is too small to show what a key would act on.
fn is_hidden(model: &Model) -> bool {
    let (columns, rows) = model.size;
    columns < LEAST.0 || rows < LEAST.1
}

/// Nobody types into what cannot be seen: only leaving works, whatever was open.
fn press_unseen(model: &mut Model, key: Key) -> Vec<Effect> {
    match keymap::meaning(ScreenKind::List, None, key) {
        Meaning::Command(command) if matches!(command.id, Id::Quit | Id::Suspend | Id::Redraw) => {
            run::run(model, command, "")
        }
        _ => Vec::new(),
    }
}

fn unknown(model: &mut Model, key: Key) -> Vec<Effect> {
    let known_elsewhere = ScreenKind::ALL.into_iter().any(|screen| {
        matches!(
            keymap::meaning(screen, None, key),
            Meaning::Command(command) if command.id != Id::Quit
        )
    });
    if known_elsewhere || matches!(key.code, Code::Char(_)) {
        model.note = Some(format!("{key} does nothing here; ? shows what does"));
    }
    Vec::new()
}

/// A text was pasted: into a field, or nowhere. Pasted text is never taken for keys.
pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    model.note = None;
    if model.dialog.is_some() {
        dialog::paste(model, text);
    } else if model.prompt.is_some() {
        prompt::paste(model, text);
    } else if model.screen() == ScreenKind::Form {
        form::paste(model, text);
    } else {
        model.note = Some("pasted text goes into a field; there is none here".to_owned());
    }
    Vec::new()
}
