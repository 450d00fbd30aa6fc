//! The selected experiment in two lines: what it is, and what to know about it now.

use chrono::{DateTime, Utc};
use protocol::decision::DecisionLine;
use protocol::experiments::Row;

use super::super::{decision, text};
use crate::calendar::sentences;
use crate::model::Model;
use crate::theme::Role;

/// Two lines; what is recommended takes both where it is wider than `room` columns.
pub(super) fn lines(model: &Model, row: &Row, room: usize, ellipsis: char) -> [(Role, String); 2] {
    let below = now(model, row);
    let shown = row.decision.as_ref();
    let shown = shown.filter(|decision| decision.sentence == below.1);
    // A rule that is often wrong is never shown without how often.
    if let Some(caution) = shown.and_then(|decision| decision.caution.as_ref()) {
        return [below, (Role::Warn, format!("But {caution}."))];
    }
    if shown.is_some() {
        let parts = text::wrap_few(&below.1, room, 2, ellipsis);
        if let [first, second] = parts.as_slice() {
            return [(below.0, first.clone()), (below.0, second.clone())];
        }
    }
    [(Role::Text, what(row, room)), below]
}

fn what(row: &Row, room: usize) -> String {
    let mut parts = vec![row.reward.clone()];
    let arms = row.arms.iter().filter(|arm| !arm.retired).count();
    let closed = row.arms.iter().filter(|arm| arm.quarantined).count();
    parts.push(match closed {
        0 => format!("{arms} arms"),
        closed => format!("{arms} arms, {closed} quarantined"),
    });
    parts.push(format!("traffic {}", text::percent(row.traffic, 0)));
    if row.holdback > 0.0 {
        parts.push(format!("holdback {}", text::percent(row.holdback, 0)));
    }
    parts.push(format!("{} units", text::count(row.assigned)));
    if let Some(owner) = &row.owner {
        parts.push(format!("ask {owner}"));
    }
    parts.retain(|part| !part.is_empty());
    while parts.len() > 2 && text::width(&parts.join(", ")) > room {
        parts.pop();
    }
    parts.join(", ")
}

/// What matters most: why it is off, what is to be done, what still holds it back. That guardrails are not watched is in
/// their column, so it comes last.
fn now(model: &Model, row: &Row) -> (Role, String) {
    let now = model.daemon_now();
    if matches!(row.state.as_str(), "paused" | "rolled_back" | "stopped") {
        let at = row.since.zip(now).map_or_else(String::new, |(at, now)| {
            format!(" {}", text::moment(at, now))
        });
        let state = text::capital(&row.state.replace('_', " "));
        let by = said(&row.state_by, " by ");
        let why = said(&row.state_why, ": ");
        return (Role::Warn, format!("{state}{by}{at}{why}"));
    }
    if row.state == "draft" {
        let comes = schedule(row, now).map(|comes| format!("Draft: {comes}. T starts it now."));
        let draft = comes.unwrap_or_else(|| "Draft: takes no traffic. T starts it.".to_owned());
        return (Role::Dim, draft);
    }
    let closed: Vec<&str> = row
        .arms
        .iter()
        .filter(|arm| arm.quarantined)
        .map(|arm| arm.name.as_str())
        .collect();
    if !closed.is_empty() {
        return (
            Role::Warn,
            format!(
                "Quarantined: {}; no new units until it is released",
                closed.join(", ")
            ),
        );
    }
    let waits = |decision: &&DecisionLine| decision.decision != "keep_running";
    if let Some(decision) = row.decision.as_ref().filter(waits) {
        return (decision::role(decision), decision.sentence.clone());
    }
    if let Some(waits) = row.schedule.as_ref().and_then(|it| it.waits.as_ref()) {
        return (Role::Warn, text::capital(waits));
    }
    if row.schedule.as_ref().is_some_and(|it| it.ramp.is_some())
        && let Some(comes) = schedule(row, now)
    {
        return (Role::Accent, text::capital(&comes));
    }
    if let Some(burn_in) = &row.burn_in {
        let why = burn_in.trim_start_matches("burn-in: ");
        return (Role::Stale, format!("Even split: {why}"));
    }
    if !row.holds.is_empty() {
        return (Role::Warn, format!("Held: {}", row.holds.join("; ")));
    }
    if let Some(decision) = &row.decision {
        return (decision::role(decision), decision.sentence.clone());
    }
    if let Some(sleeping) = not_active(row) {
        return (Role::Dim, format!("Not active yet: {sleeping}"));
    }
    let published = row
        .published_at
        .zip(now)
        .map_or_else(String::new, |(at, now)| {
            format!(" published {} ago", text::since(at, now))
        });
    (
        Role::Dim,
        format!("Policy version {}{published}", row.version),
    )
}

/// What comes by the calendar.
fn schedule(row: &Row, now: Option<DateTime<Utc>>) -> Option<String> {
    let said = sentences(row.schedule.as_ref()?, now?);
    (!said.is_empty()).then(|| said.join("; "))
}

/// What is declared and not watched: guardrails by name if they are few, then the other parts by theirs.
fn not_active(row: &Row) -> Option<String> {
    let sleeping = row.guardrails.iter().filter(|g| g.status == "not_active");
    let names: Vec<&str> = sleeping.map(|guard| guard.name.as_str()).collect();
    let guardrails = match names.len() {
        0 => None,
        1..=3 => Some(format!("guardrails {}", names.join(", "))),
        many => Some(format!("{many} guardrails")),
    };
    let others = row
        .not_active
        .iter()
        .filter(|part| !part.starts_with("guardrail"))
        .map(|part| part.split(": ").next().unwrap_or(part).to_owned());
    let parts: Vec<String> = guardrails.into_iter().chain(others).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn said(text: &str, before: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{before}{text}")
}
