//! The allocation over time: one band an arm, darkness is share, the first and the last share in figures.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::experiments::{AllocationPoint, Detail};
use ratatui::text::Line;

use super::paper::{line, plain};
use super::posterior::{name_width, named};
use super::text;
use crate::theme::{Role, Theme};

/// The heading of the bands: how far back they go.
pub(super) fn title(detail: Option<&Detail>, floor: f64, now: Option<DateTime<Utc>>) -> String {
    let span = detail
        .and_then(|detail| detail.allocation.first())
        .zip(now)
        .map_or_else(String::new, |(first, now)| {
            format!(", last {}", text::since(first.at, now))
        });
    format!(
        "Allocation{span} (share of new units, floor {})",
        text::percent(floor, 1)
    )
}

/// One line an arm, and the time below.
pub(super) fn bands(
    detail: &Detail,
    theme: &Theme,
    width: u16,
    now: DateTime<Utc>,
    with_axis: bool,
) -> Vec<Line<'static>> {
    let row = &detail.row;
    let (Some(first), Some(last)) = (detail.allocation.first(), detail.allocation.last()) else {
        return vec![plain(
            theme,
            Role::Dim,
            "   No policy version yet: the first is published at start.",
        )];
    };
    let names = name_width(row, width);
    let room = usize::from(width).saturating_sub(5 + names + 6 + 8);
    let mut lines = Vec::new();
    for (at, arm) in row.arms.iter().enumerate().filter(|(_, arm)| !arm.retired) {
        let share = |point: &AllocationPoint| point.shares.get(at).copied();
        let band: String = columns(&detail.allocation, first.at, now, room)
            .map(|point| theme.glyphs.shade(point.and_then(share).unwrap_or(0.0)))
            .collect();
        let (role, name) = named(row, arm, names, theme.glyphs.ellipsis);
        let (from, to) = (percent(share(first)), percent(share(last)));
        lines.push(line(
            theme,
            &[
                (role, name),
                (Role::Dim, format!("{from:>4} ")),
                (role, band),
                (Role::Text, format!(" {to:>5}")),
            ],
        ));
    }
    if with_axis {
        let indent = " ".repeat(5 + names + 5);
        let axis = axis(first.at, now, room);
        lines.push(plain(theme, Role::Dim, format!("{indent}{axis}")));
    }
    lines
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| text::percent(share, 0))
}

/// The point in force at the middle of every column; points hold from their time until the next.
fn columns(
    points: &[AllocationPoint],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    room: usize,
) -> impl Iterator<Item = Option<&AllocationPoint>> {
    let span = (to - from).num_milliseconds().max(1);
    (0..room).map(move |column| {
        let at = span as f64 * (column as f64 + 0.5) / room as f64;
        let at = from + TimeDelta::milliseconds(at as i64);
        let after = points.partition_point(|point| point.at <= at);
        points.get(after.checked_sub(1)?)
    })
}

fn axis(from: DateTime<Utc>, to: DateTime<Utc>, room: usize) -> String {
    let long = (to - from) > TimeDelta::days(1);
    let label = |at: DateTime<Utc>| {
        if long {
            at.format("%m-%d %H:%MZ").to_string()
        } else {
            text::clock(at)
        }
    };
    let (first, last) = (label(from), label(to));
    let middle = label(from + (to - from) / 2);
    let used = first.len() + middle.len() + last.len();
    if used + 4 > room {
        let gap = room.saturating_sub(first.len() + last.len());
        return format!("{first}{}{last}", " ".repeat(gap));
    }
    let gap = room - used;
    let (before, after) = (gap / 2, gap - gap / 2);
    format!(
        "{first}{}{middle}{}{last}",
        " ".repeat(before),
        " ".repeat(after)
    )
}
