//! One line of text being typed, with its cursor.

use serde::{Deserialize, Serialize};

use crate::keymap::{Code, Key};

/// Longest line, in characters: a reason or a path, not a document.
const MAX_CHARS: usize = 500;

/// A line and the place of the cursor in it, counted in characters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TextField {
    text: String,
    cursor: usize,
}

impl TextField {
    /// A field with a text, the cursor behind it.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let cursor = text.chars().count();
        Self { text, cursor }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Characters before the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Whether nothing but blanks is in it.
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Put a text in, the cursor behind it.
    pub fn set(&mut self, text: impl Into<String>) {
        *self = Self::new(text);
    }

    /// Insert at the cursor; control characters are left out, and what is too long is cut.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.text.chars().count() >= MAX_CHARS {
                return;
            }
            let at = self.byte(self.cursor);
            self.text.insert(at, c);
            self.cursor += 1;
        }
    }

    /// Edit by a key; `false` if the key does not edit.
    pub fn edit(&mut self, key: Key) -> bool {
        if let Some(c) = key.typed() {
            self.insert(c.encode_utf8(&mut [0; 4]));
            return true;
        }
        let end = self.text.chars().count();
        match (key.code, key.ctrl) {
            (Code::Backspace, false) => self.delete_before(),
            (Code::Delete, _) => self.delete_at(),
            (Code::Left, _) => self.cursor = self.cursor.saturating_sub(1),
            (Code::Right, _) => self.cursor = (self.cursor + 1).min(end),
            (Code::Home, _) | (Code::Char('a'), true) => self.cursor = 0,
            (Code::End, _) | (Code::Char('e'), true) => self.cursor = end,
            (Code::Char('u'), true) => {
                self.text = self.text.split_off(self.byte(self.cursor));
                self.cursor = 0;
            }
            (Code::Char('k'), true) => self.text.truncate(self.byte(self.cursor)),
            (Code::Char('w') | Code::Backspace, true) => self.delete_word(),
            _ => return false,
        }
        true
    }

    fn delete_before(&mut self) {
        if self.cursor > 0 {
            self.cursor -= 1;
            self.delete_at();
        }
    }

    fn delete_at(&mut self) {
        let at = self.byte(self.cursor);
        if at < self.text.len() {
            self.text.remove(at);
        }
    }

    fn delete_word(&mut self) {
        let before: Vec<char> = self.text.chars().take(self.cursor).collect();
        let kept = before
            .iter()
            .rposition(|c| !c.is_whitespace())
            .and_then(|last| before[..last].iter().rposition(|c| c.is_whitespace()))
            .map_or(0, |space| space + 1);
        while self.cursor > kept {
            self.delete_before();
        }
    }

    /// The byte at which a character begins.
    fn byte(&self, chars: usize) -> usize {
        self.text
            .char_indices()
            .nth(chars)
            .map_or(self.text.len(), |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(field: &mut TextField, keys: &str) {
        for key in keys.split(' ') {
            field.edit(key.parse().expect("a key"));
        }
    }

    #[test]
    fn words_and_letters_outside_ascii_can_be_edited() {
        let mut field = TextField::new("größe ändern");
        press(&mut field, "ctrl-w");
        assert_eq!(field.text(), "größe ");
        press(&mut field, "left left backspace X");
        assert_eq!(field.text(), "gröXe ");
        press(&mut field, "ctrl-u");
        assert_eq!((field.text(), field.cursor()), ("e ", 0));
    }

    #[test]
    fn pasted_control_characters_are_left_out() {
        let mut field = TextField::default();
        field.insert("a\u{1b}[2Jb\n");
        assert_eq!(field.text(), "a[2Jb");
    }
}
