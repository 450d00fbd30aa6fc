//! `pitboss show`: one experiment, as its screen shows it.

use protocol::experiments::{ArmRow, Detail, Row};

use super::daemon::Daemon;
use super::format::{age, count, instant, percent, probability, source, stale, state};
use super::{Exit, Failure, decision};
use crate::output::{self, Align, Answer, Role, Span, Table, Text, plain, versioned};
use crate::units::Units;

/// As many recent events as fit below the rest on a terminal of 50 lines.
const EVENTS: usize = 12;

pub(super) async fn show(daemon: &Daemon, key: &str) -> Result<Answer, Failure> {
    let detail = ask(daemon, key).await?;
    Ok(Answer {
        text: text(&detail),
        json: versioned(&detail),
    })
}

/// `show --toml`: the spec in force, ready to be edited and planned.
pub(super) async fn toml(daemon: &Daemon, key: &str) -> Result<Exit, Failure> {
    let detail = ask(daemon, key).await?;
    let newline = if detail.spec_toml.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    output::raw(&format!("{}{newline}", detail.spec_toml))?;
    Ok(Exit::Done)
}

async fn ask(daemon: &Daemon, key: &str) -> Result<Detail, Failure> {
    let context = Daemon::patience();
    Ok(daemon.client.detail(context, key.to_owned()).await??)
}

pub(super) fn text(detail: &Detail) -> Text {
    let row = &detail.row;
    let mut text = stale(detail.now, row.stale);
    text.append(heading(detail));
    text.append(source(detail.source.as_ref()));
    text.blank();
    text.append(arms(&row.arms, Units::of(row.scale)).text());
    if !row.guardrails.is_empty() {
        text.blank();
        text.append(guardrail_table(row).text());
    }
    notes(row, &mut text);
    if let Some(decision) = &detail.decision {
        text.blank();
        decision::whole(decision, &mut text);
    }
    if !detail.events.is_empty() {
        text.blank();
        let mut table = Table::new(&[
            ("WHEN", Align::Left),
            ("KIND", Align::Left),
            ("EVENT", Align::Left),
        ]);
        for event in detail.events.iter().take(EVENTS) {
            table.row([
                plain(instant(event.at)),
                plain(&event.kind),
                plain(&event.text),
            ]);
        }
        text.append(table.text());
    }
    text
}

fn heading(detail: &Detail) -> Text {
    let row = &detail.row;
    let mut text = Text::new();
    let name = row.name.as_deref().unwrap_or_default();
    text.line([
        Span::new(Role::Strong, &row.key),
        plain("  "),
        state(&row.state),
        plain(since(detail)),
        plain("  "),
        Span::new(Role::Dim, name),
    ]);
    if !row.state_by.is_empty() {
        text.say(format!("  by {}: {}", row.state_by, row.state_why));
    }
    text.say(format!(
        "  {}, floor {}, traffic {}, holdback {}; reward: {}",
        row.policy,
        percent(row.floor),
        percent(row.traffic),
        percent(row.holdback),
        row.reward
    ));
    if let Some(schedule) = &row.schedule {
        for said in crate::calendar::sentences(schedule, detail.now) {
            text.say(format!("  {said}"));
        }
    }
    let assigned = format!(
        "{} units assigned, {:.1} new a second; ",
        count(row.assigned),
        row.decisions_per_sec
    );
    let known = row.stale.is_none_or(|stale| stale.figures);
    text.say(format!(
        "  {}policy version {}{}",
        if known { assigned.as_str() } else { "" },
        row.version,
        row.published_at.map_or_else(String::new, |at| format!(
            ", published {} ago",
            age(detail.now, at)
        ))
    ));
    text
}

fn since(detail: &Detail) -> String {
    detail.row.since.map_or_else(String::new, |since| {
        format!(" for {}", age(detail.now, since))
    })
}

/// What a reader must know besides the figures.
fn notes(row: &Row, text: &mut Text) {
    // The table above says it of each guardrail.
    let idle = row.guardrails.iter().any(|it| it.status == "not_active");
    let guardrails = idle.then(|| "guardrails: no engine watches them".to_owned());
    let others = row.not_active.iter();
    let others = others.filter(|part| !part.starts_with("guardrail"));
    let not_active: Vec<String> = guardrails.into_iter().chain(others.cloned()).collect();
    let not_active = not_active.iter().map(|part| ("not active yet", part));
    let held = row.holds.iter().map(|hold| ("held", hold));
    let burning = row.burn_in.iter().map(|why| ("even split", why));
    let notes: Vec<_> = burning.chain(held).chain(not_active).collect();
    if notes.is_empty() {
        return;
    }
    text.blank();
    for (what, words) in notes {
        text.line([
            Span::new(Role::Warn, what),
            plain(": "),
            plain(words.as_str()),
        ]);
    }
}

fn guardrail_table(row: &Row) -> Table {
    let mut table = Table::new(&[
        ("GUARDRAIL", Align::Left),
        ("STATUS", Align::Left),
        ("LIMIT", Align::Left),
        ("ACTION", Align::Left),
    ]);
    for guardrail in &row.guardrails {
        let role = match guardrail.status.as_str() {
            "pass" => Role::Good,
            "warn" => Role::Warn,
            "fail" => Role::Bad,
            _ => Role::Dim,
        };
        table.row([
            plain(&guardrail.name),
            Span::new(role, guardrail.status.replace('_', " ")),
            plain(&guardrail.limit),
            plain(&guardrail.action),
        ]);
    }
    table
}

/// The arms with their figures; every mean with its interval.
pub(super) fn arms(arms: &[ArmRow], units: Units) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("ARM", Left),
        ("SHARE", Right),
        ("ASSIGNED", Right),
        ("RESOLVED", Right),
        ("MEAN", Right),
        ("95% INTERVAL", Right),
        ("P(BEST)", Right),
        ("EXP. LOSS", Right),
    ])
    .sparing(&["ASSIGNED", "EXP. LOSS"]);
    for arm in arms {
        table.row([
            arm_name(arm),
            plain(percent(arm.share)),
            plain(count(arm.assigned)),
            plain(count(arm.resolved)),
            plain(if_seen(arm, units.value(arm.mean))),
            plain(if_seen(arm, units.interval(arm.low, arm.high))),
            plain(if_open(arm, probability(arm.p_best))),
            plain(if_open(arm, units.size(arm.expected_loss))),
        ]);
    }
    table
}

/// What the prior says of an arm is nothing that was seen.
pub(super) fn if_seen(arm: &ArmRow, figure: String) -> String {
    if arm.resolved == 0 {
        return "no data".to_owned();
    }
    figure
}

/// A closed arm is no choice.
pub(super) fn if_open(arm: &ArmRow, figure: String) -> String {
    if arm.retired || arm.quarantined {
        return "-".to_owned();
    }
    figure
}

pub(super) fn arm_name(arm: &ArmRow) -> Span {
    if arm.retired {
        return Span::new(Role::Dim, format!("{} (retired)", arm.name));
    }
    if arm.quarantined {
        return Span::new(Role::Warn, format!("{} (QUARANTINED)", arm.name));
    }
    if arm.control {
        return plain(format!("{} (control)", arm.name));
    }
    plain(&arm.name)
}
