//! `pitboss why`: why an experiment is in the state that it is in, in one screen.

use protocol::guardrails::Guardrails;

use super::Failure;
use super::daemon::Daemon;
use super::format::instant;
use super::guardrails::{acted, status};
use crate::output::{Answer, Role, Span, Text, plain, versioned};

pub(super) async fn run(daemon: &Daemon, key: &str) -> Result<Answer, Failure> {
    let found = daemon
        .client
        .guardrails(Daemon::patience(), key.to_owned())
        .await??;
    Ok(Answer {
        text: text(&found),
        json: versioned(&found),
    })
}

pub(super) fn text(found: &Guardrails) -> Text {
    let mut text = Text::new();
    let since = found
        .state_since
        .map(|at| format!(" since {}", instant(at)));
    text.line([
        Span::new(Role::Strong, &found.experiment),
        plain(format!(" is {}{}", found.state, since.unwrap_or_default())),
    ]);
    if !found.state_by.is_empty() {
        text.line([plain(format!("  by {}", found.state_by))]);
        text.line([plain(format!("  because {}", found.state_why))]);
    }
    section(&mut text, "Held", &found.holds);
    if !found.acted.is_empty() {
        text.blank();
        text.line([Span::new(Role::Strong, "What guardrails did")]);
        for verdict in found.acted.iter().take(5) {
            text.append(acted(verdict));
        }
    }
    let loud: Vec<_> = found
        .guardrails
        .iter()
        .flat_map(|guardrail| &guardrail.verdicts)
        .filter(|verdict| verdict.verdict == "fail" || verdict.verdict == "warn")
        .collect();
    if !loud.is_empty() {
        text.blank();
        text.line([Span::new(Role::Strong, "What they say now")]);
        for verdict in loud {
            text.line([
                plain("  "),
                status(&verdict.verdict),
                plain(format!("  {}: {}", verdict.guardrail, verdict.sentence)),
            ]);
        }
    }
    text.blank();
    text.say(ways_out(found));
    text
}

fn section(text: &mut Text, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    text.blank();
    text.line([Span::new(Role::Strong, title)]);
    for line in lines {
        text.line([plain(format!("  {line}"))]);
    }
}

/// What an operator can do from here.
fn ways_out(found: &Guardrails) -> String {
    let key = &found.experiment;
    let held = found.holds.iter().any(|hold| hold.contains("quarantined"));
    match found.state.as_str() {
        "paused" | "rolled_back" => format!(
            "When the cause is mended: pitboss resume {key} --reason ...  (guardrails judge anew from then on). To end it: pitboss stop {key}."
        ),
        "running" if held => format!(
            "When the cause is mended: pitboss release {key} ARM --reason ...  (the arm is judged anew from then on)."
        ),
        "running" => {
            format!("Nothing stops it: it assigns and learns. More: pitboss guardrails {key}.")
        }
        state => format!("It is {state}; nothing is judged any more."),
    }
}
