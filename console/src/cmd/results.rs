//! `pitboss results`: counts, rates, posteriors and evidence of every lane.

use protocol::experiments::{ArmInFlight, LaneResults, Results};

use super::daemon::Daemon;
use super::evidence;
use super::format::{count, instant, percent, source, state};
use super::{Failure, decision};
use crate::output::{Align, Answer, Role, Span, Table, Text, plain, versioned};
use crate::units::Units;

pub(super) async fn run(daemon: &Daemon, key: &str) -> Result<Answer, Failure> {
    let context = Daemon::patience();
    let results = daemon.client.results(context, key.to_owned()).await??;
    Ok(Answer {
        text: text(&results),
        json: versioned(&results),
    })
}

pub(super) fn text(results: &Results) -> Text {
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, &results.experiment),
        plain("  "),
        state(&results.state),
        plain(format!("  as of {}", instant(results.as_of))),
    ]);
    text.append(source(results.source.as_ref()));
    text.append(counts(results));
    let units = Units::of(results.scale);
    if results.lanes.len() > 1 {
        text.blank();
        text.append(lanes(&results.lanes, units));
    }
    if let Some(comparison) = &results.lane_comparison {
        text.line([plain(comparison)]);
    }
    for lane in &results.lanes {
        text.blank();
        text.line([
            Span::new(Role::Strong, format!("lane {}", lane.lane)),
            plain(format!(", {}, version {}", lane.policy, lane.version)),
        ]);
        text.append(evidence::counts(&lane.arms).text());
        text.append(evidence::beliefs(&lane.arms, units).text());
        if let Some(found) = &lane.evidence {
            text.append(evidence::weighted(found, units));
        }
        if let Some(learns_from) = &lane.learns_from {
            text.line([
                Span::new(Role::Warn, "the split learns otherwise"),
                plain(format!(": {learns_from}; these figures are closed windows")),
            ]);
        }
        if lane.in_flight.iter().any(|arm| arm.pending > 0) {
            text.append(in_flight(&lane.in_flight).text());
        }
    }
    if let Some(decision) = &results.decision {
        text.blank();
        decision::line(&decision.line, &mut text);
    }
    text
}

/// What each lane earned a unit, all arms together.
fn lanes(lanes: &[LaneResults], units: Units) -> Text {
    let mut table = Table::new(&[
        ("lane", Align::Left),
        ("policy", Align::Left),
        ("share", Align::Right),
        ("units", Align::Right),
        ("resolved", Align::Right),
        ("earned a unit", Align::Right),
        ("95% interval", Align::Left),
    ])
    .sparing(&["units", "resolved"]);
    for lane in lanes {
        let (earned, interval) = match lane.earned {
            Some(earned) => (
                units.value(earned.mean),
                units.interval(earned.low, earned.high),
            ),
            None => ("-".to_owned(), String::new()),
        };
        table.row([
            Span::new(Role::Strong, &lane.lane),
            plain(&lane.policy),
            plain(percent(lane.share)),
            plain(count(lane.assigned)),
            plain(count(lane.resolved)),
            plain(earned),
            Span::new(Role::Dim, interval),
        ]);
    }
    table.text()
}

/// Open windows; the last column only where somebody knows.
fn in_flight(arms: &[ArmInFlight]) -> Table {
    use Align::{Left, Right};
    let told = arms.iter().any(|arm| arm.to_come.is_some());
    let mut columns = vec![("IN FLIGHT", Left), ("PENDING", Right), ("EARLY", Right)];
    columns.extend(told.then_some(("STILL TO COME", Right)));
    let mut table = Table::new(&columns);
    for arm in arms {
        let mut row = vec![
            plain(&arm.arm),
            plain(count(arm.pending)),
            plain(count(arm.early)),
        ];
        let to_come = || {
            arm.to_come
                .map_or("-".to_owned(), |to_come| format!("{to_come:.1}"))
        };
        row.extend(told.then(|| plain(to_come())));
        table.row(row);
    }
    table
}

fn counts(results: &Results) -> Text {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Right), ("", Align::Left)]);
    let mut row = |what: &str, number: u64, remark: &str| {
        let remark = Span::new(Role::Dim, remark);
        table.row([plain(what), plain(count(number)), remark]);
    };
    row("units assigned", results.assignments, "");
    row("units exposed", results.exposures, "");
    row("units resolved", results.rewards, "their window has closed");
    row("units pending", results.pending, "their window is open");
    row(
        "  early",
        results.early,
        "have sent what changes their outcome",
    );
    if results.frozen_conflicts > 0 {
        row(
            "  shown another arm",
            results.frozen_conflicts,
            "during an outage, with on_outage = \"frozen\"",
        );
    }
    row("policy versions", results.versions, "");
    row("events", results.events, "in the ledger, each once");
    for (event, number) in &results.events_by_name {
        row(&format!("  {event}"), *number, "");
    }
    for (what, number, remark) in [
        (
            "late",
            results.late,
            "after the window: stored, not learned",
        ),
        (
            "too early",
            results.before_exposure,
            "before the exposure: stored, not learned",
        ),
        (
            "over the cap",
            results.over_cap,
            "of max_events_per_unit: stored, not learned",
        ),
        (
            "of strangers",
            results.unassigned,
            "units without an assignment: stored, not learned",
        ),
        (
            "repeated",
            results.duplicates,
            "same id, same body: one effect",
        ),
        (
            "conflicting",
            results.conflicts,
            "same id, other body: the first counts",
        ),
        (
            "not folded",
            results.unfolded,
            "received, counted in a moment",
        ),
    ] {
        row(&format!("  {what}"), number, remark);
    }
    table.text()
}
