//! One experiment: posterior, allocation, guardrails, events. What does not fit goes in a stated order.
//!
//! Events go first, then the time under the bands, then guardrails that need no attention go into one line,
//! then the ridge becomes a table, then the bands go into the table's share column. Guardrails never go.
//! Whatever went is one `tab` away.

use protocol::experiments::{Detail, Row};
use protocol::source::Source;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paper::{Paper, heading, line, plain};
use super::{bands, decision, guardrails, posterior, text};
use crate::calendar::sentences;
use crate::model::Model;
use crate::model::detail::Pane;
use crate::theme::{Role, Theme};
use crate::units::Units;

/// How much is on the screen, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Everything,
    NoEvents,
    NoTimeAxis,
    FewGuardrails,
    FewGuardrailsNoTimeAxis,
    Table,
    NoBands,
}

const LEVELS: [Level; 7] = [
    Level::Everything,
    Level::NoEvents,
    Level::NoTimeAxis,
    Level::FewGuardrails,
    Level::FewGuardrailsNoTimeAxis,
    Level::Table,
    Level::NoBands,
];

/// Events on a screen that shows everything: fewer are no use.
const FEWEST_EVENTS: usize = 3;

pub(super) fn title(model: &Model, paper: &Paper) -> Vec<(Role, String)> {
    let key = model.detail.key.as_deref().unwrap_or("");
    let Some(row) = row(model) else {
        return vec![(Role::Heading, format!(" Experiments > {key}"))];
    };
    let now = model.daemon_now();
    let age = row.since.zip(now).map_or_else(String::new, |(at, now)| {
        format!(" {}", text::since(at, now))
    });
    let mut parts = vec![
        format!("{}{age}", row.state.replace('_', " ")),
        policy(model, row),
        source(model),
        format!("{} dec/s", text::rate(row.decisions_per_sec)),
        format!("{} units", text::count(row.assigned)),
    ];
    parts.retain(|part| !part.is_empty());
    let width = usize::from(paper.area.width);
    let room = |parts: &[String]| width.saturating_sub(text::width(&parts.join("  ")) + 4);
    while parts.len() > 1 && room(&parts) < 15 + text::width(key).min(24) {
        parts.pop();
    }
    let room = room(&parts);
    let lead = if room >= 15 + text::width(key) {
        " Experiments > "
    } else {
        " > "
    };
    let name_room = room.saturating_sub(lead.len());
    let name = text::fit(key, name_room, paper.theme.glyphs.ellipsis);
    let role = match row.state.as_str() {
        "running" => Role::Ok,
        "paused" => Role::Warn,
        "rolled_back" => Role::Breach,
        _ => Role::Dim,
    };
    let state = parts.remove(0);
    let rest = parts
        .iter()
        .flat_map(|part| ["  ", part])
        .collect::<String>();
    let used = lead.len() + text::width(&name) + text::width(&state) + text::width(&rest) + 1;
    let gap = " ".repeat(width.saturating_sub(used).max(2));
    vec![
        (Role::Dim, lead.to_owned()),
        (Role::Heading, name),
        (role, format!("{gap}{state}")),
        (Role::Text, rest),
    ]
}

/// Such as `thompson v12`; with several lanes `lane careful of 2 lanes v12`, or `lane steady: fixed v3` once chosen.
fn policy(model: &Model, row: &Row) -> String {
    let several = detail(model).is_some_and(|detail| detail.lanes.len() > 1);
    let of_lane = match (several, &model.detail.lane) {
        (false, _) => String::new(),
        (true, None) => format!("lane {} of ", row.lane),
        (true, Some(_)) => format!("lane {}: ", row.lane),
    };
    format!("{of_lane}{} v{}", row.policy, row.version)
}

/// Where the charts were read from, where a replica is configured.
fn source(model: &Model) -> String {
    let source = detail(model).and_then(|detail| detail.source.as_ref());
    source.map_or_else(String::new, Source::in_words)
}

/// The row on screen: of the detail if there is one, else of the list.
fn row(model: &Model) -> Option<&Row> {
    let key = model.detail.key.as_deref()?;
    let data = model.shown();
    detail(model)
        .map(|detail| &detail.row)
        .or_else(|| data.rows.get(key))
}

fn detail(model: &Model) -> Option<&Detail> {
    let key = model.detail.key.as_deref()?;
    let detail = model.shown().detail.as_ref()?;
    (detail.row.key == key).then_some(detail)
}

