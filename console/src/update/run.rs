//! Commands, from their key or from the `:` line.

use bandit::experiment::Verb;
use protocol::control::AuditQuery;

use crate::command::{self, Command, Id, availability};
use crate::effect::{Call, Effect};
use crate::model::list::Sort;
use crate::model::prompt::{Prompt, PromptKind};
use crate::model::{Asked, Frozen, Model, ScreenKind};

use super::{alerts, arms, ask_detail, call, form, lane, navigation, plan, prompt, verbs};

/// Audit rows asked for at once: a screenful many times over, far below the daemon's 500.
const AUDIT_ROWS: u32 = 200;

/// Carry out a command, or say why it is off.
pub(super) fn run(model: &mut Model, command: &Command, rest: &str) -> Vec<Effect> {
    if let Id::Verb(verb) = command.id {
        return run_verb(model, command, verb, rest);
    }
    if let Id::Arm(verb) = command.id {
        return arms::run(model, verb, rest);
    }
    if rest.is_empty()
        && let Some(why) = availability::why_off(model, command)
    {
        model.note = Some(format!("{}: {why}", command.name));
        return Vec::new();
    }
    match command.id {
        Id::Open => open(model, rest),
        Id::Up | Id::Down | Id::PageUp | Id::PageDown | Id::Top | Id::Bottom => {
            navigation::travel(model, command.id);
            Vec::new()
        }
        Id::NextPane => {
            model.detail.pane = model.detail.pane.next(model.size);
            model.detail.scroll = 0;
            Vec::new()
        }
        Id::View => {
            model.detail.table = !model.detail.table;
            Vec::new()
        }
        Id::Lane => {
            lane::next(model);
            Vec::new()
        }
        Id::Sort => sort(model, rest),
        Id::InvertSort => {
            model.list.inverted = !model.list.inverted;
            Vec::new()
        }
        Id::Verb(verb) => run_verb(model, command, verb, rest),
        Id::Arm(verb) => arms::run(model, verb, rest),
        Id::Undo => verbs::undo(model),
        Id::New | Id::Edit => form::open(model),
        Id::PlanFile if rest.is_empty() => typing(model, PromptKind::Path, ""),
        Id::PlanFile => plan::from_line(model, rest),
        Id::Replan => plan::again(model),
        Id::Prune => plan::toggle_prune(model),
        Id::Apply => plan::ask_apply(model),
        Id::NextField
        | Id::PreviousField
        | Id::NextStep
        | Id::PreviousStep
        | Id::AddArm
        | Id::RemoveArm
        | Id::PlanForm
        | Id::ClearForm => form::run(model, command.id),
        Id::Experiments => {
            navigation::home(model);
            Vec::new()
        }
        Id::Audit => audit(model, rest),
        Id::Alerts => alerts::open(model),
        Id::Ack => alerts::ack(model, rest),
        Id::Silence => alerts::silence(model, rest),
        Id::Messages => show(model, ScreenKind::Messages),
        Id::Filter if rest.is_empty() => filter(model),
        Id::Filter => {
            prompt::set_filter(model, rest);
            Vec::new()
        }
        Id::CommandLine => typing(model, PromptKind::Command, ""),
        Id::Help => show(model, ScreenKind::Help),
        Id::Back => back(model),
        Id::Last => last(model),
        Id::Freeze => freeze(model),
        Id::Copy => model.copyable().map(Effect::Copy).into_iter().collect(),
        Id::Json => json(model),
        Id::Reconnect => vec![Effect::RetryNow],
        Id::Redraw => vec![Effect::Redraw],
        Id::Suspend => vec![Effect::Suspend],
        Id::Quit => vec![Effect::Quit],
    }
}

/// A line of the `:` prompt.
pub(super) fn run_line(model: &mut Model, line: &str) -> Vec<Effect> {
    let line = line.trim();
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    if name.is_empty() {
        return Vec::new();
    }
    let Some(command) = command::by_name(name) else {
        let near = command::complete(name);
        let hint = near.first().map_or_else(String::new, |found| {
            format!("; did you mean :{}", found.name)
        });
        model.note = Some(format!("no command `{name}`{hint}"));
        return Vec::new();
    };
    let here = command.screens.is_empty() || command.screens.contains(&model.screen());
    if !here
        && rest.is_empty()
        && !matches!(command.id, Id::New | Id::Audit | Id::Alerts | Id::PlanFile)
    {
        model.note = Some(format!(
            "{name} does nothing on this screen; ? shows what does"
        ));
        return Vec::new();
    }
    run(model, command, rest.trim())
}

