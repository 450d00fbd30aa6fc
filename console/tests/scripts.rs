//! Update scripts: what an operator presses and what the daemon says in, what the console does out.
//!
//! A case is a text file in `scripts/`; its golden shows every line with what came of it.

mod fixtures;

use std::fmt::Write as _;
use std::path::Path;

use console::effect::{Call, Effect};
use console::model::Model;
use console::model::link::{Failure, LinkState};
use console::model::outcome::OutcomeKind;
use console::msg::{CallFailure, LinkEvent, Msg, Reply};
use console::update::update;
use protocol::alerts::{Alert, AlertDone, AlertsPage};
use protocol::control::Done;
use protocol::plans::Applied;
use protocol::refusal::{Code, Refusal};

use fixtures::{
    REVISION, alerts, audit, checkout_button, delta, detail, held, link, plan, press, rows,
    snapshot, starting, type_text, watching, welcome,
};

#[test]
fn scripts_end_as_their_goldens_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of scripts")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        let script = std::fs::read_to_string(&case).expect("a script");
        let name = case.file_stem().expect("a name").to_string_lossy();
        insta::assert_snapshot!(format!("script_{name}"), play(&script));
    }
}

fn play(script: &str) -> String {
    let mut model = watching((80, 24), true, rows());
    let mut out = String::new();
    for line in script.lines() {
        if line.is_empty() || line.starts_with('#') {
            let _ = writeln!(out, "{line}");
            continue;
        }
        let effects = step(&mut model, line);
        let _ = writeln!(out, "{line}");
        for part in summary(&model, &effects) {
            let _ = writeln!(out, "    {part}");
        }
    }
    out
}

fn step(model: &mut Model, line: &str) -> Vec<Effect> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        "press" => press(model, rest),
        "type" => {
            type_text(model, rest);
            Vec::new()
        }
        "paste" => update(model, Msg::Paste(rest.to_owned())),
        "clock" => update(model, Msg::Clock(rest.parse().expect("milliseconds"))),
        "start" => {
            *model = starting((80, 24));
            Vec::new()
        }
        "read-only" => {
            model.read_only = true;
            Vec::new()
        }
        "link" => update(model, link(link_event(rest))),
        "row" => row(model, rest),
        "quarantined" => quarantined(model, rest),
        "gone" => update(
            model,
            link(LinkEvent::Delta(delta(vec![], &[rest], REVISION))),
        ),
        "revision" => {
            let revision = rest.parse().expect("a revision");
            update(model, link(LinkEvent::Delta(delta(vec![], &[], revision))))
        }
        "file" => update(
            model,
            Msg::FileRead {
                path: rest.to_owned(),
                text: Ok("version = 1".into()),
            },
        ),
        "answer" => answer(model, rest),
        other => panic!("no step `{other}`"),
    }
}

fn link_event(word: &str) -> LinkEvent {
    match word {
        "connecting" => LinkEvent::Connecting { attempt: 2 },
        "welcome" => LinkEvent::Welcome(welcome(true)),
        "page" => LinkEvent::Page {
            first: true,
            page: snapshot(rows()),
        },
        "page of three" => LinkEvent::Page {
            first: true,
            page: snapshot(rows().into_iter().take(3).collect()),
        },
        "lost" => LinkEvent::Waiting {
            attempt: 1,
            for_ms: 4_000,
            failure: Failure {
                sentence: "nobody listens".into(),
                advice: Vec::new(),
            },
        },
        other => panic!("no link event `{other}`"),
    }
}

/// `row KEY STATE`: the daemon says that an experiment is in another state.
fn row(model: &mut Model, rest: &str) -> Vec<Effect> {
    let (key, state) = rest.split_once(' ').expect("a key and a state");
    let mut row = model.data.rows.get(key).cloned().expect("a known row");
    state.clone_into(&mut row.state);
    row.revision += 1;
    let revision = row.revision;
    update(
        model,
        link(LinkEvent::Delta(delta(vec![row], &[], revision))),
    )
}

/// `quarantined KEY ARM`: the daemon says that an arm is held.
fn quarantined(model: &mut Model, rest: &str) -> Vec<Effect> {
    let (key, name) = rest.split_once(' ').expect("a key and an arm");
    let row = model.data.rows.get(key).expect("a known row");
    let mut row = held(row.clone(), name);
    row.revision += 1;
    let revision = row.revision;
    update(
        model,
        link(LinkEvent::Delta(delta(vec![row], &[], revision))),
    )
}

