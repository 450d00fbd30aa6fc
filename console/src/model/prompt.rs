//! The line at the bottom while something is typed into it.

use bandit::experiment::ArmVerb;
use protocol::experiments::Row;
use serde::{Deserialize, Serialize};

use super::Model;
use super::field::TextField;
use super::reading::{EVERY_HOLD, arms_for};
use crate::command::{self, Argument};

/// What is being typed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// What for.
    pub kind: PromptKind,
    /// The text.
    pub field: TextField,
    /// Which completion is chosen, if one is.
    pub chosen: Option<usize>,
    /// What the field held before, for esc.
    pub before: String,
    /// How far back in the history.
    pub back: usize,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptKind {
    /// A command.
    Command,
    /// The filter of the list or of the audit log.
    Filter,
    /// The path of a file to plan.
    Path,
}

/// One proposal of completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The whole line after it is taken.
    pub line: String,
    /// Its name.
    pub name: String,
    /// The key that does the same.
    pub key: String,
    /// What it does.
    pub doc: String,
}

impl Prompt {
    /// An empty line, or one that holds `text`.
    pub fn new(kind: PromptKind, text: &str) -> Self {
        Self {
            kind,
            field: TextField::new(text),
            chosen: None,
            before: text.to_owned(),
            back: 0,
        }
    }

    /// The sign in front of it.
    pub fn sign(&self) -> &'static str {
        match self.kind {
            PromptKind::Command => ":",
            PromptKind::Filter => "/",
            PromptKind::Path => "plan file: ",
        }
    }

    /// What the text could become.
    pub fn completions(&self, model: &Model) -> Vec<Completion> {
        if self.kind != PromptKind::Command {
            return Vec::new();
        }
        match self.before_choice().split_once(' ') {
            None => commands(self.before_choice()),
            Some((name, rest)) => arguments(model, name, rest),
        }
    }

    /// What was typed, without the completion that is shown for it.
    fn before_choice(&self) -> &str {
        if self.chosen.is_some() {
            return &self.before;
        }
        self.field.text()
    }
}

fn commands(typed: &str) -> Vec<Completion> {
    command::complete(typed)
        .into_iter()
        .map(|command| {
            let space = if command.argument == Argument::None {
                ""
            } else {
                " "
            };
            Completion {
                line: format!("{}{space}", command.name),
                name: command.name.to_owned(),
                key: command.key().unwrap_or("").to_owned(),
                doc: command.doc.to_owned(),
            }
        })
        .collect()
}

fn arguments(model: &Model, name: &str, rest: &str) -> Vec<Completion> {
    let argument = command::by_name(name).map_or(Argument::None, |found| found.argument);
    match (argument, rest.split_once(' ')) {
        (Argument::Experiment | Argument::Arm(_), None) => experiments(model, name, rest),
        (Argument::Arm(verb), Some((key, arm))) if !arm.contains(' ') => {
            let row = model.data.rows.get(key);
            row.map_or_else(Vec::new, |row| arms(row, verb, arm))
        }
        _ => Vec::new(),
    }
}

fn arms(row: &Row, verb: ArmVerb, typed: &str) -> Vec<Completion> {
    let names = arms_for(row, verb).into_iter();
    names
        .filter(|name| name.contains(typed))
        .map(|name| Completion {
            line: format!("{} {} {name} ", verb.as_str(), row.key),
            name: name.to_owned(),
            key: String::new(),
            doc: match name {
                EVERY_HOLD => "every hold".to_owned(),
                _ => "arm".to_owned(),
            },
        })
        .collect()
}

fn experiments(model: &Model, name: &str, rest: &str) -> Vec<Completion> {
    let rows = model.data.rows.values();
    rows.filter(|row| row.key.contains(rest))
        .map(|row| Completion {
            line: format!("{name} {} ", row.key),
            name: row.key.clone(),
            key: String::new(),
            doc: row.state.clone(),
        })
        .collect()
}
