//! Reads one value of a file as what it should be, and says what is wrong with it where it stands.

use std::fmt::Display;
use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use crate::experiment::{Millis, Share};
use crate::spec::limits::{MAX_DURATION, MAX_LINE_BYTES};
use crate::spec::problem::Problems;
use crate::spec::reader::{Path, Reader};
use crate::spec::scalar::{finite, integer, percentage};
use crate::spec::suggest;

/// A value with its place in the file.
#[derive(Clone)]
pub(super) struct Slot<'a> {
    pub(super) problems: &'a Problems<'a>,
    pub(super) value: &'a Spanned<DeValue<'a>>,
    /// Where its key is, in bytes.
    pub(super) at: usize,
    pub(super) path: Path,
}

impl<'a> Slot<'a> {
    /// What is wrong with the value, said where the value stands.
    pub(super) fn problem(&self, what: impl AsRef<str>, fix: impl Into<String>) {
        self.problems.add(
            self.value.span().start,
            self.path.sentence(what.as_ref()),
            fix,
        );
    }

    /// What is wrong with the value, said where its key stands.
    pub(super) fn problem_named(&self, what: impl AsRef<str>, fix: impl Into<String>) {
        self.problems
            .add(self.at, self.path.sentence(what.as_ref()), fix);
    }

    /// What is wrong `lines` lines below the first line of the value.
    pub(super) fn problem_below(&self, lines: u32, what: &str, fix: impl Into<String>) {
        let span = self.value.span();
        let last = self
            .problems
            .line(span.end.saturating_sub(1).max(span.start));
        let line = (self.problems.line(span.start) + lines).min(last);
        self.problems
            .add_on_line(line, self.path.sentence(what), fix);
    }

    fn is_not(&self, wanted: &str, fix: &str) {
        self.problem(format!("is {}, not {wanted}", self.shown()), fix);
    }

    /// The value in a few words.
    fn shown(&self) -> String {
        match self.value.get_ref() {
            DeValue::String(text) => format!("\"{}\"", cut(text)),
            DeValue::Integer(number) => cut(&number.to_string()),
            DeValue::Float(number) => cut(number.as_str()),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(instant) => format!("the date {instant}"),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    /// Whether the value is a string with a line break right after its three opening quotes.
    pub(super) fn opens_with_line_break(&self) -> bool {
        let text = self.problems.text_at(self.value.span().start);
        ["\"\"\"", "'''"]
            .iter()
            .filter_map(|quotes| text.strip_prefix(quotes))
            .any(|rest| rest.starts_with(['\n', '\r']))
    }

    /// The value itself, for the few that take several forms.
    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// Where its key is, in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The line of the value.
    pub(super) fn line(&self) -> u32 {
        self.problems.line(self.value.span().start)
    }

    /// The same value, called `keys` inside its experiment.
    pub(super) fn inside(mut self, keys: String) -> Self {
        self.path.keys = keys;
        self
    }

    /// One line of text, not empty, of at most [`MAX_LINE_BYTES`].
    pub(super) fn line_of_text(&self) -> Option<String> {
        let text = self.text(MAX_LINE_BYTES)?;
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            self.problem(
                "is not one line of text",
                "write some text, without line breaks or other control characters",
            );
            return None;
        }
        Some(text)
    }

    /// Text of at most `limit` bytes.
    pub(super) fn text(&self, limit: usize) -> Option<String> {
        let DeValue::String(text) = self.value() else {
            self.is_not("text", "write it in quotes");
            return None;
        };
        if text.len() > limit {
            self.problem(
                format!("has {} bytes; at most {limit} fit", text.len()),
                "shorten it",
            );
            return None;
        }
        if text.contains('\0') {
            self.problem_nul();
            return None;
        }
        Some(text.as_ref().to_owned())
    }

    /// Says that a text holds what no database column can.
    pub(super) fn problem_nul(&self) {
        self.problem(
            "holds the character NUL, which cannot be stored",
            "remove `\\u0000`",
        );
    }

    /// Text of a type that knows what is wrong with a text.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, fix: &str) -> Option<T> {
        let DeValue::String(text) = self.value() else {
            self.is_not("text", fix);
            return None;
        };
        match text.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.problem(format!("{error}"), fix);
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let DeValue::String(text) = self.value() else {
            let fix = format!("write one of \"{}\"", words.join("\", \""));
            self.is_not("one of its words", &fix);
            return None;
        };
        let chosen = choices.iter().find(|(word, _)| *word == text.as_ref());
        if chosen.is_none() {
            self.problem(
                format!("does not know \"{}\"", cut(text)),
                suggest::fix_for(text, &words),
            );
        }
        chosen.map(|(_, choice)| *choice)
    }

