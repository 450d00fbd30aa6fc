//! The screens: a model in, cells out. Pure; what does not fit is named, never cut silently.

mod alerts;
mod audit;
mod bands;
mod completion;
mod decision;
mod detail;
mod dialog;
mod empty;
mod footer;
mod form;
mod guardrails;
mod header;
mod help;
mod list;
mod messages;
mod paper;
mod plan;
mod posterior;
mod ridge;
pub mod text;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use crate::model::link::Freshness;
use crate::model::{Model, ScreenKind};
use crate::theme::glyphs::Glyphs;
use crate::theme::{Role, Theme, ThemeName};
use paper::Paper;

/// Fewest columns and rows that a screen is drawn on.
pub const LEAST: (u16, u16) = (40, 10);

/// Header, title and rule.
const TOP_ROWS: u16 = 3;

/// Rule, the line that stays, hints.
const BOTTOM_ROWS: u16 = 3;

/// Draw the model.
pub fn draw(model: &Model, theme: &Theme, frame: &mut Frame) {
    let area = frame.area();
    let cursor = paint(model, theme, area, frame.buffer_mut());
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// Draw the model into a buffer; where the cursor belongs, if anything is being typed.
pub fn paint(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let mut paper = Paper::new(buffer, theme, area);
    if area.width < LEAST.0 || area.height < LEAST.1 {
        too_small(&mut paper, area);
        return None;
    }
    header::draw(model, &mut paper);
    let body = body(area);
    let mut cursor = draw_body(model, &mut paper, body);
    if model.link.freshness(model.now_ms) == Freshness::Old {
        paper.dim(body);
    }
    footer::draw(model, &mut paper);
    if model.prompt.is_some() {
        cursor = completion::draw(model, &mut paper);
    }
    if let Some(open) = &model.dialog {
        cursor = dialog::draw(model, open, &mut paper);
    }
    cursor
}

fn body(area: Rect) -> Rect {
    Rect {
        y: area.y + TOP_ROWS,
        height: area.height.saturating_sub(TOP_ROWS + BOTTOM_ROWS),
        ..area
    }
}

fn draw_body(model: &Model, paper: &mut Paper, body: Rect) -> Option<Position> {
    match model.screen() {
        ScreenKind::List => list::draw(model, paper, body),
        ScreenKind::Form => return form::draw(model, paper, body),
        ScreenKind::Audit => audit::draw(model, paper, body),
        ScreenKind::Alerts => alerts::draw(model, paper, body),
        _ => {
            let (lines, scroll) = text_of(model, paper.theme, body);
            paper.lines(body, &lines, scroll);
        }
    }
    None
}

/// The screens that are long texts: their lines, and the first one shown.
fn text_of(model: &Model, theme: &Theme, body: Rect) -> (Vec<Line<'static>>, usize) {
    match model.screen() {
        ScreenKind::Detail => (detail::lines(model, theme, body), model.detail.scroll),
        ScreenKind::Plan => {
            let scroll = model.plan.as_ref().map_or(0, |plan| plan.scroll);
            (plan::lines(model, theme, body), scroll)
        }
        ScreenKind::Help => (help::lines(model, theme, body), model.scroll),
        ScreenKind::Messages => (messages::lines(model, theme), model.scroll),
        ScreenKind::List | ScreenKind::Form | ScreenKind::Audit | ScreenKind::Alerts => {
            (Vec::new(), 0)
        }
    }
}

fn screen(model: &Model) -> Rect {
    Rect::new(0, 0, model.size.0, model.size.1)
}

/// Rows of the list on screen, at the model's size.
pub fn body_rows(model: &Model) -> usize {
    let body = body(screen(model));
    let rows = match model.screen() {
        ScreenKind::List => list::table_area(body).height.saturating_sub(1),
        ScreenKind::Audit => audit::table_area(body).height.saturating_sub(1),
        ScreenKind::Alerts => alerts::table_area(body).height.saturating_sub(1),
        _ => body.height,
    };
    usize::from(rows)
}

/// How far the text on screen can be scrolled, at the model's size.
pub fn scroll_range(model: &Model) -> usize {
    // How long a text is does not depend on colours, nor on the character set.
    let theme = Theme::new(ThemeName::None, Glyphs::ASCII);
    let body = body(screen(model));
    let (lines, _) = text_of(model, &theme, body);
    lines.len().saturating_sub(usize::from(body.height))
}

fn too_small(paper: &mut Paper, area: Rect) {
    let lines = [
        format!("{}x{} is too small", area.width, area.height),
        format!("needs {}x{}", LEAST.0, LEAST.1),
        "q quits".to_owned(),
    ];
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        paper.put(area.x, y, &[(Role::Text, line)]);
    }
}
