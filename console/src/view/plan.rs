//! A plan: what would change, what it means for users, what is not active, and why it may be refused.

use protocol::plans::{Change, ChangeKind, PlanReply};
use protocol::refusal::Problem;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paper::{line, plain};
use super::text;
use crate::model::Model;
use crate::model::plan::{PlanStatus, PlanView, counts};
use crate::theme::{Role, Theme};

/// Columns that the values before a change may take beside those after it: the longest policy with its parameter.
const WIDEST_BEFORE: usize = 32;

pub(super) fn title(model: &Model) -> Vec<(Role, String)> {
    let Some(plan) = &model.plan else {
        return vec![(Role::Heading, " Plan".to_owned())];
    };
    let from = if plan.from_form { "the form: " } else { "" };
    let mut title = vec![
        (Role::Heading, " Plan".to_owned()),
        (Role::Text, format!("   {from}{}", plan.request.file)),
    ];
    if plan.request.prune {
        title.push((Role::Warn, "   PRUNE".to_owned()));
    }
    match &plan.status {
        PlanStatus::Ready { reply, at_ms } => {
            let age = model.now_ms.saturating_sub(*at_ms) / 1_000;
            title.push((
                Role::Dim,
                format!(
                    "   against rev {}, {} ago",
                    reply.base_revision,
                    text::duration(age)
                ),
            ));
        }
        PlanStatus::Applied { revision, .. } => {
            title.push((Role::Ok, format!("   APPLIED as rev {revision}")));
        }
        _ => {}
    }
    title
}

/// All lines of the plan.
pub(super) fn lines(model: &Model, theme: &Theme, body: Rect) -> Vec<Line<'static>> {
    let width = usize::from(body.width);
    let Some(plan) = &model.plan else {
        return vec![plain(theme, Role::Dim, "   No plan. P plans a file.")];
    };
    match &plan.status {
        PlanStatus::Reading => vec![said(theme, Role::Text, "Reading the file.")],
        PlanStatus::Asking { since_ms } => {
            let seconds = model.now_ms.saturating_sub(*since_ms) / 1_000;
            let text = format!("Planning, {} so far.", text::duration(seconds));
            vec![said(theme, Role::Text, &text)]
        }
        PlanStatus::Failed { message, problems } => failed(theme, message, problems, width),
        PlanStatus::Ready { reply, .. } => {
            let mut lines = answered(reply, theme, width);
            lines.push(Line::default());
            lines.extend(validity(model, plan, reply, theme, width));
            lines
        }
        PlanStatus::Applied { reply, .. } => {
            let mut lines = answered(reply, theme, width);
            lines.push(Line::default());
            let next = if plan.from_form {
                "Applied. esc goes back to the list, where T starts it."
            } else {
                "Applied. esc goes back to the list."
            };
            lines.push(said(theme, Role::Ok, next));
            lines
        }
    }
}

fn said(theme: &Theme, role: Role, text: &str) -> Line<'static> {
    plain(theme, role, format!(" {text}"))
}

fn wrapped(theme: &Theme, role: Role, first: &str, text: &str, width: usize) -> Vec<Line<'static>> {
    let indent = text::width(first);
    let room = width.saturating_sub(indent + 1);
    text::wrap(text, room)
        .into_iter()
        .enumerate()
        .map(|(at, part)| {
            let before = if at == 0 {
                first.to_owned()
            } else {
                " ".repeat(indent)
            };
            plain(theme, role, format!("{before}{part}"))
        })
        .collect()
}

fn failed(theme: &Theme, message: &str, problems: &[Problem], width: usize) -> Vec<Line<'static>> {
    let mut lines = wrapped(theme, Role::Breach, " ", message, width);
    for problem in problems {
        lines.push(Line::default());
        let place = format!(" {}:{}  ", problem.file, problem.line);
        lines.extend(wrapped(theme, Role::Text, &place, &problem.message, width));
        if !problem.fix.is_empty() {
            let fix = &problem.fix;
            lines.extend(wrapped(theme, Role::Accent, "     fix: ", fix, width));
        }
    }
    lines.push(Line::default());
    lines.push(said(
        theme,
        Role::Dim,
        "Nothing was sent to be changed. r plans again.",
    ));
    lines
}

fn answered(reply: &PlanReply, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![summary(reply, theme)];
    for reason in &reply.refused {
        lines.extend(wrapped(theme, Role::Breach, " REFUSED  ", reason, width));
    }
    for change in &reply.changes {
        lines.extend(changed(change, theme, width));
    }
    for (keys, what) in [
        (&reply.unchanged, "unchanged"),
        (&reply.not_declared, "not in the file, left alone"),
    ] {
        if !keys.is_empty() {
            let text = format!("{} {what}: {}", keys.len(), keys.join(" "));
            lines.extend(wrapped(theme, Role::Dim, "   ", &text, width));
        }
    }
    lines
}

