//! The alert inbox: what is wrong, the worst first; the selected alert in full below, with who was told.

use protocol::alerts::{Alert, AlertsPage, Delivery};
use ratatui::layout::Rect;

use super::paper::Paper;
use super::text;
use crate::model::Model;
use crate::theme::Role;

/// Rows of the selected alert with their rule.
const FULL_ROWS: u16 = 8;

/// The body without the selected alert.
pub(super) fn table_area(body: Rect) -> Rect {
    let full = if body.height >= 14 { FULL_ROWS } else { 0 };
    Rect {
        height: body.height - full,
        ..body
    }
}

pub(super) fn title(model: &Model) -> Vec<(Role, String)> {
    let mut title = vec![(Role::Heading, " Alerts".to_owned())];
    let Some(page) = &model.shown().alerts else {
        return title;
    };
    for (role, count, word) in [
        (Role::Breach, page.counts.critical, "CRITICAL"),
        (Role::Warn, page.counts.warning, "WARNING"),
    ] {
        if count > 0 {
            title.push((role, format!("   {count} {word}")));
        }
    }
    if page.dead > 0 {
        let words = format!("   {} given up", page.dead);
        title.push((Role::Breach, words));
    }
    title.push((Role::Dim, format!("   {}", channels(page))));
    title
}

fn channels(page: &AlertsPage) -> String {
    let all = page.channels.len();
    let broken = page.channels.iter();
    let broken = broken.filter(|it| !it.error.is_empty() || it.disabled_at.is_some());
    match (all, broken.count()) {
        (0, _) => "no channel: nobody is told".to_owned(),
        (all, 0) => format!("{all} channels"),
        (all, broken) => format!("{broken} of {all} channels FAIL"),
    }
}

pub(super) fn draw(model: &Model, paper: &mut Paper, body: Rect) {
    let alerts = model.alerts.visible(model.shown());
    if alerts.is_empty() {
        paper.put(body.x + 3, body.y + 1, &[(Role::Text, nothing(model))]);
        return;
    }
    let table = table_area(body);
    let room = usize::from(table.width)
        .saturating_sub(3 + 6 + 10 + 9 + 8)
        .max(8);
    let titles = format!(
        "   {:<5} {:<9} {:<8} {:<7} {}",
        "ALERT", "STATE", "SEVERITY", "SINCE", "WHAT"
    );
    paper.put(table.x, table.y, &[(Role::Dim, titles)]);
    let selected = model.alerts.selected(model).map(|alert| alert.number);
    let lines = (table.y + 1)..table.bottom();
    for (y, alert) in lines.zip(alerts.iter().skip(model.alerts.offset)) {
        let chosen = Some(alert.number) == selected;
        let cells = row(model, alert, chosen, room, paper.theme.glyphs.ellipsis);
        paper.put(table.x, y, &cells);
    }
    if table.height < body.height {
        paper.rule(table.bottom(), model.link.production());
        full(model, paper, body, table.bottom() + 1);
    }
}

fn nothing(model: &Model) -> String {
    match (&model.alerts.failure, &model.shown().alerts) {
        (Some(failure), _) => format!("No alerts: {failure}"),
        (None, None) => "Loading the alerts.".to_owned(),
        (None, Some(_)) => "Nothing was ever wrong that the daemon knows of.".to_owned(),
    }
}

fn row(
    model: &Model,
    alert: &Alert,
    selected: bool,
    room: usize,
    ellipsis: char,
) -> Vec<(Role, String)> {
    let (mark, number) = if selected {
        (" > ", Role::Selected)
    } else {
        ("   ", Role::Text)
    };
    let now = model.daemon_now().unwrap_or(alert.opened_at);
    let open = alert.resolved_at.is_none();
    let what = format!("{}: {}", alert.identity, alert.summary);
    vec![
        (Role::Accent, mark.to_owned()),
        (number, text::left(&alert.number.to_string(), 5, ellipsis)),
        (
            role(alert),
            format!(
                " {} {} ",
                text::left(&alert.state, 9, ellipsis),
                text::left(&alert.severity, 8, ellipsis)
            ),
        ),
        (
            Role::Dim,
            format!(
                "{} ",
                text::left(&text::since(alert.opened_at, now), 7, ellipsis)
            ),
        ),
        (
            if open { Role::Text } else { Role::Dim },
            text::clip(&what, room, ellipsis),
        ),
    ]
}

fn role(alert: &Alert) -> Role {
    match (alert.state.as_str(), alert.severity.as_str()) {
        ("firing", "critical") => Role::Breach,
        ("firing", _) => Role::Warn,
        _ => Role::Dim,
    }
}

fn full(model: &Model, paper: &mut Paper, body: Rect, y: u16) {
    let Some(alert) = model.alerts.selected(model) else {
        return;
    };
    let room = usize::from(body.width).saturating_sub(12);
    let ellipsis = paper.theme.glyphs.ellipsis;
    let since = alert.opened_at.format("%Y-%m-%d %H:%M:%SZ");
    let flaps = if alert.flaps > 0 {
        format!(", came back {} times", alert.flaps)
    } else {
        String::new()
    };
    let lines = [
        ("what", alert.summary.clone()),
        ("since", format!("{since}{flaps}   {}", answered(alert))),
        ("figures", alert.detail.to_string()),
        ("told", told(&alert.deliveries)),
        ("failing", failing(alert)),
        (
            "by hand",
            format!("pitboss alerts ack {} --reason ...", alert.number),
        ),
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

fn answered(alert: &Alert) -> String {
    let because = |why: &Option<String>| match why {
        Some(why) => format!(": {why}"),
        None => String::new(),
    };
    if let Some(over) = alert.resolved_at {
        return format!("over at {}", over.format("%Y-%m-%d %H:%M:%SZ"));
    }
    if let (Some(by), Some(until)) = (&alert.silenced_by, alert.silenced_until) {
        let until = until.format("%Y-%m-%d %H:%M:%SZ");
        let why = because(&alert.silence_reason);
        return format!("silent until {until} by {by}{why}");
    }
    match &alert.acked_by {
        Some(by) => format!("acked by {by}{}", because(&alert.ack_reason)),
        None => "nobody looks after it".to_owned(),
    }
}

/// `oncall firing delivered, chat firing dead (31)`; numbers are what `resend` takes.
fn told(deliveries: &[Delivery]) -> String {
    if deliveries.is_empty() {
        return "nobody".to_owned();
    }
    let each = deliveries.iter().rev().map(|delivery| {
        let Delivery {
            number,
            channel,
            notice,
            state,
            ..
        } = delivery;
        format!("{channel} {notice} {state} ({number})")
    });
    each.collect::<Vec<_>>().join(", ")
}

fn failing(alert: &Alert) -> String {
    let failed = alert.deliveries.iter().rev();
    let mut failed = failed.filter(|it| it.state != "delivered" && !it.error.is_empty());
    failed.next().map_or_else(
        || "no delivery".to_owned(),
        |it| {
            format!(
                "{} after {} attempts: {}",
                it.channel, it.attempts, it.error
            )
        },
    )
}
