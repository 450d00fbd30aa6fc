//! The answer of `pitboss simulate` as text for people.

use super::fitted::Fitted;
use super::report::{ArmEnding, ArmReport, DecisionReport, Figure, LaneReport, Outcome, Report};
use crate::cmd::failure::counted;
use crate::cmd::format::{count, instant, percent};
use crate::output::{Align, Role, Span, Table, Text, plain};

pub(super) fn of(report: &Report<'_>) -> Text {
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
    if let Some(fitted) = report.fitted {
        text.say(rates_from(fitted, &report.arms));
    }
    if !report.not_simulated.is_empty() {
        text.line([
            Span::new(Role::Warn, "not simulated"),
            plain(format!(": {}", report.not_simulated.join(", "))),
        ]);
    }
    text.blank().append(outcome(&report.total));
    for lane in report.lanes.iter().rev() {
        text.blank().append(of_lane(lane, &report.arms));
    }
    text.blank().append(decision(&report.decision));
    text
}

/// How the runs would have ended, and how often that was right.
fn decision(decision: &DecisionReport) -> Text {
    let mut text = Text::new();
    let undeclared = if decision.declared {
        ""
    } else {
        " because the file has none"
    };
    let rules = format!(
        ", preset {}{undeclared}, looked at every {}",
        decision.preset, decision.looked_at_every
    );
    text.line([Span::new(Role::Strong, "decision"), plain(rules)]);
    let mut table = Table::new(&[
        ("FIRST END", Align::Left),
        ("RUNS", Align::Right),
        ("SE", Align::Right),
        ("DAY", Align::Right),
    ])
    .indented(2);
    let mut row = |what: &str, runs: Figure, days: Option<Figure>| {
        table.row([
            plain(what),
            plain(percent(runs.mean)),
            plain(runs.se.map_or_else(String::new, percent)),
            plain(days.map_or_else(String::new, |days| amount(days.mean))),
        ]);
    };
    for ArmEnding { arm, ending } in &decision.ship {
        row(&format!("ship {arm}"), ending.runs, ending.days);
    }
    row(
        "kill: control stays",
        decision.kill.runs,
        decision.kill.days,
    );
    row("iterate", decision.iterate.runs, decision.iterate.days);
    row("none: keep running", decision.keep_running, None);
    text.append(table.text());
    for ArmEnding { arm, ending } in decision.close.iter().filter(|it| it.ending.runs.mean > 0.0) {
        text.say(format!(
            "  {arm} is to be closed in {} of the runs",
            percent(ending.runs.mean)
        ));
    }
    let share = |figure: Figure| {
        let se = figure
            .se
            .map_or_else(String::new, |se| format!(" (SE {})", percent(se)));
        format!("{}{se}", percent(figure.mean))
    };
    if let Some(power) = decision.power {
        text.say(format!(
            "  power, the best arm is shipped: {}",
            share(power)
        ));
    }
    text.say(format!(
        "  false alarms, an arm no better than control is shipped: {}",
        share(decision.false_ships)
    ));
    text
}

fn scenario(report: &Report<'_>) -> String {
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

fn rates_from(fitted: &Fitted, arms: &[ArmReport]) -> String {
    let typed = arms.iter().filter(|arm| arm.resolved.is_none());
    let typed: Vec<&str> = typed.map(|arm| arm.arm.as_str()).collect();
    let typed = if typed.is_empty() {
        String::new()
    } else {
        format!("; {} as typed", typed.join(", "))
    };
    format!(
        "rates fitted to {} as of {}, {} resolved units{typed}",
        fitted.experiment,
        instant(fitted.as_of),
        count(fitted.resolved)
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
            plain(truth(arm)),
            plain(percent(lane.units[at].mean)),
            plain(end),
            plain(se.map_or_else(String::new, percent)),
            Span::new(Role::Dim, remark(arm, alike)),
        ]);
    }
    text.append(table.text());
    text
}

/// A typed rate as it was typed, a fitted one with four digits that count: `0.08312`, `3.417`.
fn truth(arm: &ArmReport) -> String {
    if arm.resolved.is_none() || arm.rate == 0.0 {
        return arm.rate.to_string();
    }
    let digits = (3.0 - arm.rate.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{:.digits$}", arm.rate)
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
