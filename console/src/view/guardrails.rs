//! The guardrail panel: what is declared, what it says, and honestly what nobody watches yet.

use protocol::experiments::{GuardrailRow, Row};
use ratatui::text::Line;

use super::paper::{line, plain};
use super::text;
use crate::theme::{Role, Theme};

/// The panel. It never goes, however small the screen.
pub(super) fn lines(row: &Row, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let all: Vec<&GuardrailRow> = row.guardrails.iter().collect();
    panel(row, &all, theme, width)
}

/// The panel with a line each only for what needs attention; the others by name.
pub(super) fn few(row: &Row, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let quiet = |status: &str| {
        let guards = row.guardrails.iter().filter(|guard| guard.status == status);
        guards.map(|guard| guard.name.as_str()).collect::<Vec<_>>()
    };
    let loud: Vec<&GuardrailRow> = row
        .guardrails
        .iter()
        .filter(|guard| guard.status != "pass" && guard.status != "not_active")
        .collect();
    let mut lines = Vec::new();
    let (ok, sleeping) = (quiet("pass"), quiet("not_active"));
    if !loud.is_empty() || row.guardrails.is_empty() {
        lines.extend(panel(row, &loud, theme, width));
    }
    if !ok.is_empty() {
        lines.extend(wrapped(
            theme,
            Role::Ok,
            &format!("ok: {}", ok.join(", ")),
            width,
        ));
    }
    if !sleeping.is_empty() {
        let names = sleeping.join(", ");
        let text = format!("n/a yet, no engine watches them: {names}");
        lines.extend(wrapped(theme, Role::Warn, &text, width));
    }
    if !row.guardrails.is_empty() && loud.is_empty() {
        lines.extend(other_parts(row, theme, width));
    }
    lines
}

fn wrapped(theme: &Theme, role: Role, text: &str, width: u16) -> Vec<Line<'static>> {
    let room = usize::from(width).saturating_sub(5);
    let parts = text::wrap(text, room).into_iter();
    parts
        .map(|part| plain(theme, role, format!("   {part}")))
        .collect()
}

fn panel(row: &Row, shown: &[&GuardrailRow], theme: &Theme, width: u16) -> Vec<Line<'static>> {
    if row.guardrails.is_empty() {
        let text = "None declared: nothing protects users if an arm does harm.";
        let mut lines = wrapped(theme, Role::Dim, text, width);
        lines.extend(other_parts(row, theme, width));
        return lines;
    }
    let names = shown.iter().map(|guard| text::width(&guard.name));
    let names = names.max().unwrap_or(0).clamp(6, 20);
    let limits = usize::from(width).saturating_sub(3 + 8 + 1 + names + 1 + 11 + 1);
    let titles = format!(
        "   {:<8} {} {} {}",
        "STATUS",
        text::left("NAME", names, ' '),
        text::left("LIMIT", limits, ' '),
        "ACTION",
    );
    let mut lines = vec![plain(theme, Role::Dim, titles)];
    for guard in shown {
        let (role, word) = status(guard);
        let ellipsis = theme.glyphs.ellipsis;
        let rest = format!(
            " {} {} {}",
            text::left(&guard.name, names, ellipsis),
            text::left(&guard.limit, limits, ellipsis),
            guard.action,
        );
        lines.push(line(
            theme,
            &[(role, format!("   {word:<8}")), (Role::Text, rest)],
        ));
        if matches!(guard.status.as_str(), "warn" | "fail") && !guard.said.is_empty() {
            let room = usize::from(width).saturating_sub(12 + 2);
            let said = text::wrap(&guard.said, room).into_iter();
            lines.extend(said.map(|part| plain(theme, role, format!("{:12}{part}", ""))));
        }
    }
    if shown.iter().any(|guard| guard.status == "not_active") {
        let text = "Not active yet: declared and checked, but no engine watches these limits.";
        lines.extend(wrapped(theme, Role::Warn, text, width));
    }
    lines.extend(other_parts(row, theme, width));
    lines
}

/// The word and its role.
fn status(guard: &GuardrailRow) -> (Role, &str) {
    match guard.status.as_str() {
        "pass" => (Role::Ok, "ok"),
        "warn" => (Role::Warn, "WARN"),
        "fail" => (Role::Breach, "BREACH"),
        "unknown" => (Role::Stale, "unknown"),
        "not_active" => (Role::Dim, "n/a yet"),
        other => (Role::Stale, other),
    }
}

/// Parts other than guardrails whose engine does not run yet.
fn other_parts(row: &Row, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let others: Vec<&str> = row
        .not_active
        .iter()
        .map(String::as_str)
        .filter(|part| !part.starts_with("guardrail"))
        .collect();
    if others.is_empty() {
        return Vec::new();
    }
    let sentence = format!("Not active yet: {}.", others.join("; "));
    wrapped(theme, Role::Dim, &sentence, width)
}
