//! The line being typed, what it could become, and where it is wrong.

use ratatui::layout::{Position, Rect};

use super::paper::Paper;
use super::text;
use crate::model::filter::Filter;
use crate::model::prompt::{Completion, Prompt, PromptKind};
use crate::model::{Model, ScreenKind};
use crate::theme::Role;

/// Proposals shown at once: more are reached by typing on.
const ROWS: usize = 8;

/// Draw the line and what belongs to it; where the cursor is.
pub(super) fn draw(model: &Model, paper: &mut Paper) -> Option<Position> {
    let prompt = model.prompt.as_ref()?;
    let y = paper.area.bottom() - 1;
    let x = paper.area.x + 1;
    paper.clear(Rect::new(paper.area.x, y, paper.area.width, 1));
    let after = paper.put(x, y, &[(Role::Key, prompt.sign().to_owned())]);
    let room = usize::from(paper.area.right().saturating_sub(after + 2));
    let (shown, cursor) = window(prompt, room);
    paper.put(after, y, &[(Role::Text, shown)]);
    match prompt.kind {
        PromptKind::Command => proposals(model, prompt, paper),
        PromptKind::Filter => filter_error(model, prompt, paper, after),
        PromptKind::Path => {}
    }
    Some(Position::new(after + cursor as u16, y))
}

/// The part of the text around the cursor that fits.
fn window(prompt: &Prompt, room: usize) -> (String, usize) {
    let cursor = prompt.field.cursor();
    let skip = cursor.saturating_sub(room);
    let shown = prompt.field.text().chars().skip(skip).take(room).collect();
    (shown, cursor - skip)
}

fn proposals(model: &Model, prompt: &Prompt, paper: &mut Paper) {
    let found = prompt.completions(model);
    if found.is_empty() {
        return;
    }
    let chosen = prompt.chosen.unwrap_or(0);
    let first = chosen.saturating_sub(ROWS - 1);
    let shown: Vec<(usize, &Completion)> =
        found.iter().enumerate().skip(first).take(ROWS).collect();
    let more = found.len() - shown.len();
    let height = shown.len() as u16 + 1;
    let bottom = paper.area.bottom() - 1;
    let y = bottom.saturating_sub(height);
    paper.clear(Rect::new(paper.area.x, y, paper.area.width, height));
    let title = if more > 0 {
        format!(" tab: next of {}, type on to narrow", found.len())
    } else {
        " tab: next".to_owned()
    };
    paper.put(paper.area.x, y, &[(Role::Dim, title)]);
    let ellipsis = paper.theme.glyphs.ellipsis;
    let room = usize::from(paper.area.width).saturating_sub(31);
    for (row, (at, proposal)) in (y + 1..).zip(shown) {
        let selected = prompt.chosen == Some(at);
        let (mark, role) = if selected {
            (" > ", Role::Selected)
        } else {
            ("   ", Role::Text)
        };
        let name = text::fit(&proposal.name, 17, ellipsis);
        let blanks = " ".repeat(18usize.saturating_sub(text::width(&name)));
        paper.put(
            paper.area.x,
            row,
            &[
                (Role::Text, mark.to_owned()),
                (role, name),
                (
                    Role::Key,
                    format!("{blanks}{}", text::left(&proposal.key, 8, ellipsis)),
                ),
                (Role::Dim, text::clip(&proposal.doc, room, ellipsis)),
            ],
        );
    }
}

/// Under the filter there is nothing, so the error is above it, its caret over what is wrong.
fn filter_error(model: &Model, prompt: &Prompt, paper: &mut Paper, x: u16) {
    let y = paper.area.bottom() - 2;
    paper.clear(Rect::new(paper.area.x, y, paper.area.width, 1));
    let ellipsis = paper.theme.glyphs.ellipsis;
    let error = match model.screen() {
        ScreenKind::List => Filter::parse(prompt.field.text()).1,
        _ => None,
    };
    let Some(error) = error else {
        let hint = "words, state: guard: policy: owner: arm: hold: p>0.9 dec<1, not";
        let hint = if model.screen() == ScreenKind::List {
            hint
        } else {
            "words in any column"
        };
        let room = usize::from(paper.area.width) - 2;
        let hint = text::clip(hint, room, ellipsis);
        paper.put(paper.area.x + 1, y, &[(Role::Dim, hint)]);
        return;
    };
    let column = x + error.at as u16;
    let message = format!("v {}", error.message);
    let wide = text::width(&message) as u16;
    let before = paper.area.right().saturating_sub(wide + 1);
    if column <= before {
        paper.put(column, y, &[(Role::Breach, message)]);
        return;
    }
    let room = usize::from(column.saturating_sub(paper.area.x + 2));
    let message = text::clip(&error.message, room, ellipsis);
    paper.put(
        column.saturating_sub(text::width(&message) as u16 + 1),
        y,
        &[(Role::Breach, format!("{message} v"))],
    );
}