/// All lines of the screen at this size.
pub(super) fn lines(model: &Model, theme: &Theme, body: Rect) -> Vec<Line<'static>> {
    let Some(row) = row(model) else {
        return gone(model, theme);
    };
    let pane = model.detail.pane.shown(model.size);
    if pane != Pane::All {
        return one(model, row, theme, body, pane);
    }
    let rows = usize::from(body.height);
    LEVELS
        .into_iter()
        .filter(|level| *level >= Level::Table || !model.detail.table)
        .map(|level| all(model, row, theme, body, level))
        .find(|lines| lines.len() <= rows)
        .unwrap_or_else(|| all(model, row, theme, body, Level::NoBands))
}

fn gone(model: &Model, theme: &Theme) -> Vec<Line<'static>> {
    let key = model.detail.key.as_deref().unwrap_or("");
    let text = if model.link.loaded {
        format!("   {key} is gone from the list (archived). esc goes back.")
    } else {
        format!("   Loading {key}.")
    };
    vec![Line::default(), plain(theme, Role::Text, text)]
}

/// Everything that this level shows.
fn all(model: &Model, row: &Row, theme: &Theme, body: Rect, level: Level) -> Vec<Line<'static>> {
    let width = body.width;
    let mut lines = state_line(row, theme, width);
    lines.extend(calendar(model, row, theme, width));
    lines.extend(decision::said(row, theme, width));
    lines.push(heading(theme, &posterior_title(row, theme, width), width));
    if level >= Level::Table {
        lines.extend(posterior::table(row, theme, width));
    } else {
        lines.extend(posterior::ridges(row, theme, width));
    }
    lines.extend(posterior::verdict(row, theme, width));
    if level < Level::NoBands {
        let with_axis = level < Level::NoTimeAxis || level == Level::FewGuardrails;
        lines.extend(allocation(model, row, theme, width, with_axis));
    }
    lines.push(heading(theme, "Guardrails", width));
    if level < Level::FewGuardrails {
        lines.extend(guardrails::lines(row, theme, width));
    } else {
        lines.extend(guardrails::few(row, theme, width));
    }
    if level == Level::Everything {
        lines.push(heading(theme, "Recent events", width));
        let room = usize::from(body.height).saturating_sub(lines.len());
        let events = events(model, theme, width, false);
        let wanted = events.len().min(room.max(FEWEST_EVENTS));
        lines.extend(events.into_iter().take(wanted));
    }
    lines
}

/// One part, alone, with the names of the others.
fn one(model: &Model, row: &Row, theme: &Theme, body: Rect, pane: Pane) -> Vec<Line<'static>> {
    let width = body.width;
    let mut lines = vec![carousel(model, theme, pane)];
    match pane {
        Pane::All | Pane::Posterior => {
            lines.extend(state_line(row, theme, width));
            lines.extend(calendar(model, row, theme, width));
            lines.extend(decision::said(row, theme, width));
            lines.push(heading(theme, &posterior_title(row, theme, width), width));
            let ridges = posterior::ridges(row, theme, width);
            let verdict = posterior::verdict(row, theme, width);
            let fits = lines.len() + ridges.len() + verdict.len() <= usize::from(body.height);
            if model.detail.table || !fits || width < 60 {
                lines.extend(posterior::table(row, theme, width));
            } else {
                lines.extend(ridges);
            }
            lines.extend(verdict);
        }
        Pane::Allocation => lines.extend(allocation(model, row, theme, width, true)),
        Pane::Guardrails => {
            lines.push(heading(theme, "Guardrails", width));
            lines.extend(guardrails::lines(row, theme, width));
        }
        Pane::Decision => {
            let decision = detail(model).and_then(|detail| detail.decision.as_ref());
            let units = Units::of(row.scale);
            lines.extend(decision::whole(decision, units, theme, width));
        }
        Pane::Events => {
            lines.push(heading(theme, "Events, newest first", width));
            lines.extend(events(model, theme, width, true));
        }
        Pane::File => lines.extend(file(model, theme, width)),
    }
    lines
}

fn carousel(model: &Model, theme: &Theme, shown: Pane) -> Line<'static> {
    let mut pieces = vec![(Role::Dim, " tab:".to_owned())];
    for &pane in Pane::on(model.size) {
        pieces.push((Role::Text, " ".to_owned()));
        if pane == shown {
            pieces.push((Role::Selected, format!("[{}]", pane.word())));
        } else {
            pieces.push((Role::Dim, pane.word().to_owned()));
        }
    }
    line(theme, &pieces)
}

