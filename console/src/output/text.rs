//! Text for people: lines of words with a role, coloured or not when they are printed.
//!
//! Every word comes from a file or from a daemon, so control characters are made visible here: a reason in
//! the audit log cannot drive the reader's terminal.

use std::fmt::Write as _;

use super::table::Table;

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
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    Line(Vec<Span>),
    Table(Table),
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
        self.blocks.is_empty()
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
        self.blocks.push(Block::Line(spans.into_iter().collect()));
        self
    }

    pub(super) fn table(&mut self, table: Table) {
        self.blocks.push(Block::Table(table));
    }

    /// Add an empty line.
    pub fn blank(&mut self) -> &mut Self {
        self.line([])
    }

    /// Add all lines of another text.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.blocks.extend(other.blocks);
        self
    }

    /// The text with line ends; blanks at the end of a line are cut.
    pub fn render(&self, colour: bool) -> String {
        self.render_within(None, colour)
    }

    /// The same for a terminal of so many columns, which would break words: sentences are broken at blanks, and tables
    /// leave out what they can spare.
    pub fn render_within(&self, width: Option<usize>, colour: bool) -> String {
        let mut out = String::new();
        for block in &self.blocks {
            let lines = match (block, width) {
                (Block::Line(line), None) => vec![line.clone()],
                (Block::Line(line), Some(width)) => sentence(line, width),
                (Block::Table(table), width) => table.lines(width),
            };
            for line in lines {
                let start = out.len();
                for span in &line {
                    span.render_into(&mut out, colour);
                }
                let kept = out[start..].trim_end().len();
                out.truncate(start + kept);
                out.push('\n');
            }
        }
        out
    }
}

/// What goes on of a sentence stands so much further right.
const HANG: usize = 2;

fn sentence(line: &[Span], width: usize) -> Vec<Vec<Span>> {
    let words = line.iter().flat_map(|span| span.words.chars());
    let lead = words.take_while(|c| *c == ' ').count();
    broken(line, width, lead + HANG)
}

/// The line in pieces of at most `width` columns, all but the first with `indent` blanks before them. A word without
/// room, such as a path, stays whole, so that it can be copied.
pub(super) fn broken(line: &[Span], width: usize, indent: usize) -> Vec<Vec<Span>> {
    if line.iter().map(Span::width).sum::<usize>() <= width {
        return vec![line.to_vec()];
    }
    let chars: Vec<(Role, char)> = line
        .iter()
        .flat_map(|span| span.words.chars().map(|c| (span.role, c)))
        .collect();
    let blank = |at: &usize| chars[*at].1 == ' ';
    let word_after = |at: usize| (at..chars.len()).find(|at| !blank(at));
    let mut pieces = Vec::new();
    let (mut start, mut before) = (0, 0);
    while let Some(word) = word_after(start) {
        let limit = start + width.saturating_sub(before);
        let end = if limit >= chars.len() {
            chars.len()
        } else {
            let fitting = (word + 1..=limit).rev().find(blank);
            let beyond = || (limit.max(word)..chars.len()).find(blank);
            fitting.or_else(beyond).unwrap_or(chars.len())
        };
        pieces.push(piece(before, &chars[start..end]));
        before = indent;
        start = word_after(end).unwrap_or(chars.len());
    }
    pieces
}

fn piece(indent: usize, chars: &[(Role, char)]) -> Vec<Span> {
    let mut spans = vec![plain(" ".repeat(indent))];
    for part in chars.chunk_by(|a, b| a.0 == b.0) {
        let words: String = part.iter().map(|(_, c)| c).collect();
        spans.push(Span::new(part[0].0, words));
    }
    spans
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

    #[test]
    fn sentences_are_broken_at_blanks_and_paths_stay_whole() {
        let mut text = Text::of("  one two three four");
        text.line([
            Span::new(Role::Warn, "note"),
            plain(": a/very/long/path it is"),
        ]);
        assert_eq!(
            text.render_within(Some(11), false),
            "  one two\n    three\n    four\nnote:\n  a/very/long/path\n  it is\n"
        );
        let mut text = Text::new();
        text.line([Span::new(Role::Bad, "not well"), plain(" at all")]);
        assert_eq!(
            text.render_within(Some(6), true),
            "\x1b[31mnot\x1b[0m\n  \x1b[31mwell\x1b[0m\n  at\n  all\n"
        );
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let text = Text::of("  exactly ten\n\nshort");
        assert_eq!(text.render_within(Some(13), false), text.render(false));
    }
}
