//! A lane's arms in tables that fit 80 columns: what was counted, what is believed, what holds at every look.

use protocol::evidence::{ArmEvidence, LaneEvidence};
use protocol::experiments::ArmRow;

use super::detail::{arm_name, if_open, if_seen};
use super::format::{count, percent, probability};
use crate::output::Align::{Left, Right};
use crate::output::{Role, Span, Table, Text, plain};
use crate::units::Units;

/// Below this, the arms did not get the units that they were promised.
const MISMATCH: f64 = 0.001;

/// Below this, rates changed over time: seen by chance in one of a hundred looks.
const DRIFTED: f64 = 0.01;

/// Units from assigned to resolved.
pub(super) fn counts(arms: &[ArmRow]) -> Table {
    let mut table = Table::new(&[
        ("ARM", Left),
        ("SHARE", Right),
        ("ASSIGNED", Right),
        ("EXPOSED", Right),
        ("RESOLVED", Right),
        ("PENDING", Right),
    ]);
    for arm in arms {
        table.row([
            arm_name(arm),
            plain(percent(arm.share)),
            plain(count(arm.assigned)),
            plain(count(arm.exposed)),
            plain(count(arm.resolved)),
            plain(count(arm.exposed.saturating_sub(arm.resolved))),
        ]);
    }
    table
}

/// The policy's posterior of each arm.
pub(super) fn beliefs(arms: &[ArmRow], units: Units) -> Table {
    let mut table = Table::new(&[
        ("POSTERIOR", Left),
        ("MEAN", Right),
        ("95% INTERVAL", Right),
        ("P(BEST)", Right),
        ("EXP. LOSS", Right),
    ]);
    for arm in arms {
        table.row([
            arm_name(arm),
            plain(if_seen(arm, units.value(arm.mean))),
            plain(if_seen(arm, units.interval(arm.low, arm.high))),
            plain(if_open(arm, probability(arm.p_best))),
            plain(if_open(arm, units.size(arm.expected_loss))),
        ]);
    }
    table
}

/// Weighted means, with intervals that hold however often one looks, and what the data themselves are worth.
pub(super) fn weighted(lane: &LaneEvidence, units: Units) -> Text {
    let mut table = Table::new(&[
        ("AT ANY LOOK", Left),
        ("WEIGHTED", Right),
        ("+-SE", Right),
        ("95% SEQUENCE", Right),
        ("VS CONTROL", Right),
        ("95% SEQUENCE", Right),
    ]);
    for arm in &lane.arms {
        table.row(figures(arm, units));
    }
    let mut text = table.text();
    text.line(soundness(lane));
    text
}

fn figures(arm: &ArmEvidence, units: Units) -> [Span; 6] {
    let or_dash = |figure: Option<String>| plain(figure.unwrap_or_else(|| "-".to_owned()));
    let contrast = arm.against_control;
    [
        plain(&arm.arm),
        or_dash(arm.estimate.map(|estimate| units.value(estimate))),
        or_dash(arm.standard_error.map(|error| units.error(error))),
        or_dash(
            arm.low
                .zip(arm.high)
                .map(|(low, high)| units.interval(low, high)),
        ),
        or_dash(contrast.map(|contrast| units.difference(contrast.difference))),
        or_dash(contrast.map(|contrast| units.differences(contrast.low, contrast.high))),
    ]
}

/// Such as `sample ratio: p 0.412 (sequential 1.000); drift between arms: p 0.226`.
fn soundness(lane: &LaneEvidence) -> Vec<Span> {
    let judged = |p: f64, alarm: f64| {
        let role = if p < alarm { Role::Bad } else { Role::Plain };
        Span::new(role, format!("p {}", probability(p)))
    };
    let mut line = vec![
        Span::new(Role::Dim, "sample ratio: "),
        judged(lane.srm_p, MISMATCH),
        plain(" (sequential "),
        judged(lane.srm_sequential_p, MISMATCH),
        plain(")"),
        Span::new(Role::Dim, "; drift between arms: "),
    ];
    line.push(match lane.drift_p {
        Some(p) => judged(p, DRIFTED),
        None => plain("too few units"),
    });
    line
}
