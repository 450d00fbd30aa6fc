//! The audit log: who changed what and why, newest first, the selected act in full below.

use protocol::control::AuditEntry;
use ratatui::layout::Rect;

use super::paper::Paper;
use super::text;
use crate::model::Model;
use crate::theme::Role;

/// Rows of the selected act with their rule.
const FULL_ROWS: u16 = 6;

/// The body without the selected act.
pub(super) fn table_area(body: Rect) -> Rect {
    let full = if body.height >= 12 { FULL_ROWS } else { 0 };
    Rect {
        height: body.height - full,
        ..body
    }
}

pub(super) fn title(model: &Model) -> Vec<(Role, String)> {
    let mut title = vec![(Role::Heading, " Audit".to_owned())];
    if let Some(key) = &model.audit.key {
        title.push((Role::Text, format!("   {key}")));
    }
    if !model.audit.filter.is_empty() {
        title.push((Role::Accent, format!("   /{}", model.audit.filter)));
    }
    if let Some(page) = &model.shown().audit {
        let all = page.entries.len();
        let which = if page.next.is_some() { "newest" } else { "all" };
        let shown = model.audit.visible(model.shown()).len();
        let shown = if shown == all {
            String::new()
        } else {
            format!("{shown} of the ")
        };
        title.push((Role::Dim, format!("   {shown}{which} {all}")));
    }
    title
}

pub(super) fn draw(model: &Model, paper: &mut Paper, body: Rect) {
    let rows = model.audit.visible(model.shown());
    if rows.is_empty() {
        let text = nothing(model);
        paper.put(body.x + 3, body.y + 1, &[(Role::Text, text)]);
        return;
    }
    let table = table_area(body);
    let targets = usize::from(table.width)
        .saturating_sub(3 + 13 + 15 + 9 + 11 + 9 + 8)
        .max(8);
    let titles = format!(
        "   {:<12} {:<14} {:<8} {:<10} {:<targets$} {:<8} {:>6}",
        "TIME", "ACTOR", "VIA", "ACTION", "TARGET", "RESULT", "REV"
    );
    paper.put(table.x, table.y, &[(Role::Dim, titles)]);
    let selected = model.audit.selected(model).map(|entry| entry.seq);
    let lines = (table.y + 1)..table.bottom();
    for (y, entry) in lines.zip(rows.iter().skip(model.audit.offset)) {
        let chosen = Some(entry.seq) == selected;
        let cells = row(model, entry, chosen, targets, paper.theme.glyphs.ellipsis);
        paper.put(table.x, y, &cells);
    }
    if table.height < body.height {
        paper.rule(table.bottom(), model.link.production());
        full(model, paper, body, table.bottom() + 1);
    }
}

fn nothing(model: &Model) -> String {
    match (&model.audit.failure, &model.shown().audit) {
        (Some(failure), _) => format!("No audit log: {failure}. A asks again."),
        (None, None) => "Loading the audit log.".to_owned(),
        (None, Some(page)) if page.entries.is_empty() => "Nothing was changed here yet.".to_owned(),
        (None, Some(page)) => format!(
            "No row holds  /{}  ({} hidden).   esc clears the filter.",
            model.audit.filter,
            page.entries.len()
        ),
    }
}

fn row(
    model: &Model,
    entry: &AuditEntry,
    selected: bool,
    targets: usize,
    ellipsis: char,
) -> Vec<(Role, String)> {
    let (mark, role) = if selected {
        (" > ", Role::Selected)
    } else {
        ("   ", Role::Text)
    };
    let now = model.daemon_now().unwrap_or(entry.at);
    let at = text::moment(entry.at, now);
    let blanks = " ".repeat(13usize.saturating_sub(text::width(&at)));
    let (result_role, result) = if entry.result == "ok" {
        (Role::Ok, "ok".to_owned())
    } else {
        (Role::Breach, entry.result.to_uppercase())
    };
    vec![
        (Role::Accent, mark.to_owned()),
        (role, at),
        (
            Role::Text,
            format!(
                "{blanks}{} {} {} {} ",
                text::left(&entry.actor, 14, ellipsis),
                text::left(program(&entry.via), 8, ellipsis),
                text::left(&entry.action, 10, ellipsis),
                text::left(&entry.target, targets, ellipsis),
            ),
        ),
        (result_role, text::left(&result, 8, ellipsis)),
        (Role::Text, format!(" {:>6}", entry.revision)),
    ]
}

/// The program of `pitboss 0.1.0 on bastion-2`; the rest is below, in full.
fn program(via: &str) -> &str {
    via.split(' ').next().unwrap_or(via)
}

fn full(model: &Model, paper: &mut Paper, body: Rect, y: u16) {
    let Some(entry) = model.audit.selected(model) else {
        return;
    };
    let room = usize::from(body.width).saturating_sub(15);
    let ellipsis = paper.theme.glyphs.ellipsis;
    let at = entry.at.format("%Y-%m-%d %H:%M:%SZ");
    let what = format!("{} {}, {}", entry.action, entry.target, entry.result);
    let lines = [
        ("what", what),
        ("by", format!("{} via {}, {at}", entry.actor, entry.via)),
        ("why", entry.reason.clone()),
        ("request", format!("{}   (y copies it)", entry.request_id)),
        ("change", entry.body.replace('\n', " ")),
    ];
    for (y, (label, said)) in (y..body.bottom()).zip(lines) {
        let said = text::clip(&said, room, ellipsis);
        paper.put(
            body.x + 1,
            y,
            &[(Role::Dim, format!("{label:<10}")), (Role::Text, said)],
        );
    }
}
