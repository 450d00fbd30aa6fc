//! Moving about: between screens, in lists, in long texts. The selection is an id, never a row number.

use protocol::alerts::Alert;

use crate::command::Id;
use crate::model::{Model, ScreenKind};
use crate::view;

/// Put a screen on top; one that is already there comes up with what was above it dropped.
pub(super) fn push(model: &mut Model, screen: ScreenKind) {
    let before = model.screen();
    if before == screen {
        return;
    }
    model.last = Some(before);
    match model.stack.iter().position(|known| *known == screen) {
        Some(at) => model.stack.truncate(at + 1),
        None => model.stack.push(screen),
    }
}

/// One screen back.
pub(super) fn pop(model: &mut Model) {
    if model.stack.len() > 1 {
        model.last = model.stack.pop();
    }
}

/// To the list.
pub(super) fn home(model: &mut Model) {
    push(model, ScreenKind::List);
}

/// Move the selection, or scroll.
pub(super) fn travel(model: &mut Model, id: Id) {
    match model.screen() {
        ScreenKind::List => travel_list(model, id),
        ScreenKind::Audit => travel_audit(model, id),
        ScreenKind::Alerts => travel_alerts(model, id),
        _ => scroll(model, id),
    }
}

fn target(id: Id, at: usize, length: usize, page: usize) -> usize {
    let end = length.saturating_sub(1);
    match id {
        Id::Up => at.saturating_sub(1),
        Id::Down => at + 1,
        Id::PageUp => at.saturating_sub(page),
        Id::PageDown => at + page,
        Id::Top => 0,
        _ => end,
    }
    .min(end)
}

fn half_page(model: &Model) -> usize {
    (view::body_rows(model) / 2).max(1)
}

fn travel_list(model: &mut Model, id: Id) {
    let page = half_page(model);
    let rows = model.list.visible(model.shown());
    let at = model.list.position(model.shown());
    let at = at.map_or(0, |at| target(id, at, rows.len(), page));
    let key = rows.get(at).map(|row| row.key.clone());
    model.list.selected = key;
}

fn travel_audit(model: &mut Model, id: Id) {
    let page = half_page(model);
    let rows = model.audit.visible(model.shown());
    let selected = model.audit.selected(model).map(|entry| entry.seq);
    let at = rows.iter().position(|entry| Some(entry.seq) == selected);
    let at = target(id, at.unwrap_or(0), rows.len(), page);
    let seq = rows.get(at).map(|entry| entry.seq);
    model.audit.selected = seq;
}

fn travel_alerts(model: &mut Model, id: Id) {
    let page = half_page(model);
    let at = target(id, alert_position(model), alerts(model).len(), page);
    let number = alerts(model).get(at).map(|alert| alert.number);
    model.alerts.selected = number;
}

fn alerts(model: &Model) -> &[Alert] {
    model.alerts.visible(model.shown())
}

fn alert_position(model: &Model) -> usize {
    let selected = model.alerts.selected(model).map(|alert| alert.number);
    let at = alerts(model)
        .iter()
        .position(|alert| Some(alert.number) == selected);
    at.unwrap_or(0)
}

fn scroll(model: &mut Model, id: Id) {
    let page = half_page(model);
    let length = view::scroll_range(model) + 1;
    let Some(at) = scroll_of(model) else {
        return;
    };
    *at = target(id, *at, length, page);
}

/// The first line shown of the screen on top, where it is one that scrolls.
fn scroll_of(model: &mut Model) -> Option<&mut usize> {
    match model.screen() {
        ScreenKind::Detail => Some(&mut model.detail.scroll),
        ScreenKind::Plan => model.plan.as_mut().map(|plan| &mut plan.scroll),
        ScreenKind::Help | ScreenKind::Messages => Some(&mut model.scroll),
        ScreenKind::List | ScreenKind::Audit | ScreenKind::Alerts | ScreenKind::Form => None,
    }
}

/// Keep what is selected on screen, and no text scrolled past its end, after whatever changed.
pub(super) fn keep_in_view(model: &mut Model) {
    match model.screen() {
        ScreenKind::List => {
            let at = model.list.position(model.shown()).unwrap_or(0);
            model.list.offset = around(at, model.list.offset, view::body_rows(model));
        }
        ScreenKind::Audit => {
            let rows = model.audit.visible(model.shown());
            let selected = model.audit.selected(model).map(|entry| entry.seq);
            let at = rows.iter().position(|entry| Some(entry.seq) == selected);
            let rows = view::body_rows(model);
            model.audit.offset = around(at.unwrap_or(0), model.audit.offset, rows);
        }
        ScreenKind::Alerts => {
            let (at, rows) = (alert_position(model), view::body_rows(model));
            model.alerts.offset = around(at, model.alerts.offset, rows);
        }
        ScreenKind::Form => {}
        _ => {
            let range = view::scroll_range(model);
            if let Some(at) = scroll_of(model) {
                *at = (*at).min(range);
            }
        }
    }
}

/// The first row shown so that row `at` is among `rows` shown.
fn around(at: usize, offset: usize, rows: usize) -> usize {
    let rows = rows.max(1);
    if at < offset {
        return at;
    }
    offset.max((at + 1).saturating_sub(rows))
}

/// After the rows changed: keep the selection, or take the neighbour of what is gone and say so.
pub(super) fn reselect(model: &mut Model, before: &[String]) {
    let rows = model.list.visible(model.shown());
    let keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
    let Some(selected) = model.list.selected.clone() else {
        model.list.selected = keys.first().cloned();
        return;
    };
    if keys.contains(&selected) {
        return;
    }
    let at = before.iter().position(|key| *key == selected).unwrap_or(0);
    let neighbour = keys.get(at.min(keys.len().saturating_sub(1))).cloned();
    if let Some(neighbour) = &neighbour {
        let hidden = model.shown().rows.contains_key(&selected);
        let how = if hidden {
            "hidden by the filter"
        } else {
            "gone"
        };
        model.note = Some(format!("{selected} is {how}; {neighbour} is selected"));
    }
    model.list.selected = neighbour;
}

/// The keys on screen, in order: what `reselect` wants from before.
pub(super) fn keys_on_screen(model: &Model) -> Vec<String> {
    let rows = model.list.visible(model.shown());
    rows.iter().map(|row| row.key.clone()).collect()
}
