//! Text for people: lines of words with a role, coloured or not when they are printed.
//!
//! Every word comes from a file or from a daemon, so control characters are made visible here: a reason in
//! the audit log cannot drive the reader's terminal.

use std::fmt::Write as _;

/// What a word means; colour only repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Nothing special.
    #[default]
    Plain,
    /// A heading.
    Strong,
    /// Less important.
    Dim,
    /// Added, or well.
    Good,
    /// Changed, or deserves a look.
    Warn,
    /// Stopped, failed or irreversible.
    Bad,
}

impl Role {
    /// The attribute that starts it; the reset ends it.
    fn start(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Warn => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }
}

/// Words of one role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    role: Role,
    words: String,
}

impl Span {
    /// `words`, made harmless: control characters become a visible sign.
    pub fn new(role: Role, words: impl AsRef<str>) -> Self {
        let words = words
            .as_ref()
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        Self { role, words }
    }

    /// Characters, which is also the width for the Latin text that names and figures are.
    pub fn width(&self) -> usize {
        self.words.chars().count()
    }

    fn render_into(&self, out: &mut String, colour: bool) {
        let start = self.role.start();
        if !colour || start.is_empty() || self.words.trim().is_empty() {
            out.push_str(&self.words);
            return;
        }
        let _ = write!(out, "{start}{}\x1b[0m", self.words);
    }
}

/// Plain words.
pub fn plain(words: impl AsRef<str>) -> Span {
    Span::new(Role::Plain, words)
}

/// Lines of words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    lines: Vec<Vec<Span>>,
}

impl Text {
    /// No line yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One plain line, or several.
    pub fn of(words: impl AsRef<str>) -> Self {
        let mut text = Self::new();
        text.say(words);
        text
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Add plain words; a line end in them starts another line.
    pub fn say(&mut self, words: impl AsRef<str>) -> &mut Self {
        for line in words.as_ref().split('\n') {
            self.line([plain(line)]);
        }
        self
    }

    /// Add one line.
    pub fn line(&mut self, spans: impl IntoIterator<Item = Span>) -> &mut Self {
        self.lines.push(spans.into_iter().collect());
        self
    }

    /// Add an empty line.
    pub fn blank(&mut self) -> &mut Self {
        self.line([])
    }

    /// Add all lines of another text.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.lines.extend(other.lines);
        self
    }

    /// The text with line ends; blanks at the end of a line are cut.
    pub fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for line in &self.lines {
            let start = out.len();
            for span in line {
                span.render_into(&mut out, colour);
            }
            let kept = out[start..].trim_end().len();
            out.truncate(start + kept);
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_cannot_drive_the_terminal() {
        let text = Text::of("ok\x1b]0;owned\x07\rgone");
        assert!(!text.render(true).contains(['\x1b', '\x07', '\r']));
    }

    #[test]
    fn colour_only_adds_attributes() {
        let mut text = Text::new();
        text.line([Span::new(Role::Bad, "STOP"), plain(" pricing  ")]);
        assert_eq!(text.render(false), "STOP pricing\n");
        assert_eq!(text.render(true), "\x1b[31mSTOP\x1b[0m pricing\n");
    }
}