/// Where there is no room, the reward's words are cut, not what the curves are.
fn posterior_title(row: &Row, theme: &Theme, width: u16) -> String {
    const AROUND: usize = "Posterior of  (Beta, 95% interval)".len() + 10;
    let reward = if row.reward.is_empty() {
        "reward"
    } else {
        &row.reward
    };
    let room = usize::from(width).saturating_sub(AROUND);
    let reward = text::clip(reward, room, theme.glyphs.ellipsis);
    format!("Posterior of {reward} (Beta, 95% interval)")
}

/// Why it is not simply running.
fn state_line(row: &Row, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let mut said = Vec::new();
    if !row.state_why.is_empty() && row.state != "running" {
        let by = &row.state_by;
        let state = text::capital(&row.state.replace('_', " "));
        said.push(format!("{state} by {by}: {}", row.state_why));
    }
    if !row.holds.is_empty() {
        said.push(format!(
            "Held ({}): apply will not change it back",
            row.holds.join("; ")
        ));
    }
    let room = usize::from(width).saturating_sub(3);
    said.iter()
        .map(|said| {
            let said = text::fit(said, room, theme.glyphs.ellipsis);
            plain(theme, Role::Warn, format!(" {said}"))
        })
        .collect()
}

/// What comes by the calendar, in one line; its end is in the command line's `show`.
fn calendar(model: &Model, row: &Row, theme: &Theme, width: u16) -> Option<Line<'static>> {
    let (schedule, now) = row.schedule.as_ref().zip(model.daemon_now())?;
    let said = sentences(schedule, now).join("; ");
    let room = usize::from(width).saturating_sub(3);
    let said = text::clip(&text::capital(&said), room, theme.glyphs.ellipsis);
    let role = if schedule.waits.is_some() {
        Role::Warn
    } else {
        Role::Accent
    };
    Some(plain(theme, role, format!(" {said}")))
}

fn allocation(
    model: &Model,
    row: &Row,
    theme: &Theme,
    width: u16,
    with_axis: bool,
) -> Vec<Line<'static>> {
    let now = model.daemon_now();
    let detail = detail(model);
    let mut lines = vec![heading(theme, &bands::title(detail, row.floor, now), width)];
    match detail.zip(now) {
        Some((detail, now)) => lines.extend(bands::bands(detail, theme, width, now, with_axis)),
        None => lines.push(waiting(model, theme, "the history")),
    }
    lines
}

fn waiting(model: &Model, theme: &Theme, what: &str) -> Line<'static> {
    match &model.detail.failure {
        Some(failure) => plain(theme, Role::Warn, format!("   no {what}: {failure}")),
        None => plain(theme, Role::Dim, format!("   loading {what}")),
    }
}

/// One line an event, or the whole of each.
fn events(model: &Model, theme: &Theme, width: u16, whole: bool) -> Vec<Line<'static>> {
    let Some((detail, now)) = detail(model).zip(model.daemon_now()) else {
        return vec![waiting(model, theme, "events")];
    };
    if detail.events.is_empty() {
        return vec![plain(theme, Role::Dim, "   Nothing happened to it yet.")];
    }
    let room = usize::from(width).saturating_sub(3 + 13 + 10 + 1);
    let mut lines = Vec::new();
    for event in &detail.events {
        let said = if whole {
            text::wrap(&event.text, room)
        } else {
            vec![text::clip(&event.text, room, theme.glyphs.ellipsis)]
        };
        let at = text::moment(event.at, now);
        let kind = text::left(&event.kind, 8, theme.glyphs.ellipsis);
        for (n, said) in said.into_iter().enumerate() {
            let (at, kind) = if n == 0 {
                (at.as_str(), kind.as_str())
            } else {
                ("", "")
            };
            lines.push(line(
                theme,
                &[
                    (Role::Dim, format!("   {at:<12} ")),
                    (Role::Accent, format!("{kind:<8}  ")),
                    (Role::Text, said),
                ],
            ));
        }
    }
    lines
}

/// The file as it could be written; long lines go on below themselves.
fn file(model: &Model, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let Some(detail) = detail(model) else {
        return vec![waiting(model, theme, "the file")];
    };
    let room = usize::from(width).saturating_sub(6);
    let lines = detail.spec_toml.lines();
    lines
        .flat_map(|line| {
            let pieces = text::pieces(line, room).into_iter().enumerate();
            pieces.map(|(n, piece)| if n == 0 { piece } else { format!("  {piece}") })
        })
        .map(|piece| plain(theme, Role::Text, format!("   {piece}")))
        .collect()
}