fn summary(reply: &PlanReply, theme: &Theme) -> Line<'static> {
    let (adds, changes, stops) = counts(reply);
    if !reply.refused.is_empty() {
        let count = reply.refused.len();
        let what = if count == 1 { "reason" } else { "reasons" };
        let text = format!("Refused for {count} {what}: nothing of it can be applied.");
        return said(theme, Role::Stop, &text);
    }
    if reply.changes.is_empty() {
        return said(
            theme,
            Role::Ok,
            "Nothing to change: everything is as the file says.",
        );
    }
    let effects = reply.changes.iter().flat_map(|change| &change.effects);
    let warnings = effects.filter(|effect| effect.warning).count();
    let stop_role = if stops > 0 { Role::Stop } else { Role::Dim };
    let warn_role = if warnings > 0 { Role::Warn } else { Role::Dim };
    line(
        theme,
        &[
            (Role::Add, format!(" {adds} add   ")),
            (Role::Change, format!("{changes} change   ")),
            (stop_role, format!("{stops} STOP   ")),
            (Role::Dim, format!("{} unchanged   ", reply.unchanged.len())),
            (warn_role, format!("warnings: {warnings}")),
        ],
    )
}

fn changed(change: &Change, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let (role, sign) = match change.kind {
        ChangeKind::Add => (Role::Add, "+"),
        ChangeKind::Change => (Role::Change, "~"),
        ChangeKind::Stop => (Role::Stop, "-"),
        ChangeKind::Unknown => (Role::Stale, "?"),
    };
    let mut lines = vec![plain(theme, role, format!(" {sign} {}", change.key))];
    lines.extend(fields(change, theme, width));
    for effect in &change.effects {
        let (role, first) = if effect.warning {
            (Role::Warn, "   ! effect: ")
        } else {
            (Role::Text, "     effect: ")
        };
        lines.extend(wrapped(theme, role, first, &effect.text, width));
    }
    for part in &change.not_active {
        lines.extend(wrapped(
            theme,
            Role::Stale,
            "     not active yet: ",
            part,
            width,
        ));
    }
    for hold in &change.holds {
        lines.extend(wrapped(theme, Role::Warn, "     held: ", hold, width));
    }
    lines
}

/// Path, before, after; in columns where they fit, else below each other.
fn fields(change: &Change, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let arrow = theme.glyphs.arrow;
    let widest = |pick: fn(&protocol::plans::FieldChange) -> &str| {
        let fields = change.fields.iter();
        fields
            .map(|field| text::width(pick(field)))
            .max()
            .unwrap_or(0)
    };
    let paths = widest(|field| &field.path).min(28);
    let befores = widest(|field| &field.from).min(WIDEST_BEFORE);
    let mut lines = Vec::new();
    for field in &change.fields {
        let path = text::left(&field.path, paths, theme.glyphs.ellipsis);
        let before = text::left(&field.from, befores, theme.glyphs.ellipsis);
        let row = format!("     {path}  {before}  {arrow}  {}", field.to);
        if text::width(&row) < width && text::width(&field.from) <= befores {
            lines.push(plain(theme, Role::Text, row));
            continue;
        }
        lines.push(plain(theme, Role::Text, format!("     {}", field.path)));
        lines.extend(wrapped(
            theme,
            Role::Dim,
            "       from  ",
            &field.from,
            width,
        ));
        lines.extend(wrapped(
            theme,
            Role::Text,
            "       to    ",
            &field.to,
            width,
        ));
    }
    lines
}

/// Whether it can still be applied, and what to press.
fn validity(
    model: &Model,
    plan: &PlanView,
    reply: &PlanReply,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let now = model.data.revision;
    if !reply.refused.is_empty() {
        let text = "It cannot be applied. Correct it and plan again.";
        return wrapped(theme, Role::Breach, " ", text, width);
    }
    if reply.changes.is_empty() {
        return Vec::new();
    }
    if now != reply.base_revision {
        let text = format!(
            "STALE: the world moved to rev {now} since this plan. r plans again; apply would be refused."
        );
        return wrapped(theme, Role::Warn, " ", &text, width);
    }
    let what = if plan.from_form { "created" } else { "sent" };
    let text = format!(
        "Apply is refused if rev is no longer {} (r plans again). Nothing is {what} yet.",
        reply.base_revision
    );
    wrapped(theme, Role::Dim, " ", &text, width)
}
