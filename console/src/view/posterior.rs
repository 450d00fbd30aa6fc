//! What is believed of every arm: as ridges with figures, or as a table.

use protocol::experiments::{ArmRow, Row};
use ratatui::text::Line;

use super::paper::{line, plain};
use super::ridge::{Axis, ridge};
use super::text;
use crate::model::reading::leader;
use crate::theme::{Role, Theme};
use crate::units::Units;

/// Declared arms in the order of the file.
pub(super) fn declared_arms(row: &Row) -> Vec<&ArmRow> {
    row.arms.iter().filter(|arm| !arm.retired).collect()
}

/// Columns of the arms' names.
pub(super) fn name_width(row: &Row, width: u16) -> usize {
    let longest = row.arms.iter().map(|arm| text::width(&arm.name)).max();
    let most = if width >= 100 { 20 } else { 12 };
    longest.unwrap_or(0).clamp(7, most)
}

/// The marks and the name: `*` leads, `c` is the control.
pub(super) fn named(row: &Row, arm: &ArmRow, wide: usize, ellipsis: char) -> (Role, String) {
    let leads = leader(row).is_some_and(|leader| leader.arm.name == arm.name);
    let (role, lead) = if leads {
        (Role::Accent, '*')
    } else {
        (Role::Text, ' ')
    };
    let control = if arm.control { 'c' } else { ' ' };
    let name = text::left(&arm.name, wide, ellipsis);
    (role, format!(" {lead}{control} {name} "))
}

/// Two lines an arm, on a common axis. Below 100 columns the interval moves under the mean.
pub(super) fn ridges(row: &Row, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let arms = declared_arms(row);
    let names = name_width(row, width);
    let wide = width >= 100;
    let figures = if wide { 48 } else { 27 };
    let room = usize::from(width).saturating_sub(5 + names + 2 + figures + 1);
    let units = Units::of(row.scale);
    let axis = Axis::of(&arms);
    let titles = if wide {
        format!(
            "{:>8}  {:>17} {:>8} {:>11}",
            "MEAN", "95% INTERVAL", "P(BEST)", "EXP.LOSS"
        )
    } else {
        format!("{:>17} {:>8}", "MEAN, 95%", "P(BEST)")
    };
    let axis_line = format!("{}{}", " ".repeat(names + 6), axis.labels(room, units));
    let mut lines = vec![plain(theme, Role::Dim, format!("{axis_line} {titles}"))];
    for arm in arms {
        let [upper, lower] = ridge(arm, axis, room, &theme.glyphs);
        let (role, name) = named(row, arm, names, theme.glyphs.ellipsis);
        let bar = theme.glyphs.bar;
        let blank = " ".repeat(names + 5);
        lines.push(line(
            theme,
            &[
                (role, name),
                (Role::Dim, bar.to_string()),
                (role, upper),
                (Role::Dim, bar.to_string()),
                (Role::Text, first_figures(arm, units, wide)),
            ],
        ));
        lines.push(line(
            theme,
            &[
                (Role::Dim, format!("{blank}{bar}")),
                (role, lower),
                (Role::Dim, bar.to_string()),
                (Role::Text, second_figures(arm, units, wide)),
            ],
        ));
    }
    lines
}

/// What the prior says of an arm is nothing that was seen.
const NO_DATA: &str = "no data";

fn mean(arm: &ArmRow, units: Units) -> String {
    if arm.resolved == 0 {
        return NO_DATA.to_owned();
    }
    units.value(arm.mean)
}

