//! The answer of `pitboss simulate` as text for people.

use super::report::{ArmReport, Figure, LaneReport, Outcome, Report};
use crate::cmd::failure::counted;
use crate::cmd::format::{count, percent};
use crate::output::{Align, Role, Span, Table, Text, plain};

pub(super) fn of(report: &Report) -> Text {
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, &report.experiment),
        plain(format!(
            ": {}, {} arms, {}",
            report.policy,
            report.arms.len(),
            report.reward_is
        )),
    ]);
    text.say(scenario(report));
    text.blank().append(outcome(&report.total));
    for lane in report.lanes.iter().rev() {
        text.blank().append(of_lane(lane, &report.arms));
    }
    text
}

fn scenario(report: &Report) -> String {
    let asked = report.publish_every;
    let of_file = if asked == report.publish_every_of_file {
        String::new()
    } else {
        format!(" (the file says {})", report.publish_every_of_file)
    };
    format!(
        "{}, seed {}: {} units a day for {}; the policy is asked every {asked}{of_file}",
        counted(report.runs as usize, "run"),
        report.seed,
        count(report.units_per_day),
        counted(report.days as usize, "day"),
    )
}

fn outcome(outcome: &Outcome) -> Text {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("MEAN", Align::Right),
        ("SE", Align::Right),
        ("", Align::Left),
    ])
    .indented(2);
    let mut row = |what: &str, figure: Figure, remark: &str| {
        let se = figure.se.map_or_else(String::new, amount);
        let remark = Span::new(Role::Dim, remark);
        table.row([plain(what), plain(amount(figure.mean)), plain(se), remark]);
    };
    let exact = |mean| Figure { mean, se: None };
    row("participants", outcome.participants, "");
    row(
        "regret",
        outcome.regret,
        "what always drawing the best arm would have earned more",
    );
    let even = outcome.regret_of_even_split.mean;
    row("  of an even split", exact(even), "");
    row("reward", outcome.reward, "");
    row(
        "  of an even split",
        exact(outcome.reward_of_even_split),
        "",
    );
    row("  of the best arm", exact(outcome.reward_of_best_arm), "");
    table.text()
}

fn of_lane(lane: &LaneReport, arms: &[ArmReport]) -> Text {
    let mut text = Text::new();
    let share = percent(lane.share);
    let versions = if lane.learns {
        format!(", {} policy versions a run", amount(lane.versions.mean))
    } else {
        ", an even split that never learns".to_owned()
    };
    text.line([
        Span::new(Role::Strong, format!("lane {}", lane.lane)),
        plain(format!(", {share} of the participants{versions}")),
    ]);
    let mut table = Table::new(&[
        ("ARM", Align::Left),
        ("TRUTH", Align::Right),
        ("UNITS", Align::Right),
        ("AT THE END", Align::Right),
        ("SE", Align::Right),
        ("", Align::Left),
    ])
    .indented(2);
    let last = lane.over_time.last();
    let alike = arms.iter().all(|arm| arm.best);
    for (at, arm) in arms.iter().enumerate() {
        let share = last.map(|point| point.shares[at]);
        let end = share.map_or_else(String::new, |share| percent(share.mean));
        let se = share.and_then(|share| share.se);
        table.row([
            plain(&arm.arm),
            plain(arm.rate.to_string()),
            plain(percent(lane.units[at].mean)),
            plain(end),
            plain(se.map_or_else(String::new, percent)),
            Span::new(Role::Dim, remark(arm, alike)),
        ]);
    }
    text.append(table.text());
    text
}

/// Where all arms are alike, none is called the best.
fn remark(arm: &ArmReport, alike: bool) -> &'static str {
    match (arm.control, arm.best && !alike) {
        (true, true) => "control, best",
        (true, false) => "control",
        (false, true) => "best",
        (false, false) => "",
    }
}

/// `1,482.4`: one digit is enough beside a standard error; small figures keep three.
fn amount(figure: f64) -> String {
    let digits = if figure.abs() < 1.0 { 3 } else { 1 };
    let text = format!("{:.digits$}", figure.abs());
    let (whole, rest) = text.split_at(text.len() - digits - 1);
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    let rest = rest.trim_end_matches('0').trim_end_matches('.');
    let sign = if figure < 0.0 { "-" } else { "" };
    format!("{sign}{whole}{rest}")
}
