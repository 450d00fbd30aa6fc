//! The last lines of every screen: what was done, and which keys do what.

use super::paper::Paper;
use super::text;
use crate::command::{self, Command, Id, availability};
use crate::keymap::Key;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::{Model, ScreenKind};
use crate::theme::Role;

/// Rule, the line that stays, hints.
pub(super) fn draw(model: &Model, paper: &mut Paper) {
    let bottom = paper.area.bottom();
    paper.rule(bottom - 3, model.link.production());
    let (x, room) = (paper.area.x + 1, usize::from(paper.area.width) - 2);
    let said = said(model, room, paper.theme.glyphs.ellipsis);
    paper.put(x, bottom - 2, &said);
    if model.prompt.is_none() {
        let hints = hints(model, room);
        paper.put(x, bottom - 1, &hints);
    }
}

/// A remark until the next key, else the oldest unread failure, else what was done last.
fn said(model: &Model, room: usize, ellipsis: char) -> Vec<(Role, String)> {
    if let Some(note) = &model.note {
        return vec![(Role::Accent, text::clip(note, room, ellipsis))];
    }
    let Some(outcome) = model.outcome_line() else {
        return Vec::new();
    };
    let tail = tail(model, outcome);
    let time = outcome
        .at
        .map_or_else(String::new, |at| format!("[{}] ", text::clock(at)));
    let (role, sign) = sign(outcome.kind);
    let room = room.saturating_sub(text::width(&tail) + text::width(&time) + text::width(sign));
    let (tail, room) = if tail.is_empty() && text::width(&outcome.text) > room {
        ("  M: all".to_owned(), room.saturating_sub(8))
    } else {
        (tail, room)
    };
    vec![
        (Role::Dim, time),
        (role, sign.to_owned()),
        (Role::Text, text::clip(&outcome.text, room, ellipsis)),
        (Role::Key, tail),
    ]
}

pub(super) fn sign(kind: OutcomeKind) -> (Role, &'static str) {
    match kind {
        OutcomeKind::Done => (Role::Ok, "done "),
        OutcomeKind::Failed => (Role::Breach, "FAILED "),
        OutcomeKind::News => (Role::Stale, "news "),
    }
}

fn tail(model: &Model, outcome: &Outcome) -> String {
    if outcome.unread_failure() {
        return match model.unread_failures() {
            1 => "  esc: read, M: all".to_owned(),
            more => format!("  esc: read ({} more)", more - 1),
        };
    }
    match &model.undo {
        Some(undo) if outcome.kind == OutcomeKind::Done => {
            let left = undo.until_ms.saturating_sub(model.now_ms).div_ceil(1_000);
            format!("  u: undo ({left}s)")
        }
        _ => String::new(),
    }
}

/// Keys that do something now, the most wanted first, as many as fit; help is always among them.
fn hints(model: &Model, room: usize) -> Vec<(Role, String)> {
    if model.chord.is_some() {
        return vec![
            (Role::Key, "g g".to_owned()),
            (Role::Text, " top".to_owned()),
        ];
    }
    if model.dialog.is_some() {
        return vec![(
            Role::Dim,
            "tab next   enter does what is focused   esc cancels".to_owned(),
        )];
    }
    let mut shown: Vec<&Command> = command::on(model.screen())
        .filter(|command| command.hint > 0 && visible(model, command))
        .collect();
    shown.sort_by_key(|command| command.hint);
    if let Some(at) = shown.iter().position(|command| command.id == Id::Help) {
        let help = shown.remove(at);
        shown.insert(0, help);
    }
    let mut hints = Vec::new();
    let mut used = 0;
    for command in shown {
        let key = command.key().unwrap_or("");
        let label = command.shown_label();
        let wide = key.len() + 1 + label.len() + 2;
        if used + wide > room + 2 {
            continue;
        }
        used += wide;
        hints.push((Role::Key, key.to_owned()));
        hints.push((Role::Text, format!(" {label}  ")));
    }
    hints
}

/// On the form letters are text, so only other keys are shown there.
fn visible(model: &Model, command: &Command) -> bool {
    let letter = command
        .key()
        .and_then(|key| key.parse::<Key>().ok())
        .is_some_and(|key| key.typed().is_some());
    let typed_instead = model.screen() == ScreenKind::Form && letter;
    !typed_instead && availability::why_off(model, command).is_none()
}
