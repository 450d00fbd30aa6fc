//! Keys as plain data, how they are written, and which command a key stands for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::command::{self, Command};
use crate::model::ScreenKind;

/// One press of a key. Shift is in the character: `G` is not `g`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// With control.
    pub ctrl: bool,
    /// With alt.
    pub alt: bool,
}

/// A key without its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A character.
    Char(char),
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Shift and tab.
    BackTab,
    /// Delete to the left.
    Backspace,
    /// Delete to the right.
    Delete,
    /// Arrow.
    Left,
    /// Arrow.
    Right,
    /// Arrow.
    Up,
    /// Arrow.
    Down,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// A function key.
    F(u8),
}

/// How the keys that are no characters are written.
const NAMES: [(&str, Code); 16] = [
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("backtab", Code::BackTab),
    ("backspace", Code::Backspace),
    ("delete", Code::Delete),
    ("left", Code::Left),
    ("right", Code::Right),
    ("up", Code::Up),
    ("down", Code::Down),
    ("home", Code::Home),
    ("end", Code::End),
    ("pgup", Code::PageUp),
    ("pgdn", Code::PageDown),
    ("space", Code::Char(' ')),
    ("f1", Code::F(1)),
];

impl Key {
    /// A key without modifiers.
    pub const fn plain(code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
        }
    }

    /// The character it types into a field, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// Whether it is control and this character.
    pub fn is_ctrl(self, c: char) -> bool {
        self.ctrl && self.code == Code::Char(c)
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ctrl, rest) = strip(text, "ctrl-");
        let (alt, rest) = strip(rest, "alt-");
        let named = NAMES.iter().find(|(name, _)| *name == rest);
        let mut chars = rest.chars();
        let code = match (named, chars.next(), chars.next()) {
            (Some((_, code)), ..) => *code,
            (None, Some(c), None) => Code::Char(c),
            _ => return Err(format!("`{text}` is not a key")),
        };
        Ok(Self { code, ctrl, alt })
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> (bool, &'a str) {
    match text.strip_prefix(prefix) {
        Some(rest) if !rest.is_empty() => (true, rest),
        _ => (false, text),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        if let Some((name, _)) = NAMES.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            Code::Char(c) => write!(f, "{c}"),
            Code::F(n) => write!(f, "f{n}"),
            _ => Ok(()),
        }
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        key.to_string()
    }
}

/// What a key means after the keys before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Meaning {
    /// This command.
    Command(&'static Command),
    /// The beginning of a chord.
    Prefix,
    /// Nothing here.
    Nothing,
}

/// What `key` means on a screen, after the chord begun by `before`.
pub fn meaning(screen: ScreenKind, before: Option<Key>, key: Key) -> Meaning {
    let pressed: Vec<String> = before
        .iter()
        .chain([&key])
        .map(ToString::to_string)
        .collect();
    let pressed = pressed.join(" ");
    let mut prefix = false;
    for command in command::on(screen) {
        for keys in command.keys {
            if *keys == pressed {
                return Meaning::Command(command);
            }
            prefix |= keys
                .strip_prefix(pressed.as_str())
                .is_some_and(|rest| rest.starts_with(' '));
        }
    }
    if prefix {
        return Meaning::Prefix;
    }
    Meaning::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_through_their_names() {
        for text in [
            "a", "G", "ctrl-r", "enter", "space", "backtab", "alt-x", "-", ":",
        ] {
            let key: Key = text.parse().expect("a key");
            assert_eq!(key.to_string(), text);
        }
        assert!("ctrl".parse::<Key>().is_err());
    }
}
