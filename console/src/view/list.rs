//! The list of experiments: one line each, and the selected one's story below.

mod columns;
mod story;

use ratatui::layout::Rect;

use super::paper::Paper;
use super::{empty, text};
use crate::model::reading::{Guard, guard};
use crate::model::{Model, ScreenKind};
use crate::theme::Role;
use columns::Columns;

/// Rows of the selected experiment's story with their rule, on a screen of 20 rows or more.
const STORY_ROWS: u16 = 3;

/// The body without the story.
pub(super) fn table_area(body: Rect) -> Rect {
    let story = if body.height >= 14 { STORY_ROWS } else { 0 };
    Rect {
        height: body.height - story,
        ..body
    }
}

pub(super) fn title(model: &Model) -> Vec<(Role, String)> {
    let data = model.shown();
    let mut title = vec![(Role::Heading, " Experiments".to_owned())];
    let all = data.rows.len();
    if !model.list.filter.is_empty() {
        title.push((Role::Accent, format!("   /{}", model.list.filter)));
        let shown = model.list.visible(data).len();
        title.push((Role::Text, format!("   {shown} of {all} shown")));
        if model.list.filter_error().is_some() {
            title.push((Role::Breach, "  filter not understood".to_owned()));
        }
    } else if model.link.loaded {
        title.push((Role::Dim, format!("   {all} in all")));
    }
    title
}

/// How many guardrails need attention, to the right of the title.
pub(super) fn alarms(model: &Model) -> Vec<(Role, String)> {
    let (mut breaches, mut warnings) = (0, 0);
    for row in model.shown().rows.values() {
        match guard(row) {
            Guard::Breach(n) => breaches += n,
            Guard::Warn(n) => warnings += n,
            _ => {}
        }
    }
    let mut alarms = Vec::new();
    if breaches > 0 {
        alarms.push((Role::Breach, format!("{breaches} BREACH  ")));
    }
    if warnings > 0 {
        alarms.push((Role::Warn, format!("{warnings} WARN")));
    }
    alarms
}

pub(super) fn draw(model: &Model, paper: &mut Paper, body: Rect) {
    let rows = model.list.visible(model.shown());
    if rows.is_empty() {
        empty::draw(model, paper, body);
        return;
    }
    let table = table_area(body);
    let columns = Columns::fit(usize::from(table.width));
    let titles = columns.titles(model);
    paper.put(table.x, table.y, &titles);
    let lines = (table.y + 1)..table.bottom();
    for (y, row) in lines.zip(rows.iter().skip(model.list.offset)) {
        let cells = columns.row(model, row, paper.theme);
        paper.put(table.x, y, &cells);
    }
    if table.height < body.height {
        story(model, paper, body, table.bottom());
    }
}

fn story(model: &Model, paper: &mut Paper, body: Rect, y: u16) {
    paper.rule(y, model.link.production());
    let selected = model.list.selected.as_deref();
    let Some(row) = selected.and_then(|key| model.shown().rows.get(key)) else {
        return;
    };
    let room = usize::from(body.width) - 2;
    let ellipsis = paper.theme.glyphs.ellipsis;
    for (y, (role, line)) in (y + 1..body.bottom()).zip(story::lines(model, row, room, ellipsis)) {
        let line = text::clip(&line, room, ellipsis);
        paper.put(body.x + 1, y, &[(role, line)]);
    }
    debug_assert_eq!(model.screen(), ScreenKind::List);
}
