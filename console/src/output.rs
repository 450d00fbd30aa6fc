//! The only place that prints: text for people, JSON for scripts, questions on the terminal.
//!
//! Answers go to standard output; questions, progress and errors go to standard error, so that a pipe
//! carries nothing but the answer. A reader that goes away (`| head`) ends the command quietly.

mod json;
mod table;
mod text;

use std::io::{self, BufRead as _, IsTerminal as _, Write};

pub use json::{SCHEMA, versioned};
pub use table::{Align, Table};
pub use text::{Role, Span, Text, plain};

/// What a command answers, in both forms.
#[derive(Debug)]
pub struct Answer {
    /// For people.
    pub text: Text,
    /// For scripts; carries `"schema"`.
    pub json: serde_json::Value,
}

/// The two forms an answer is printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For scripts: one JSON value.
    Json,
}

impl Form {
    /// What `--json` asks for.
    pub fn from_flag(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// Print an answer on standard output.
pub fn answer(answer: &Answer, form: Form) -> io::Result<()> {
    match form {
        Form::Text => text(&answer.text),
        Form::Json => raw(&json::pretty(&answer.json)),
    }
}

/// Print text for people on standard output.
pub fn text(text: &Text) -> io::Result<()> {
    raw(&render(text, io::stdout().is_terminal()))
}

/// Print one line of JSON on standard output: a stream for scripts.
pub fn json_line(value: &serde_json::Value) -> io::Result<()> {
    raw(&format!("{value}\n"))
}

/// Print as it is: JSON, completions, TOML.
pub fn raw(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Print on standard error: errors, warnings, progress, what a question is about.
pub fn aside(text: &Text) {
    let text = render(text, io::stderr().is_terminal());
    // Nothing can be said about a standard error that is gone.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Coloured and as wide as the terminal; a pipe gets whole lines.
fn render(text: &Text, terminal: bool) -> String {
    if !terminal {
        return text.render(false);
    }
    let size = crossterm::terminal::size().ok();
    // Terminals that do not know their width say 0.
    let width = size.map(|(columns, _)| usize::from(columns));
    text.render_within(width.filter(|width| *width > 0), !no_colour())
}

/// Whether there is a person to ask: questions are shown on standard error and answered on standard input.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether standard output is a terminal, which the full-screen console needs.
pub fn has_screen() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Ask, and wait for one line; its ends are trimmed. An ended input is an empty answer.
pub fn ask(question: &str) -> io::Result<String> {
    let mut err = io::stderr().lock();
    err.write_all(question.as_bytes())?;
    err.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// <https://no-color.org>: any value but the empty one means no colour.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads how the terminal wants to be written to"
)]
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
