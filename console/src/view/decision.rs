//! What is recommended: in a line on the experiment's screen, and with its reasons in a part of its own.

use protocol::decision::{Decision, DecisionCheck, DecisionLine, DecisionNumbers};
use protocol::experiments::Row;
use ratatui::text::Line;

use super::paper::{heading, line, plain};
use super::text;
use crate::theme::{Role, Theme};
use crate::units::Units;

/// How loud a decision is: what asks for somebody's hand is loud.
pub(super) fn role(decision: &DecisionLine) -> Role {
    match decision.decision.as_str() {
        "keep_running" => Role::Dim,
        "ship" => Role::Ok,
        _ => Role::Warn,
    }
}

/// Lines of the experiment's screen that the sentence may take: its figures are behind its first words.
const SAID_ROWS: usize = 2;

/// The recommendation in at most two lines, and what to know about its rule in another.
pub(super) fn said(row: &Row, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let Some(decision) = &row.decision else {
        return Vec::new();
    };
    let room = usize::from(width).saturating_sub(3);
    let ellipsis = theme.glyphs.ellipsis;
    let sentence = text::wrap_few(&decision.sentence, room, SAID_ROWS, ellipsis).into_iter();
    let mut lines: Vec<_> = sentence
        .map(|part| plain(theme, role(decision), format!(" {part}")))
        .collect();
    if let Some(caution) = &decision.caution {
        let caution = text::clip(&format!("But {caution}."), room, ellipsis);
        lines.push(plain(theme, Role::Warn, format!(" {caution}")));
    }
    lines
}

/// All of it.
pub(super) fn whole(
    decision: Option<&Decision>,
    units: Units,
    theme: &Theme,
    width: u16,
) -> Vec<Line<'static>> {
    let Some(decision) = decision else {
        let why = "Nothing is recommended: the file has no decision section, it has ended, or it was not looked at yet.";
        return wrapped(theme, Role::Dim, why, width);
    };
    let mut lines = vec![heading(
        theme,
        &format!("Decision, rule {}", decision.preset),
        width,
    )];
    lines.extend(wrapped(
        theme,
        role(&decision.line),
        &decision.line.sentence,
        width,
    ));
    if let Some(caution) = &decision.line.caution {
        lines.extend(wrapped(
            theme,
            Role::Warn,
            &format!("But {caution}."),
            width,
        ));
    }
    if let Some(acts) = &decision.acts {
        let acts = format!("{}.", text::capital(acts));
        lines.extend(wrapped(theme, Role::Accent, &acts, width));
    }
    if !decision.reasons.is_empty() {
        lines.push(heading(theme, "Reasons", width));
        lines.extend(checks(&decision.reasons, theme, width));
    }
    lines.push(heading(theme, "Gates", width));
    lines.extend(checks(&decision.gates, theme, width));
    lines.push(heading(theme, "Arms, all lanes, adjusted for time", width));
    lines.extend(numbers(&decision.numbers, units, theme));
    lines
}

fn checks(checks: &[DecisionCheck], theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let room = usize::from(width).saturating_sub(14);
    let mut lines = Vec::new();
    for check in checks {
        let (role, word) = match check.status.as_str() {
            "pass" => (Role::Ok, "ok"),
            "fail" => (Role::Warn, "NOT YET"),
            other => (Role::Stale, other),
        };
        for (n, part) in text::wrap(&check.text, room).into_iter().enumerate() {
            let word = if n == 0 { word } else { "" };
            lines.push(line(
                theme,
                &[(role, format!("   {word:<8} ")), (Role::Text, part)],
            ));
        }
    }
    lines
}

fn numbers(numbers: &[DecisionNumbers], units: Units, theme: &Theme) -> Vec<Line<'static>> {
    let names = numbers.iter().map(|arm| text::width(&arm.arm));
    let names = names.max().unwrap_or(0).clamp(3, 16);
    let ellipsis = theme.glyphs.ellipsis;
    let titles = format!(
        "   {} {:>9} {:>7} {:>8} {:>9}  LIFT, AT ANY LOOK",
        text::left("ARM", names, ' '),
        "SAMPLES",
        "MEAN",
        "P(BEST)",
        "P(BETTER)"
    );
    let mut lines = vec![plain(theme, Role::Dim, titles)];
    lines.extend(numbers.iter().map(|arm| {
        let lift = match (arm.lift, arm.lift_low, arm.lift_high) {
            (Some(lift), Some(low), Some(high)) => {
                let (by, ends) = (units.difference(lift), units.differences(low, high));
                let number = |text: &str| text.trim_end_matches(" pp").to_owned();
                let points = if units.is_rate() { " points" } else { "" };
                format!("{} ({}){points}", number(&by), number(&ends))
            }
            _ if arm.p_better.is_none() => "control".to_owned(),
            _ => "not known".to_owned(),
        };
        let row = format!(
            "   {} {:>9} {:>7} {:>8} {:>9}  {lift}",
            text::left(&arm.arm, names, ellipsis),
            text::count(arm.samples),
            units.value(arm.mean),
            text::probability(arm.p_best),
            arm.p_better.map_or_else(String::new, text::probability),
        );
        plain(theme, Role::Text, row)
    }));
    lines
}

fn wrapped(theme: &Theme, role: Role, text: &str, width: u16) -> Vec<Line<'static>> {
    let room = usize::from(width).saturating_sub(5);
    let parts = text::wrap(text, room).into_iter();
    parts
        .map(|part| plain(theme, role, format!("   {part}")))
        .collect()
}
