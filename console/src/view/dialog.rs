//! The dialog over a screen: what will happen, why, the name to type, Cancel and yes.

use ratatui::layout::{Position, Rect};

use super::paper::{Paper, repeat};
use super::text;
use crate::model::Model;
use crate::model::dialog::{Dialog, Focus};
use crate::theme::Role;

/// Widest dialog: longer lines are hard to read.
const WIDEST: u16 = 72;

/// A row of a dialog.
enum DialogRow {
    Said(String),
    Blank,
    Field(Focus, String),
    Label(String),
    Buttons,
}

/// Draw it; where the cursor is.
pub(super) fn draw(model: &Model, dialog: &Dialog, paper: &mut Paper) -> Option<Position> {
    let width = paper.area.width.saturating_sub(2).min(WIDEST);
    let rows = rows(dialog, usize::from(width), usize::from(paper.area.height));
    let height = rows.len() as u16 + 2;
    let area = Rect {
        x: paper.area.x + (paper.area.width - width) / 2,
        y: paper.area.y + paper.area.height.saturating_sub(height) / 2,
        width,
        height,
    };
    paper.clear(area);
    frame(dialog, model.link.production(), paper, area);
    let mut cursor = None;
    for (y, row) in (area.y + 1..).zip(rows) {
        match row {
            DialogRow::Said(said) => {
                paper.put(area.x + 2, y, &[(Role::Text, said)]);
            }
            DialogRow::Label(label) => {
                paper.put(area.x + 3, y, &[(Role::Dim, label)]);
            }
            DialogRow::Field(focus, label) => {
                cursor = field(paper, area, y, &label, dialog, focus).or(cursor);
            }
            DialogRow::Buttons => buttons(dialog, paper, area, y),
            DialogRow::Blank => {}
        }
    }
    cursor
}

/// The rows that fit: blanks go first, then the end of what is said, never a field or a button.
fn rows(dialog: &Dialog, width: usize, height: usize) -> Vec<DialogRow> {
    let room = width.saturating_sub(4);
    let said = dialog.lines.iter().flat_map(|line| text::wrap(line, room));
    let mut rows: Vec<DialogRow> = said.map(DialogRow::Said).collect();
    rows.push(DialogRow::Blank);
    rows.push(DialogRow::Field(Focus::Reason, "Reason: ".to_owned()));
    if let Some(proof) = &dialog.proof {
        rows.push(DialogRow::Blank);
        let label = format!("Type {proof} to go on: ");
        // The name must be seen whole while it is typed, so a long one gets a row of its own.
        if 2 * text::width(proof) + 24 < room {
            rows.push(DialogRow::Field(Focus::Proof, label));
        } else {
            let wrapped = text::wrap(&label, room.saturating_sub(1));
            rows.extend(wrapped.into_iter().map(DialogRow::Label));
            rows.push(DialogRow::Field(Focus::Proof, String::new()));
        }
    }
    rows.push(DialogRow::Blank);
    rows.push(DialogRow::Buttons);
    let room = height.saturating_sub(2);
    if rows.len() > room {
        rows.retain(|row| !matches!(row, DialogRow::Blank));
    }
    while rows.len() > room {
        let last = rows
            .iter()
            .rposition(|row| matches!(row, DialogRow::Said(_)));
        match last {
            Some(last) => rows.remove(last),
            None => break,
        };
    }
    rows
}

fn frame(dialog: &Dialog, production: bool, paper: &mut Paper, area: Rect) {
    let glyphs = paper.theme.glyphs;
    let [top_left, top_right, bottom_left, bottom_right] = glyphs.corners;
    let rule = if production {
        glyphs.production_rule
    } else {
        glyphs.rule
    };
    let role = if production { Role::Breach } else { Role::Text };
    let inner = usize::from(area.width) - 2;
    let title = text::fit(&dialog.title, inner.saturating_sub(4), glyphs.ellipsis);
    let around = inner - text::width(&title) - 2;
    let before = around / 2;
    paper.put(
        area.x,
        area.y,
        &[
            (role, format!("{top_left}{} ", repeat(rule, before))),
            (Role::Heading, title),
            (
                role,
                format!(" {}{top_right}", repeat(rule, around - before)),
            ),
        ],
    );
    for y in area.y + 1..area.bottom() - 1 {
        paper.put(area.x, y, &[(role, glyphs.bar.to_string())]);
        paper.put(area.right() - 1, y, &[(role, glyphs.bar.to_string())]);
    }
    let bottom = format!("{bottom_left}{}{bottom_right}", repeat(rule, inner));
    paper.put(area.x, area.bottom() - 1, &[(role, bottom)]);
}

/// A field; the cursor, if it has the focus.
fn field(
    paper: &mut Paper,
    area: Rect,
    y: u16,
    label: &str,
    dialog: &Dialog,
    focus: Focus,
) -> Option<Position> {
    let field = match focus {
        Focus::Proof => &dialog.typed,
        _ => &dialog.reason,
    };
    let focused = dialog.focus == focus;
    let mark = if focused { "> " } else { "  " };
    let wide = text::width(label) + 2;
    let room = usize::from(area.width).saturating_sub(wide + 5);
    let skip = field.cursor().saturating_sub(room);
    let shown: String = field.text().chars().skip(skip).take(room).collect();
    let line = repeat('_', room - text::width(&shown).min(room));
    let role = if focused { Role::Heading } else { Role::Dim };
    let x = paper.put(
        area.x + 1,
        y,
        &[(Role::Accent, mark.to_owned()), (role, label.to_owned())],
    );
    paper.put(x, y, &[(Role::Text, shown), (Role::Dim, line)]);
    focused.then(|| Position::new(x + (field.cursor() - skip) as u16, y))
}

fn buttons(dialog: &Dialog, paper: &mut Paper, area: Rect, y: u16) {
    let missing = dialog.missing();
    let button = |focus: Focus, word: &str, off: bool| {
        let focused = dialog.focus == focus;
        let (role, mark) = match (focused, off) {
            (true, _) => (Role::Selected, '>'),
            (false, true) => (Role::Dim, ' '),
            (false, false) => (Role::Text, ' '),
        };
        vec![
            (Role::Accent, format!("{mark} ")),
            (role, format!("[ {word} ]")),
            (Role::Text, "  ".to_owned()),
        ]
    };
    let mut pieces = button(Focus::Cancel, "Cancel", false);
    pieces.extend(button(Focus::Yes, &dialog.yes, missing.is_some()));
    let said = match (&missing, dialog.focus) {
        (Some(missing), _) => (Role::Warn, missing.clone()),
        (None, Focus::Cancel) => (Role::Dim, "enter cancels".to_owned()),
        (None, Focus::Yes) => (Role::Warn, format!("enter: {}", dialog.yes)),
        (None, _) => (Role::Dim, "enter goes on".to_owned()),
    };
    let used: usize = pieces.iter().map(|(_, text)| text::width(text)).sum();
    let room = usize::from(area.width).saturating_sub(used + 3);
    let said = (
        said.0,
        text::clip(&said.1, room, paper.theme.glyphs.ellipsis),
    );
    pieces.push(said);
    paper.put(area.x + 1, y, &pieces);
}
