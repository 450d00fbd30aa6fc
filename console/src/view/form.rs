//! The form for a new experiment: one step at a time, every problem beside its field.

use ratatui::layout::{Position, Rect};

use super::paper::Paper;
use super::text;
use crate::model::Model;
use crate::model::form::{Field, Form, Input, Step};
use crate::theme::Role;

/// Columns of the labels.
const LABELS: usize = 16;

pub(super) fn title(model: &Model) -> Vec<(Role, String)> {
    let mut title = vec![(Role::Heading, " New experiment".to_owned())];
    if model.size.0 < 72 {
        let at = Step::ALL.iter().position(|step| *step == model.form.step);
        let (number, word) = (at.unwrap_or(0) + 1, model.form.step.word());
        title.push((Role::Text, format!("   step {number} of 5: {word}")));
        return title;
    }
    for (at, step) in Step::ALL.into_iter().enumerate() {
        let number = at + 1;
        let wrong = model.form.problems.iter().any(|(id, _)| id.step() == step);
        let mark = if wrong { "!" } else { "" };
        title.push((Role::Dim, if at == 0 { "   " } else { "  " }.to_owned()));
        if step == model.form.step {
            title.push((Role::Selected, format!("[{number} {}{mark}]", step.word())));
        } else {
            title.push((Role::Text, format!("{number} {}{mark}", step.word())));
        }
    }
    title.push((Role::Dim, "  5 plan".to_owned()));
    title
}

/// The step's fields; where the cursor is.
pub(super) fn draw(model: &Model, paper: &mut Paper, body: Rect) -> Option<Position> {
    let form = &model.form;
    let fields = form.on_screen();
    let tall = usize::from(body.height) > 2 * fields.len();
    let height = if tall { 2 } else { 1 };
    let shown = usize::from(body.height) / height;
    let first = (form.focus + 1).saturating_sub(shown.max(1));
    let mut cursor = None;
    let mut y = body.y;
    for (at, field) in fields.iter().enumerate().skip(first) {
        if y >= body.bottom() {
            break;
        }
        let focused = at == form.focus;
        let place = draw_field(form, field, focused, paper, y);
        if focused {
            cursor = Some(place);
        }
        let remark = remark(form, field, focused);
        if tall && let Some((role, remark)) = remark {
            let x = body.x + 3 + LABELS as u16;
            let room = usize::from(body.width).saturating_sub(LABELS + 5);
            let remark = text::clip(&remark, room, paper.theme.glyphs.ellipsis);
            paper.put(x, y + 1, &[(role, remark)]);
        } else if let Some((role, remark)) = remark {
            let wide = text::width(&value(form, field)) + LABELS + 7;
            let room = usize::from(body.width).saturating_sub(wide + 1);
            let remark = text::clip(&remark, room, paper.theme.glyphs.ellipsis);
            paper.put(body.x + wide as u16, y, &[(role, remark)]);
        }
        y += height as u16;
    }
    cursor
}

fn value(form: &Form, field: &Field) -> String {
    match &field.input {
        Input::Text(text) => text.text().to_owned(),
        Input::Choice(at) => {
            let words = form.words(field.id);
            let word = words.get(*at).map_or("", String::as_str);
            format!("< {word} >")
        }
    }
}

fn draw_field(form: &Form, field: &Field, focused: bool, paper: &mut Paper, y: u16) -> Position {
    let mark = if focused { " > " } else { "   " };
    let role = if focused { Role::Heading } else { Role::Text };
    let label = text::left(&field.id.label(), LABELS, paper.theme.glyphs.ellipsis);
    let x = paper.put(
        paper.area.x,
        y,
        &[(Role::Accent, mark.to_owned()), (role, label)],
    );
    let room = usize::from(paper.area.right().saturating_sub(x + 3));
    let value = value(form, field);
    let (skip, at) = match &field.input {
        Input::Text(text) => {
            let skip = text.cursor().saturating_sub(room);
            (skip, text.cursor() - skip)
        }
        Input::Choice(_) => (0, 0),
    };
    let shown: String = value.chars().skip(skip).take(room).collect();
    let blank = shown.is_empty();
    let shown = if blank && !focused {
        "-".to_owned()
    } else {
        shown
    };
    let role = match (&field.input, focused) {
        (Input::Choice(_), true) => Role::Selected,
        _ if blank => Role::Dim,
        _ => Role::Text,
    };
    paper.put(x, y, &[(role, shown)]);
    Position::new(x + at as u16, y)
}

/// A problem, or for the field with the cursor what it takes.
fn remark(form: &Form, field: &Field, focused: bool) -> Option<(Role, String)> {
    if let Some(problem) = form.problem(field.id) {
        return Some((Role::Breach, format!("! {problem}")));
    }
    focused.then(|| (Role::Dim, field.id.hint().to_owned()))
}