fn run_verb(model: &mut Model, command: &Command, verb: Verb, rest: &str) -> Vec<Effect> {
    let (key, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let key = if key.is_empty() {
        model.target()
    } else {
        Some(key.to_owned())
    };
    let off = availability::why_no_change(model).or_else(|| match &key {
        Some(key) => availability::why_not_for(model, verb, key),
        None => Some("nothing selected".to_owned()),
    });
    match (off, key) {
        (None, Some(key)) => verbs::ask(model, verb, &key, reason.trim()),
        (why, _) => {
            let why = why.unwrap_or_default();
            model.note = Some(format!("{}: {why}", command.name));
            Vec::new()
        }
    }
}

fn show(model: &mut Model, screen: ScreenKind) -> Vec<Effect> {
    model.scroll = 0;
    navigation::push(model, screen);
    Vec::new()
}

fn typing(model: &mut Model, kind: PromptKind, text: &str) -> Vec<Effect> {
    model.prompt = Some(Prompt::new(kind, text));
    Vec::new()
}

fn filter(model: &mut Model) -> Vec<Effect> {
    let text = match model.screen() {
        ScreenKind::Audit => model.audit.filter.clone(),
        _ => model.list.filter.clone(),
    };
    typing(model, PromptKind::Filter, &text)
}

fn open(model: &mut Model, rest: &str) -> Vec<Effect> {
    let key = if rest.is_empty() {
        model.target()
    } else {
        Some(rest.to_owned())
    };
    let Some(key) = key.filter(|key| model.shown().rows.contains_key(key)) else {
        model.note = Some(format!("no experiment {rest}"));
        return Vec::new();
    };
    model.data.detail = None;
    model.detail.key = Some(key);
    model.detail.lane = None;
    model.detail.scroll = 0;
    model.detail.failure = None;
    model
        .asked
        .retain(|_, asked| !matches!(asked, Asked::Detail { .. }));
    navigation::push(model, ScreenKind::Detail);
    ask_detail(model)
}

fn sort(model: &mut Model, rest: &str) -> Vec<Effect> {
    if rest.is_empty() {
        model.list.sort = model.list.sort.next();
        model.note = Some(format!("sorted by {}", model.list.sort.word()));
        return Vec::new();
    }
    let known = Sort::ALL.into_iter().find(|sort| sort.word() == rest);
    if let Some(sort) = known {
        model.list.sort = sort;
        return Vec::new();
    }
    let words: Vec<&str> = Sort::ALL.into_iter().map(Sort::word).collect();
    model.note = Some(format!("no column `{rest}`; use {}", words.join(" ")));
    Vec::new()
}

fn audit(model: &mut Model, rest: &str) -> Vec<Effect> {
    model.audit.key = if rest.is_empty() {
        (model.screen() == ScreenKind::Detail)
            .then(|| model.detail.key.clone())
            .flatten()
    } else {
        Some(rest.to_owned())
    };
    model.audit.selected = None;
    model.audit.failure = None;
    model.data.audit = None;
    navigation::push(model, ScreenKind::Audit);
    let query = AuditQuery {
        key: model.audit.key.clone(),
        before: None,
        limit: AUDIT_ROWS,
    };
    call(model, Asked::Audit, |_| Call::Audit(query))
}

/// One layer: an unread failure, then the filter, then the screen. Never quits.
fn back(model: &mut Model) -> Vec<Effect> {
    if model.read_failure() {
        return Vec::new();
    }
    match model.screen() {
        ScreenKind::List if !model.list.filter.is_empty() => prompt::set_filter(model, ""),
        ScreenKind::Audit if !model.audit.filter.is_empty() => prompt::set_filter(model, ""),
        ScreenKind::List => model.note = Some("this is the first screen; q quits".to_owned()),
        ScreenKind::Form => {
            navigation::pop(model);
            model.note = Some("the form is kept; n opens it again".to_owned());
        }
        _ => navigation::pop(model),
    }
    Vec::new()
}

fn last(model: &mut Model) -> Vec<Effect> {
    if let Some(screen) = model.last {
        if screen == ScreenKind::List {
            navigation::home(model);
        } else {
            navigation::push(model, screen);
        }
    }
    Vec::new()
}

fn freeze(model: &mut Model) -> Vec<Effect> {
    if model.frozen.take().is_none() {
        model.frozen = Some(Box::new(Frozen {
            at: model.daemon_now(),
            data: model.data.clone(),
            since_ms: model.now_ms,
            news: 0,
        }));
    }
    Vec::new()
}

fn json(model: &mut Model) -> Vec<Effect> {
    let twin = match model.screen() {
        ScreenKind::Detail => format!(
            "pitboss show {} --json",
            model.detail.key.as_deref().unwrap_or("KEY")
        ),
        ScreenKind::Audit => "pitboss audit --json".to_owned(),
        ScreenKind::Alerts => "pitboss alerts --all --json".to_owned(),
        ScreenKind::Plan => {
            let file = model
                .plan
                .as_ref()
                .map_or("FILE", |plan| &plan.request.file);
            format!("pitboss plan -f {file} --json")
        }
        _ => "pitboss ls --json".to_owned(),
    };
    model.note = Some(format!("in a shell: {twin}"));
    Vec::new()
}
