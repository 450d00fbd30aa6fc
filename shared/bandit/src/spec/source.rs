//! From text to TOML tables: errors of TOML itself in words, and as much of a broken file as can still be read.

use toml::de::{DeTable, Error};

use crate::spec::problem::Problems;

/// The text of a file.
pub(super) struct Source<'t> {
    text: &'t str,
}

/// A part of a file that can be read as TOML: the whole of a good one.
pub(super) struct Part<'t> {
    /// Where it begins, in bytes.
    pub offset: usize,
    /// Its keys and values.
    pub table: DeTable<'t>,
}

/// The header that begins an experiment, and a part of a broken file.
const HEADER: &str = "[[experiment]]";

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text }
    }

    /// The parts that can be read; errors of TOML go to `problems`.
    ///
    /// A forgotten bracket derails the parser until the end of the file. So a broken file is cut at its
    /// `[[experiment]]` headers and the pieces are read alone: the good ones are still checked.
    pub(super) fn parts(&self, problems: &Problems<'_>) -> Vec<Part<'t>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        if errors.iter().all(leaves_the_rest_readable) {
            report(problems, self.text, &errors);
            return vec![Part {
                offset: 0,
                table: table.into_inner(),
            }];
        }
        let before = problems.count();
        let parts = self.read_pieces(problems);
        if problems.count() == before {
            // Each piece is fine alone, so the error is in how they follow each other.
            problems.start_part(0);
            report(problems, self.text, &errors);
        }
        parts
    }

    fn read_pieces(&self, problems: &Problems<'_>) -> Vec<Part<'t>> {
        let starts = self.piece_starts();
        let ends = starts.iter().skip(1).copied().chain([self.text.len()]);
        let mut parts = Vec::new();
        for (&offset, end) in starts.iter().zip(ends) {
            let piece = &self.text[offset..end];
            let (table, errors) = DeTable::parse_recoverable(piece);
            problems.start_part(offset);
            report(problems, piece, &errors);
            if errors.iter().all(leaves_the_rest_readable) {
                parts.push(Part {
                    offset,
                    table: table.into_inner(),
                });
            }
        }
        parts
    }

    fn piece_starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        let mut at = 0;
        for line in self.text.split_inclusive('\n') {
            if at > 0 && line.trim_start().starts_with(HEADER) {
                starts.push(at);
            }
            at += line.len();
        }
        starts
    }
}

/// Whether the parser lost no more than one value.
fn leaves_the_rest_readable(error: &Error) -> bool {
    error.message().starts_with(UNQUOTED) || error.message().starts_with(DUPLICATE)
}

const UNQUOTED: &str = "string values must be quoted";
const DUPLICATE: &str = "duplicate key";
/// One string, number or key that is not well formed: another such error is another mistake.
const MALFORMED: &str = "invalid";

/// Adds the errors of one piece. After a bracket, comma or equals sign that is missing, the parser stumbles over what
/// follows: only the first such error is the cause, the others are its echo.
fn report(problems: &Problems<'_>, piece: &str, errors: &[Error]) {
    let mut derailed = false;
    for error in errors {
        let line = problems.line(error.span().map_or(0, |span| span.start));
        let derails = !leaves_the_rest_readable(error) && !error.message().starts_with(MALFORMED);
        let echo = derailed && (derails || is_a_key(piece, error));
        derailed |= derails;
        if !echo && !problems.has_line(line) {
            let (what, fix) = in_words(piece, error);
            problems.add_on_line(line, what, fix);
        }
    }
}

/// Whether what should be a value is the key of the next line, read as an element of a list that was never closed.
fn is_a_key(piece: &str, error: &Error) -> bool {
    let end = error.span().map_or(0, |span| span.end);
    let rest = piece.get(end..).unwrap_or_default();
    error.message().starts_with(UNQUOTED) && rest.trim_start_matches([' ', '\t']).starts_with('=')
}

fn in_words(piece: &str, error: &Error) -> (String, String) {
    let span = error.span().unwrap_or_default();
    let text = piece.get(span).unwrap_or_default();
    let shown: String = text.chars().take(40).collect();
    if error.message().starts_with(UNQUOTED) {
        return (
            format!("`{shown}` is neither a number nor true or false, and text needs quotes"),
            format!("write \"{shown}\""),
        );
    }
    if error.message().starts_with(DUPLICATE) {
        return (
            format!("`{shown}` is declared twice in this section"),
            "keep one of the two".to_owned(),
        );
    }
    (
        format!("not TOML: {}", error.message()),
        "look for a bracket, quote, comma or equals sign that is missing on this line or the one before"
            .to_owned(),
    )
}
