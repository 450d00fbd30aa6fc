//! What is wrong with a file: where, what, and what to do about it.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::limits::MAX_PROBLEMS;

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file's name, as given.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong, on which experiment and key.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            message,
            fix,
        } = self;
        write!(f, "{file}:{line}: {message}; {fix}")
    }
}

/// Collects problems while a file is read.
pub(super) struct Problems<'t> {
    file: String,
    text: &'t str,
    /// Byte offset of each line's start.
    line_starts: Vec<usize>,
    /// Where the part of the file that is being read begins, in bytes.
    offset: Cell<usize>,
    found: RefCell<Vec<Problem>>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(file: &str, text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            file: file.to_owned(),
            text,
            line_starts: std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .collect(),
            offset: Cell::new(0),
            found: RefCell::default(),
        }
    }

    /// Offsets of what is read from here on count from `offset`.
    pub(super) fn start_part(&self, offset: usize) {
        self.offset.set(offset);
    }

    /// The line, from 1, of a byte offset into the part being read.
    pub(super) fn line(&self, at: usize) -> u32 {
        let at = at + self.offset.get();
        let line = self.line_starts.partition_point(|start| *start <= at);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// The text from a byte offset into the part being read.
    pub(super) fn text_at(&self, at: usize) -> &'t str {
        self.text.get(at + self.offset.get()..).unwrap_or_default()
    }

    /// Adds a problem at a byte offset into the part being read.
    pub(super) fn add(&self, at: usize, message: String, fix: impl Into<String>) {
        self.add_on_line(self.line(at), message, fix);
    }

    /// Adds a problem on a line of the file.
    pub(super) fn add_on_line(&self, line: u32, message: String, fix: impl Into<String>) {
        self.found.borrow_mut().push(Problem {
            file: self.file.clone(),
            line,
            message,
            fix: fix.into(),
        });
    }

    /// Whether something is wrong with a line already.
    pub(super) fn has_line(&self, line: u32) -> bool {
        self.found
            .borrow()
            .iter()
            .any(|problem| problem.line == line)
    }

    /// How many there are so far.
    pub(super) fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// The problems in the order of the file; the ones over the limit become one sentence.
    pub(super) fn into_sorted(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|problem| problem.line);
        found.dedup();
        let over = found.len().saturating_sub(MAX_PROBLEMS);
        found.truncate(MAX_PROBLEMS);
        if over > 0
            && let Some(last) = found.last().cloned()
        {
            found.push(Problem {
                message: format!("{over} more problems after this line"),
                fix: "correct the ones above and check again".to_owned(),
                ..last
            });
        }
        found
    }

    /// `value`, if nothing is wrong.
    pub(super) fn into_result<T>(self, value: T) -> Result<T, Vec<Problem>> {
        let found = self.into_sorted();
        if found.is_empty() {
            return Ok(value);
        }
        Err(found)
    }
}