fn interval(arm: &ArmRow, units: Units) -> String {
    if arm.resolved == 0 {
        return String::new();
    }
    let ends = units.interval(arm.low, arm.high);
    ends.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn loss(arm: &ArmRow, units: Units) -> String {
    if units.sign().is_empty() {
        return units.size(arm.expected_loss);
    }
    text::points(arm.expected_loss)
}

/// The loss in a sentence, where 0.000 would read as none.
fn lost(arm: &ArmRow, units: Units) -> String {
    if units.sign() == "%" && arm.expected_loss > 0.0 && arm.expected_loss < 5e-6 {
        return "<0.001 pp".to_owned();
    }
    loss(arm, units)
}

/// What stands in place of the chances of an arm that nobody new gets.
const QUARANTINED: &str = "QUARANTINED";

fn first_figures(arm: &ArmRow, units: Units, wide: bool) -> String {
    let mean = mean(arm, units);
    if arm.quarantined {
        return if wide {
            format!(
                "{mean:>8}  {:>17} {:>8} {QUARANTINED}",
                interval(arm, units),
                "-"
            )
        } else {
            format!("{mean:>14} {QUARANTINED}")
        };
    }
    let p = text::probability(arm.p_best);
    if wide {
        let loss = loss(arm, units);
        return format!("{mean:>8}  {:>17} {p:>8} {loss:>11}", interval(arm, units));
    }
    format!("{mean:>17} {p:>8}")
}

fn second_figures(arm: &ArmRow, units: Units, wide: bool) -> String {
    let seen = format!("n {}", text::short_count(arm.resolved));
    if wide {
        let pending = arm.exposed.saturating_sub(arm.resolved);
        let pending = format!("{} pending", text::count(pending));
        return format!("{seen:>8}  {pending:>17}");
    }
    format!("{:>17} {:>8}", interval(arm, units), seen)
}

/// One line an arm.
pub(super) fn table(row: &Row, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let units = Units::of(row.scale);
    let names = name_width(row, width);
    let mut titles = format!(
        "    {} {:>6} {:>9} {:>7} {:>17} {:>7}",
        text::left("ARM", names, ' '),
        "SHARE",
        "RESOLVED",
        "MEAN",
        "95% INTERVAL",
        "P(BEST)",
    );
    let wide = usize::from(width) > names + 69;
    if wide {
        titles.push_str("   EXP.LOSS");
    }
    let mut lines = vec![plain(theme, Role::Dim, titles)];
    for arm in &row.arms {
        let (role, name) = named(row, arm, names, theme.glyphs.ellipsis);
        let share = if arm.retired {
            "retired".to_owned()
        } else {
            text::percent(arm.share, 1)
        };
        let interval = interval(arm, units);
        let believed = match (arm.quarantined, wide) {
            (true, true) => format!("{interval:>17} {QUARANTINED:>18}"),
            (true, false) => format!("{interval:>13} {QUARANTINED}"),
            (false, wide) => {
                let p_best = text::probability(arm.p_best);
                let loss = if wide {
                    format!(" {:>10}", loss(arm, units))
                } else {
                    String::new()
                };
                format!("{interval:>17} {p_best:>7}{loss}")
            }
        };
        let figures = format!(
            "{share:>6} {:>9} {:>7} {believed}",
            text::count(arm.resolved),
            mean(arm, units),
        );
        lines.push(line(theme, &[(role, name), (Role::Text, figures)]));
    }
    lines
}

/// What choosing the leader now would cost, and why the split may still be even.
pub(super) fn verdict(row: &Row, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let mut said = Vec::new();
    match leader(row) {
        Some(leader) => said.push((
            Role::Text,
            format!(
                "Choosing {} now would lose {} on average against the best arm.",
                leader.arm.name,
                lost(leader.arm, Units::of(row.scale))
            ),
        )),
        None => said.push((
            Role::Stale,
            format!(
                "No unit's window has closed yet ({}): nothing is learned, the curves are the prior.",
                row.reward
            ),
        )),
    }
    if let Some(burn_in) = &row.burn_in {
        let why = burn_in.trim_start_matches("burn-in: ");
        said.push((Role::Stale, format!("Even split for now: {why}.")));
    }
    let room = usize::from(width).saturating_sub(5);
    said.into_iter()
        .flat_map(|(role, sentence)| {
            let wrapped = text::wrap(&sentence, room);
            wrapped.into_iter().map(move |part| (role, part))
        })
        .map(|(role, part)| plain(theme, role, format!("   {part}")))
        .collect()
}
