//! One line of a watch.

use chrono::{DateTime, Utc};
use protocol::experiments::Row;

use super::super::format::{clock, leader, percent, probability, state};
use crate::output::{Span, Text, plain};

/// Names up to this width stand in a column.
const KEY_WIDTH: usize = 20;

/// What the line says besides the time and the counts, which always differ: two equal ones are one line.
pub(in super::super) fn of(row: &Row) -> String {
    let leader = leader(row).map_or_else(
        || "nothing learned yet".to_owned(),
        |arm| {
            format!(
                "{} {}, P(best) {}",
                arm.name,
                percent(arm.share),
                probability(arm.p_best)
            )
        },
    );
    let failing = row.guardrails.iter().filter(|g| g.status == "fail").count();
    let breach = if failing > 0 { "  BREACH" } else { "" };
    format!("v{:<4} {leader}{breach}", row.version)
}

pub(in super::super) fn text(now: DateTime<Utc>, row: &Row, line: &str) -> Text {
    let mut text = Text::new();
    let pad = " ".repeat("rolled_back".len().saturating_sub(row.state.len()));
    let spans: [Span; 5] = [
        plain(format!("{}  {:KEY_WIDTH$}  ", clock(now), row.key)),
        state(&row.state),
        plain(pad),
        plain("  "),
        plain(line),
    ];
    text.line(spans);
    text
}
