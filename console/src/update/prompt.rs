//! The line being typed: a command with completion, a filter that acts while it is typed, a path.

use crate::effect::Effect;
use crate::keymap::{Code, Key};
use crate::model::prompt::{Prompt, PromptKind};
use crate::model::{Model, ScreenKind};

use super::{navigation, plan, run};

/// Lines remembered.
const HISTORY: usize = 50;

/// A key while a line is being typed.
pub(super) fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(prompt) = model.prompt.as_mut() else {
        return Vec::new();
    };
    match key.code {
        Code::Esc => close(model),
        Code::Char('c') if key.ctrl => close(model),
        Code::Backspace if prompt.field.text().is_empty() => close(model),
        Code::Enter => return enter(model),
        Code::Tab => choose(model, true),
        Code::BackTab => choose(model, false),
        Code::Up => recall(model, true),
        Code::Down => recall(model, false),
        _ => {
            prompt.chosen = None;
            prompt.field.edit(key);
            typed(model);
        }
    }
    Vec::new()
}

/// A text was pasted into the line.
pub(super) fn paste(model: &mut Model, text: &str) {
    if let Some(prompt) = model.prompt.as_mut() {
        prompt.chosen = None;
        prompt.field.insert(text);
    }
    typed(model);
}

/// A filter acts while it is typed.
fn typed(model: &mut Model) {
    let filter = model
        .prompt
        .as_ref()
        .filter(|prompt| prompt.kind == PromptKind::Filter);
    if let Some(text) = filter.map(|prompt| prompt.field.text().to_owned()) {
        set_filter(model, &text);
    }
}

fn close(model: &mut Model) {
    if let Some(prompt) = model.prompt.take()
        && prompt.kind == PromptKind::Filter
    {
        set_filter(model, &prompt.before);
    }
}

fn enter(model: &mut Model) -> Vec<Effect> {
    let Some(prompt) = model.prompt.take() else {
        return Vec::new();
    };
    let line = prompt.field.text().trim().to_owned();
    match prompt.kind {
        PromptKind::Filter => Vec::new(),
        PromptKind::Path if line.is_empty() => Vec::new(),
        PromptKind::Path => plan::read(model, &line),
        PromptKind::Command => {
            remember(model, &line);
            run::run_line(model, &line)
        }
    }
}

fn remember(model: &mut Model, line: &str) {
    if line.is_empty() || model.history.last().is_some_and(|last| last == line) {
        return;
    }
    if model.history.len() == HISTORY {
        model.history.remove(0);
    }
    model.history.push(line.to_owned());
}

/// Tab: the next completion, round and round.
fn choose(model: &mut Model, forward: bool) {
    let Some(mut prompt) = model.prompt.take() else {
        return;
    };
    if prompt.chosen.is_none() {
        prompt.field.text().clone_into(&mut prompt.before);
    }
    let found = prompt.completions(model);
    if !found.is_empty() {
        let next = match (prompt.chosen, forward) {
            (None, true) => 0,
            (None, false) => found.len() - 1,
            (Some(at), true) => (at + 1) % found.len(),
            (Some(at), false) => (at + found.len() - 1) % found.len(),
        };
        prompt.field.set(found[next].line.as_str());
        prompt.chosen = (found.len() > 1).then_some(next);
    }
    model.prompt = Some(prompt);
}

/// Up and down: lines typed before.
fn recall(model: &mut Model, older: bool) {
    let history = &model.history;
    let Some(prompt) = model
        .prompt
        .as_mut()
        .filter(|prompt| prompt.kind == PromptKind::Command)
    else {
        return;
    };
    prompt.back = if older {
        (prompt.back + 1).min(history.len())
    } else {
        prompt.back.saturating_sub(1)
    };
    let line = match prompt.back {
        0 => "",
        back => history[history.len() - back].as_str(),
    };
    prompt.chosen = None;
    prompt.field.set(line);
}

/// Narrow the list or the audit log.
pub(super) fn set_filter(model: &mut Model, text: &str) {
    if model.screen() == ScreenKind::Audit {
        text.clone_into(&mut model.audit.filter);
        return;
    }
    let before = navigation::keys_on_screen(model);
    text.clone_into(&mut model.list.filter);
    navigation::reselect(model, &before);
    model.note = None;
}

/// A line that asks for a file to plan.
pub(super) fn ask_path(model: &mut Model, path: &str) {
    model.prompt = Some(Prompt::new(PromptKind::Path, path));
}
