//! `pitboss guardrails`: what each limit says of each arm; and `pitboss guardrails override|rearm`.

use protocol::guardrails::{Guardrail, Guardrails, Overridden, OverrideRequest, Verdict};
use uuid::Uuid;

use super::confirm::{self, Grade};
use super::daemon::Daemon;
use super::format::{age, count, instant};
use super::{Exit, Failure, show, verb};
use crate::cli::{GuardrailDeed, GuardrailsArgs, OverrideArgs};
use crate::output::{Align, Answer, Role, Span, Table, Text, plain, versioned};

pub(super) async fn run(daemon: &Daemon, args: &GuardrailsArgs) -> Result<Exit, Failure> {
    match &args.deed {
        None => {
            let key = args.key.clone().unwrap_or_default();
            let found = daemon.client.guardrails(Daemon::patience(), key).await??;
            let answer = Answer {
                text: text(&found),
                json: versioned(&found),
            };
            show(&answer, args.reading.json)
        }
        Some(GuardrailDeed::Override(deed)) => put(daemon, deed, false).await,
        Some(GuardrailDeed::Rearm(deed)) => put(daemon, deed, true).await,
    }
}

async fn put(daemon: &Daemon, args: &OverrideArgs, rearm: bool) -> Result<Exit, Failure> {
    let environment = &daemon.welcome.environment;
    let OverrideArgs { key, guardrail, .. } = args;
    let (word, grade) = if rearm {
        ("arm", Grade::Reversible)
    } else {
        ("override", Grade::Costly)
    };
    let deed = format!("{word} guardrail {guardrail} of {key} in {environment}");
    let mut question = Text::new();
    question.say(format!(
        "While it is overridden, guardrail {guardrail} reports and does not act: nothing but you protects the users of {key}."
    ));
    confirm::confirm(&deed, &question, &grade, args.acting.yes)?;
    let proposal = format!("{word} guardrail from the command line");
    let reason = confirm::reason(args.acting.reason.as_deref(), &proposal, args.acting.yes)?;
    let request = OverrideRequest {
        key: key.clone(),
        guardrail: guardrail.clone(),
        for_ms: args.length.map(|length| length.0),
        rearm,
        reason,
        request_id: Uuid::now_v7(),
    };
    let done = daemon
        .insist(|client| {
            let request = request.clone();
            async move { client.override_guardrail(Daemon::patience(), request).await }
        })
        .await?;
    let answer = Answer {
        text: verb::done_text(&done),
        json: versioned(&done),
    };
    show(&answer, args.json)
}

pub(super) fn text(found: &Guardrails) -> Text {
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, &found.experiment),
        plain(format!(" is {}", found.state)),
    ]);
    if found.guardrails.is_empty() {
        text.say("It declares no guardrail: nothing protects its users if an arm does harm.");
        return text;
    }
    for guardrail in &found.guardrails {
        text.blank();
        text.append(one(found, guardrail));
    }
    if !found.acted.is_empty() {
        text.blank();
        text.line([Span::new(Role::Strong, "Acted")]);
        for verdict in &found.acted {
            text.append(acted(verdict));
        }
    }
    text
}

fn one(found: &Guardrails, guardrail: &Guardrail) -> Text {
    use Align::{Left, Right};
    let mut text = Text::new();
    let dry = if guardrail.dry_run { " (dry run)" } else { "" };
    text.line([
        status(&guardrail.status),
        plain("  "),
        Span::new(Role::Strong, &guardrail.name),
        plain(format!(
            "  {} -> {}{dry}",
            guardrail.limit, guardrail.action
        )),
        Span::new(
            Role::Dim,
            format!(
                "  {}, {} window, acts after {}",
                guardrail.test,
                guardrail.window,
                times(guardrail.breaches)
            ),
        ),
    ]);
    if let Some(given) = &guardrail.overridden {
        text.append(overridden(given));
    }
    if guardrail.verdicts.is_empty() {
        text.line([Span::new(Role::Dim, "  not judged yet")]);
        return text;
    }
    let mut table = Table::new(&[
        ("ARM", Left),
        ("SAYS", Left),
        ("N", Right),
        ("FAILS", Right),
        ("AGE", Right),
        ("WHY", Left),
    ]);
    for verdict in &guardrail.verdicts {
        table.row([
            plain(verdict.arm.as_deref().unwrap_or("(all)")),
            status(&verdict.verdict),
            plain(count(verdict.samples)),
            plain(verdict.fails.to_string()),
            plain(age(found.now, verdict.at)),
            plain(why(verdict)),
        ]);
    }
    text.append(table.text());
    text
}

/// The sentence without the arm, which stands in its own column.
fn why(verdict: &Verdict) -> &str {
    let sentence = verdict.sentence.as_str();
    sentence.split_once(": ").map_or(sentence, |(_, rest)| rest)
}

fn times(breaches: u32) -> String {
    match breaches {
        1 => "the first fail".to_owned(),
        several => format!("{several} fails in a row"),
    }
}

fn overridden(given: &Overridden) -> Text {
    let until = match given.until {
        Some(until) => format!("until {}", instant(until)),
        None => "until it clears".to_owned(),
    };
    let mut text = Text::new();
    text.line([
        Span::new(Role::Warn, "  overridden"),
        plain(format!(" {until} by {}: {}", given.by, given.why)),
    ]);
    text
}

/// A verdict that acted, in a line or two.
pub(super) fn acted(verdict: &Verdict) -> Text {
    let mut text = Text::new();
    text.line([
        plain(format!("  {}  ", instant(verdict.at))),
        Span::new(Role::Bad, verdict.action.as_deref().unwrap_or("-")),
        plain(format!("  {}: {}", verdict.guardrail, verdict.sentence)),
    ]);
    text
}

/// The word of a verdict, in its colour.
pub(super) fn status(word: &str) -> Span {
    match word {
        "pass" => Span::new(Role::Good, "ok"),
        "warn" => Span::new(Role::Warn, "WARN"),
        "fail" => Span::new(Role::Bad, "BREACH"),
        other => Span::new(Role::Dim, other),
    }
}
