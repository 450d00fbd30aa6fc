//! Reads one table of a file: which keys are there, which are not known, and what is wrong with it as a whole.

use toml::de::DeTable;

use crate::spec::problem::Problems;
use crate::spec::slot::Slot;
use crate::spec::{suggest, text};

/// A table with its place in the file.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    pub(super) problems: &'a Problems<'a>,
    pub(super) table: &'a DeTable<'a>,
    /// Where its header or opening brace is, in bytes.
    pub(super) at: usize,
    pub(super) path: Path,
}

/// Which experiment, and which key of it: the beginning of every message.
#[derive(Clone, Default)]
pub(super) struct Path {
    subject: String,
    pub(super) keys: String,
}

impl Path {
    fn key(&self, key: &str) -> Self {
        let key = text::key(key);
        let keys = if self.keys.is_empty() {
            key
        } else {
            format!("{}.{key}", self.keys)
        };
        Self {
            subject: self.subject.clone(),
            keys,
        }
    }

    fn unknown_key(&self, word: &str) -> String {
        let Self { subject, keys } = self;
        let separator = if subject.is_empty() { "" } else { ": " };
        let place = if keys.is_empty() { "" } else { " in " };
        format!("{subject}{separator}unknown key `{word}`{place}{keys}")
    }

    pub(super) fn sentence(&self, what: &str) -> String {
        let separator = if self.subject.is_empty() { "" } else { ": " };
        let space = if self.keys.is_empty() { "" } else { " " };
        let Self { subject, keys } = self;
        format!("{subject}{separator}{keys}{space}{what}")
    }
}

impl<'a> Reader<'a> {
    /// The whole file.
    pub(super) fn top(problems: &'a Problems<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            problems,
            table,
            at: 0,
            path: Path::default(),
        }
    }

    /// The same table, called `subject` in messages, such as `experiment "checkout"`.
    pub(super) fn called(mut self, subject: String) -> Self {
        self.path = Path {
            subject,
            keys: String::new(),
        };
        self
    }

    /// The same table, called `keys` inside its experiment, such as `arm "blue"`.
    pub(super) fn inside(mut self, keys: String) -> Self {
        self.path.keys = keys;
        self
    }

    /// Says which keys are not among `known`, and what they may have been meant to be.
    pub(super) fn only(&self, known: &[&str]) {
        for key in self.table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                self.unknown_key(key.get_ref(), key.span().start, known);
            }
        }
    }

    /// Says that a key is not among `known`.
    pub(super) fn unknown_key(&self, word: &str, at: usize, known: &[&str]) {
        self.problems.add(
            at,
            self.path.unknown_key(word),
            suggest::fix_for(word, known),
        );
    }

    /// The value of a key, if there is one.
    pub(super) fn slot(&self, key: &str) -> Option<Slot<'a>> {
        let (name, value) = self.table.get_key_value(key)?;
        Some(Slot {
            problems: self.problems,
            value,
            at: name.span().start,
            path: self.path.key(key),
        })
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str, fix: &str) -> Option<Slot<'a>> {
        let slot = self.slot(key);
        if slot.is_none() {
            self.problem(format!("has no `{key}`"), fix);
        }
        slot
    }

    /// The value of a key that has two spellings; both at once are a problem.
    pub(super) fn either(&self, one: &str, other: &str) -> Option<Slot<'a>> {
        let (first, second) = (self.slot(one), self.slot(other));
        if let (Some(_), Some(second)) = (&first, &second) {
            second.problem_named(
                format!("is declared beside `{one}`"),
                format!("put everything under `{one}`"),
            );
        }
        first.or(second)
    }

    /// Every key with its value, in the order of the file.
    pub(super) fn slots(&self) -> Vec<(&'a str, Slot<'a>)> {
        let mut slots: Vec<_> = self
            .table
            .iter()
            .map(|(name, value)| {
                let word: &'a str = name.get_ref().as_ref();
                let slot = Slot {
                    problems: self.problems,
                    value,
                    at: name.span().start,
                    path: self.path.key(word),
                };
                (word, slot)
            })
            .collect();
        slots.sort_by_key(|(_, slot)| slot.at);
        slots
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether there are no keys at all.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The line of the table's header or opening brace.
    pub(super) fn line(&self) -> u32 {
        self.problems.line(self.at)
    }

    /// What is wrong with the table as a whole.
    pub(super) fn problem(&self, what: impl AsRef<str>, fix: impl Into<String>) {
        self.problems
            .add(self.at, self.path.sentence(what.as_ref()), fix);
    }

    /// The collector of problems, to ask whether there are any.
    pub(super) fn problems(&self) -> &'a Problems<'a> {
        self.problems
    }
}
