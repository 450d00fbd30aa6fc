//! The help of a screen: every key of the command table, and why some are off.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paper::{heading, line, plain};
use super::text;
use crate::command::{self, Command, Group, availability};
use crate::model::filter::FIELDS;
use crate::model::{Model, ScreenKind};
use crate::theme::{Role, Theme};

/// A screen's name.
pub(super) fn name(screen: Option<ScreenKind>) -> &'static str {
    match screen.unwrap_or(ScreenKind::List) {
        ScreenKind::List => "Experiments",
        ScreenKind::Detail => "one experiment",
        ScreenKind::Form => "new experiment",
        ScreenKind::Plan => "Plan",
        ScreenKind::Audit => "Audit",
        ScreenKind::Alerts => "Alerts",
        ScreenKind::Messages => "Messages",
        ScreenKind::Help => "Help",
    }
}

/// All lines.
pub(super) fn lines(model: &Model, theme: &Theme, body: Rect) -> Vec<Line<'static>> {
    let screen = model
        .stack
        .iter()
        .rev()
        .nth(1)
        .copied()
        .unwrap_or(ScreenKind::List);
    let width = usize::from(body.width);
    // The help is on top now: what is off is judged for the screen below it.
    let mut below = model.clone();
    below.stack.pop();
    let mut lines = Vec::new();
    for (group, title) in [
        (Group::View, "This screen"),
        (Group::Everywhere, "Everywhere"),
        (Group::Move, "Moving about"),
    ] {
        let commands: Vec<&Command> = command::on(screen)
            .filter(|command| command.group == group)
            .collect();
        if commands.is_empty() {
            continue;
        }
        lines.push(heading(theme, title, body.width));
        let rows = commands.into_iter();
        lines.extend(rows.flat_map(|command| row(&below, command, theme, width)));
    }
    lines.extend(words(theme, body.width));
    lines
}

/// Keys, label, and what it does; a long sentence goes on below itself.
fn row(model: &Model, command: &Command, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let keys = if command.keys.is_empty() {
        format!(":{}", command.name)
    } else {
        command.keys.join(" ").replace("g g", "gg")
    };
    let (role, doc) = match availability::why_off(model, command) {
        Some(why) => (Role::Dim, format!("({why})")),
        None => (Role::Text, command.doc.to_owned()),
    };
    let ellipsis = theme.glyphs.ellipsis;
    let room = width.saturating_sub(3 + 14 + 14 + 1);
    let parts = text::wrap(&doc, room);
    let first = (keys, command.shown_label());
    let rest = std::iter::repeat((String::new(), String::new()));
    std::iter::once(first)
        .chain(rest)
        .zip(parts)
        .map(|((keys, label), part)| {
            line(
                theme,
                &[
                    (
                        Role::Key,
                        format!("   {} ", text::left(&keys, 13, ellipsis)),
                    ),
                    (role, format!("{} ", text::left(&label, 13, ellipsis))),
                    (role, part),
                ],
            )
        })
        .collect()
}

/// What the words on screen mean.
fn words(theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let mut lines = vec![heading(theme, "Filter", width)];
    let room = usize::from(width).saturating_sub(3 + 10 + 1);
    let pair = |name: &str, doc: &str| {
        let names = std::iter::once(name.to_owned()).chain(std::iter::repeat(String::new()));
        names
            .zip(text::wrap(doc, room))
            .map(|(name, part)| {
                let name = format!("   {name:<10}");
                line(theme, &[(Role::Key, name), (Role::Text, part)])
            })
            .collect::<Vec<_>>()
    };
    lines.extend(FIELDS.iter().flat_map(|(name, doc)| pair(name, doc)));
    lines.push(heading(theme, "Words", width));
    for (word, meaning) in [
        (
            "PAUSED",
            "by an operator; PAUSED! by a guardrail: new units get control",
        ),
        ("ROLLBACK", "everyone gets control at once"),
        (
            "unknown",
            "a guardrail without enough to tell: never a pass, never a reason to act",
        ),
        (
            "LIVE",
            "the daemon spoke within 20 s; STALE: not so, or no database",
        ),
        (
            "FROZEN",
            "you pressed space: the screen stands, the data goes on",
        ),
        ("c", "before an arm: it is the control; ctl in the list"),
        (
            "*",
            "before an arm: it leads; after a name: its state just changed",
        ),
        ("P(BEST)", "probability that the arm is the best one"),
        (
            "EXP.LOSS",
            "what choosing the arm now would lose, in percentage points",
        ),
        ("..", "after a key's word: it asks before it acts"),
    ] {
        lines.extend(pair(word, meaning));
    }
    lines.push(plain(
        theme,
        Role::Dim,
        "   (in brackets): off now, and why",
    ));
    lines
}
