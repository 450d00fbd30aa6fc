//! The guardrail panel: what is declared, what it says, and honestly what nobody watches yet.

use protocol::experiments::{GuardrailRow, Row};
use ratatui::text::Line;

use super::paper::{line, plain};
use super::text;
use crate::theme::{Role, Theme};

/// The panel. It never goes, however small the screen.
pub(super) fn lines(row: &Row, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    if row.guardrails.is_empty() {
        let mut lines = vec![plain(
            theme,
            Role::Dim,
            "   None declared: nothing protects users if an arm does harm.",
        )];
        lines.extend(other_parts(row, theme, width));
        return lines;
    }
    let names = row.guardrails.iter().map(|guard| text::width(&guard.name));
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
    lines.extend(row.guardrails.iter().map(|guard| {
        let (role, word) = status(guard);
        let ellipsis = theme.glyphs.ellipsis;
        line(
            theme,
            &[
                (role, format!("   {word:<8}")),
                (
                    Role::Text,
                    format!(
                        " {} {} {}",
                        text::left(&guard.name, names, ellipsis),
                        text::left(&guard.limit, limits, ellipsis),
                        guard.action,
                    ),
                ),
            ],
        )
    }));
    if row
        .guardrails
        .iter()
        .any(|guard| guard.status == "not_active")
    {
        lines.push(plain(
            theme,
            Role::Warn,
            "   Not active yet: declared and checked, but no engine watches these limits.",
        ));
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
    let room = usize::from(width).saturating_sub(5);
    text::wrap(&sentence, room)
        .into_iter()
        .map(|part| plain(theme, Role::Dim, format!("   {part}")))
        .collect()
}
