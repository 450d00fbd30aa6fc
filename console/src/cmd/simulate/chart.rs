//! The allocation of the learning lanes over time, one band an arm: darkness is share, as on the detail screen.

use super::report::{LaneReport, Report};
use crate::cmd::failure::counted;
use crate::cmd::format::percent;
use crate::output::{Role, Span, Text, plain};
use crate::theme::glyphs::Glyphs;

/// Columns of figures and blanks beside the name and the band: two before, two figures of six with a blank.
const BESIDE: usize = 2 + 1 + 7 + 7;

/// No band is shorter: below that there is nothing to see.
const LEAST: usize = 16;

/// No name is longer.
const NAME: usize = 24;

pub(super) fn of(report: &Report, glyphs: &Glyphs, width: usize) -> Text {
    let mut text = Text::new();
    for lane in report.lanes.iter().rev().filter(|lane| lane.learns) {
        text.append(bands(report, lane, glyphs, width));
    }
    text
}

fn bands(report: &Report, lane: &LaneReport, glyphs: &Glyphs, width: usize) -> Text {
    let names = report.arms.iter().map(|arm| arm.arm.chars().count());
    let names = names.max().unwrap_or(0).min(NAME);
    let room = width.saturating_sub(BESIDE + names).max(LEAST);
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, format!("lane {}", lane.lane)),
        plain(format!(
            ", share of new units over time, mean of {}",
            counted(report.runs as usize, "run")
        )),
    ]);
    let alike = report.arms.iter().all(|arm| arm.best);
    for (at, arm) in report.arms.iter().enumerate() {
        let shares: Vec<f64> = lane
            .over_time
            .iter()
            .map(|point| point.shares[at].mean)
            .collect();
        let (Some(first), Some(last)) = (shares.first(), shares.last()) else {
            continue;
        };
        let band: String = columns(&shares, room)
            .map(|share| glyphs.shade(share))
            .collect();
        let role = if arm.best && !alike {
            Role::Good
        } else {
            Role::Plain
        };
        let name: String = cut(&arm.arm, names, glyphs);
        text.line([
            Span::new(role, format!("  {name:<names$} ")),
            plain(format!("{:>6} ", percent(*first))),
            Span::new(role, band),
            plain(format!(" {:>6}", percent(*last))),
        ]);
    }
    let last = format!("day {}", report.days);
    let gap = room.saturating_sub(5 + last.len());
    let indent = " ".repeat(2 + names + 1 + 7);
    text.line([Span::new(
        Role::Dim,
        format!("{indent}day 0{}{last}", " ".repeat(gap)),
    )]);
    text
}

/// The share in force in the middle of every column; a share holds from its point to the next.
fn columns(shares: &[f64], room: usize) -> impl Iterator<Item = f64> {
    let spans = shares.len().saturating_sub(1).max(1);
    (0..room).map(move |column| {
        let at = spans as f64 * (column as f64 + 0.5) / room as f64;
        shares[(at as usize).min(shares.len() - 1)]
    })
}

fn cut(name: &str, width: usize, glyphs: &Glyphs) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    let kept: String = name.chars().take(width - 1).collect();
    format!("{kept}{}", glyphs.ellipsis)
}
