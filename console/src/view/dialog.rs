//! The dialog over a screen: what will happen, why, the name to type, Cancel and yes.

use ratatui::layout::{Position, Rect};

use super::paper::{Paper, repeat};
use super::text;
use crate::model::Model;
use crate::model::dialog::{Dialog, Focus};
use crate::model::field::TextField;
use crate::theme::Role;

/// Widest dialog: longer lines are hard to read.
const WIDEST: u16 = 72;

/// Draw it; where the cursor is.
pub(super) fn draw(model: &Model, dialog: &Dialog, paper: &mut Paper) -> Option<Position> {
    let width = paper.area.width.saturating_sub(2).min(WIDEST);
    let room = usize::from(width).saturating_sub(4);
    let said: Vec<String> = dialog
        .lines
        .iter()
        .flat_map(|line| text::wrap(line, room))
        .collect();
    let proof_rows = if dialog.proof.is_some() { 2 } else { 0 };
    let height = said.len() as u16 + proof_rows + 7;
    let height = height.min(paper.area.height);
    let area = Rect {
        x: paper.area.x + (paper.area.width - width) / 2,
        y: paper.area.y + (paper.area.height - height) / 2,
        width,
        height,
    };
    paper.clear(area);
    frame(dialog, model.link.production(), paper, area);
    let x = area.x + 2;
    // On a very small screen the explanation gives way, never the fields and the buttons.
    let needed = 5 + proof_rows;
    let mut y = area.y + 1;
    for line in said
        .iter()
        .take(usize::from(area.height.saturating_sub(needed + 1)))
    {
        paper.put(x, y, &[(Role::Text, line.clone())]);
        y += 1;
    }
    y += 1;
    let mut cursor = field(
        paper,
        area,
        y,
        "Reason: ",
        &dialog.reason,
        dialog,
        Focus::Reason,
    );
    y += 1;
    if let Some(proof) = &dialog.proof {
        y += 1;
        let label = format!("Type {proof} to go on: ");
        let typed = field(paper, area, y, &label, &dialog.typed, dialog, Focus::Proof);
        cursor = typed.or(cursor);
        y += 1;
    }
    buttons(dialog, paper, area, y + 1);
    cursor
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
    field: &TextField,
    dialog: &Dialog,
    focus: Focus,
) -> Option<Position> {
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
    pieces.push(said);
    paper.put(area.x + 1, y, &pieces);
}
