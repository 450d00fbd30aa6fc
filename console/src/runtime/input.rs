//! Keys, pasted text and sizes from the terminal, and files named by the operator.

use std::io;
use std::path::{Path, PathBuf};

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures::StreamExt as _;

use crate::keymap::{Code, Key};
use crate::msg::Msg;

/// 1 MiB: what the daemon takes in one frame, and more than 100 experiments.
const MOST_BYTES: u64 = 1 << 20;

/// The terminal's events.
pub(super) struct Input {
    events: EventStream,
}

impl Input {
    pub(super) fn new() -> Self {
        Self {
            events: EventStream::new(),
        }
    }

    /// The next message; `None` when the terminal is gone. Cancel-safe: an event is taken or not.
    pub(super) async fn next(&mut self) -> io::Result<Option<Msg>> {
        while let Some(event) = self.events.next().await {
            if let Some(msg) = message(event?) {
                return Ok(Some(msg));
            }
        }
        Ok(None)
    }
}

fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(event) if event.kind != KeyEventKind::Release => key(event).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize { width, height }),
        _ => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    let code = match event.code {
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => Code::BackTab,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(n) => Code::F(n),
        _ => return None,
    };
    Some(Key {
        code,
        ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
        alt: event.modifiers.contains(KeyModifiers::ALT),
    })
}

/// Read a file to be planned; `~/` is the home directory.
pub(super) async fn read_file(path: &str, home: Option<&Path>) -> Result<String, String> {
    let path = match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    };
    let size = tokio::fs::metadata(&path)
        .await
        .map_err(|error| in_words(&error))?;
    if !size.is_file() {
        return Err("it is not a file".to_owned());
    }
    if size.len() > MOST_BYTES {
        return Err(format!("it is longer than {MOST_BYTES} bytes; split it"));
    }
    tokio::fs::read_to_string(&path)
        .await
        .map_err(|error| in_words(&error))
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read by you".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}