/// The answer to the call that was made last.
fn answer(model: &mut Model, rest: &str) -> Vec<Effect> {
    let id = *model.asked.keys().last().expect("a call is waiting");
    let (what, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let reply = match what {
        "done" => Ok(Reply::Done(Done {
            key: "checkout_button".into(),
            state: rest.into(),
            revision: REVISION + 1,
            outcome: format!("checkout_button is {rest}"),
            repeated: false,
        })),
        "plan" => Ok(Reply::Plan(plan())),
        "applied" => Ok(Reply::Applied(Applied {
            revision: REVISION + 1,
            changed: Vec::new(),
            outcome: "applied 3 changes".into(),
            repeated: false,
        })),
        "detail" => Ok(Reply::Detail(Box::new(detail(checkout_button())))),
        "audit" => Ok(Reply::Audit(audit())),
        "alerts" => Ok(Reply::Alerts(alerts())),
        "another_alert" => Ok(Reply::Alerts(with_another())),
        "answered" => Ok(Reply::Answered(AlertDone {
            number: 17,
            outcome: rest.into(),
            repeated: false,
        })),
        "stale" => Err(CallFailure::Refused(Refusal::new(Code::Stale, rest))),
        "refused" => Err(CallFailure::Refused(Refusal::new(Code::IllegalState, rest))),
        "nothing" => Err(CallFailure::NoAnswer("the connection broke".into())),
        other => panic!("no answer `{other}`"),
    };
    let reply = Box::new(reply);
    update(model, Msg::Reply { id, reply })
}

/// The inbox with a new alert above the others.
fn with_another() -> AlertsPage {
    let mut page = alerts();
    let newest = Alert {
        number: 18,
        identity: "guardrail/pricing/errors/low".into(),
        ..page.alerts[0].clone()
    };
    page.alerts.insert(0, newest);
    page
}

fn summary(model: &Model, effects: &[Effect]) -> Vec<String> {
    let selected = model.list.selected.as_deref().unwrap_or("-");
    let mut parts = vec![format!("{:?} on {selected}", model.screen())];
    if !matches!(model.link.state, LinkState::Live) {
        parts.push(format!("link: {:?}", model.link.state));
    }
    if !model.list.filter.is_empty() {
        let shown = model.list.visible(model.shown()).len();
        parts.push(format!("filter: {} shows {shown}", model.list.filter));
    }
    if let Some(frozen) = &model.frozen {
        parts.push(format!("frozen: {} new", frozen.news));
    }
    if let Some(prompt) = &model.prompt {
        parts.push(format!("typing: {}{}", prompt.sign(), prompt.field.text()));
    }
    if let Some(dialog) = &model.dialog {
        let missing = dialog.missing().unwrap_or_else(|| "ready".into());
        parts.push(format!(
            "dialog: {} | focus {:?} | reason `{}` | typed `{}` | {missing}",
            dialog.title,
            dialog.focus,
            dialog.reason.text(),
            dialog.typed.text()
        ));
    }
    if let Some(note) = &model.note {
        parts.push(format!("note: {note}"));
    }
    if let Some(outcome) = model.outcome_line() {
        let sign = match outcome.kind {
            OutcomeKind::Done => "done",
            OutcomeKind::Failed if outcome.read => "failed (read)",
            OutcomeKind::Failed => "FAILED",
            OutcomeKind::News => "news",
        };
        parts.push(format!("{sign}: {}", outcome.text));
    }
    if let Some(undo) = &model.undo {
        parts.push(format!(
            "undo: {} {} until {}",
            undo.verb, undo.key, undo.until_ms
        ));
    }
    parts.extend(effects.iter().map(|effect| format!("-> {}", told(effect))));
    parts
}

fn told(effect: &Effect) -> String {
    let Effect::Call { id, call } = effect else {
        return format!("{effect:?}");
    };
    match call.as_ref() {
        Call::Verb { verb, request } => format!(
            "call {id}: {verb} {} expecting rev {:?} because `{}` as {}",
            request.key, request.expect_revision, request.reason, request.request_id
        ),
        Call::Quarantine(request) => format!(
            "call {id}: quarantine {} {} expecting rev {:?} because `{}`",
            request.key, request.arm, request.expect_revision, request.reason
        ),
        Call::Release(request) => format!(
            "call {id}: release {} {:?} expecting rev {:?} because `{}`",
            request.key, request.arm, request.expect_revision, request.reason
        ),
        Call::Ship(request) => format!(
            "call {id}: ship {} {} expecting rev {:?} because `{}`",
            request.key, request.arm, request.expect_revision, request.reason
        ),
        Call::Detail { key } => format!("call {id}: detail {key}"),
        Call::Plan(request) => format!("call {id}: plan {} prune {}", request.file, request.prune),
        Call::Apply(request) => format!(
            "call {id}: apply {} on rev {} because `{}`",
            request.plan.file, request.base_revision, request.reason
        ),
        Call::Audit(query) => format!("call {id}: audit {:?}", query.key),
        Call::Alerts(query) => format!("call {id}: alerts all {}", query.all),
        Call::Ack(request) => format!(
            "call {id}: ack {} because `{}` as {}",
            request.alert, request.reason, request.request_id
        ),
        Call::Silence(request) => format!(
            "call {id}: silence {} for {} ms because `{}` as {}",
            request.alert, request.for_ms, request.reason, request.request_id
        ),
    }
}