    /// True or false.
    pub(super) fn flag(&self) -> Option<bool> {
        let flag = self.value().as_bool();
        if flag.is_none() {
            self.is_not("true or false", "write true or false, without quotes");
        }
        flag
    }

    /// A whole number of at least 0.
    pub(super) fn whole(&self) -> Option<u64> {
        let number = integer(self.value()).and_then(|number| u64::try_from(number).ok());
        if number.is_none() {
            self.is_not(
                "a whole number of at least 0",
                "write a whole number, without quotes",
            );
        }
        number
    }

    /// A whole number in a range.
    pub(super) fn whole_in(&self, least: u64, most: u64) -> Option<u64> {
        let number = self.whole()?;
        if (least..=most).contains(&number) {
            return Some(number);
        }
        self.problem(
            format!("is {number}, outside {least} to {most}"),
            format!("write a number from {least} to {most}"),
        );
        None
    }

    /// A finite number.
    pub(super) fn number(&self) -> Option<f64> {
        let number = finite(self.value());
        if number.is_none() {
            self.is_not("a number", "write a number, without quotes");
        }
        number
    }

    /// A number above 0.
    pub(super) fn positive(&self) -> Option<f64> {
        let number = self.number()?;
        if number > 0.0 {
            return Some(number);
        }
        self.problem(format!("is {number}"), "write a number above 0");
        None
    }

    /// A fraction: a number in `0..=1`, or a percentage in quotes.
    pub(super) fn share(&self) -> Option<Share> {
        const FIX: &str = "write a number from 0 to 1, or a percentage in quotes such as \"50%\"";
        let fraction = match self.value() {
            DeValue::String(text) => percentage(text),
            other => finite(other),
        };
        let share = fraction.and_then(|fraction| Share::new(fraction).ok());
        if share.is_some() {
            return share;
        }
        let plain = finite(self.value());
        match plain.filter(|number| (1.0..=100.0).contains(number)) {
            Some(percent) => self.is_not(
                "a share",
                &format!("write \"{percent}%\" if you mean percent, or a number from 0 to 1"),
            ),
            None => self.is_not("a share", FIX),
        }
        None
    }

    /// A length of time in text, of at most ten years.
    pub(super) fn duration(&self) -> Option<Millis> {
        self.duration_up_to(MAX_DURATION)
    }

    /// A length of time in text.
    pub(super) fn duration_up_to(&self, most: Millis) -> Option<Millis> {
        const FIX: &str =
            "write it in quotes with ms, s, m, h or d, such as \"90s\", \"24h\" or \"1h 30m\"";
        let length = match self.value() {
            DeValue::String(text) => text.parse::<Millis>().ok(),
            _ => None,
        };
        let Some(length) = length else {
            self.is_not("a length of time", FIX);
            return None;
        };
        if length > most {
            self.problem(format!("is {length}, longer than {most}"), "shorten it");
            return None;
        }
        Some(length)
    }

    /// A table.
    pub(super) fn table(&self, fix: &str) -> Option<Reader<'a>> {
        let DeValue::Table(table) = self.value() else {
            self.is_not("a section", fix);
            return None;
        };
        Some(Reader {
            problems: self.problems,
            table,
            at: self.table_start(),
            path: self.path.clone(),
        })
    }

    /// A section written with dotted keys has no header: its span may begin before its key.
    fn table_start(&self) -> usize {
        self.value.span().start
    }

    /// A list; its items are called like the list.
    pub(super) fn list(&self, fix: &str) -> Option<Vec<Slot<'a>>> {
        let DeValue::Array(list) = self.value() else {
            self.is_not("a list", fix);
            return None;
        };
        Some(self.items(list))
    }

    fn items(&self, list: &'a toml::de::DeArray<'a>) -> Vec<Slot<'a>> {
        list.iter()
            .map(|value| Slot {
                problems: self.problems,
                value,
                at: value.span().start,
                path: self.path.clone(),
            })
            .collect()
    }

    /// A list, or a single value as a list of one.
    pub(super) fn one_or_more(&self) -> Vec<Slot<'a>> {
        match self.value() {
            DeValue::Array(list) => self.items(list),
            _ => vec![self.clone()],
        }
    }

    /// A list of sections.
    pub(super) fn list_of_tables(&self, fix: &str) -> Option<Vec<Reader<'a>>> {
        let items = self.list(fix)?;
        Some(items.iter().filter_map(|item| item.table(fix)).collect())
    }
}

/// At most 40 characters of a text.
fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}
