//! The filter language: words and fields, all of which must hold; errors say where and what instead.
//!
//! `checkout state:running p>0.9 not owner:growth`

use protocol::experiments::Row;

use super::reading;

/// Fields and what they take, for help and for errors.
pub const FIELDS: [(&str, &str); 9] = [
    (
        "state:",
        "draft running paused stopped rolled_back archived",
    ),
    ("guard:", "ok warn breach unknown n/a none"),
    ("policy:", "part of the policy's name"),
    ("owner:", "part of the owner"),
    ("arm:", "part of an arm's name"),
    ("hold:", "part of a hold, such as stop"),
    ("p>", "P(best) of the leader, such as p>0.9"),
    ("dec>", "decisions a second, such as dec<1"),
    ("not", "before a word: turns it round"),
];

/// The states an experiment can be in, as the daemon writes them.
pub const STATES: [&str; 6] = [
    "draft",
    "running",
    "paused",
    "stopped",
    "rolled_back",
    "archived",
];

const GUARDS: [&str; 6] = ["ok", "warn", "breach", "unknown", "n/a", "none"];

/// A filter that was understood.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    terms: Vec<(bool, Term)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Term {
    Word(String),
    State(String),
    Guard(String),
    Policy(String),
    Owner(String),
    Arm(String),
    Hold(String),
    Number(Measure, Ordering, f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Measure {
    PBest,
    Decisions,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ordering {
    Above,
    Below,
}

/// A filter that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Characters before the part that is wrong.
    pub at: usize,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl Filter {
    /// Understand a text. Empty shows everything; what is not understood is left out, and the first such part
    /// is returned beside what was understood.
    pub fn parse(text: &str) -> (Self, Option<FilterError>) {
        let mut terms = Vec::new();
        let mut error = None;
        let mut keep = true;
        for (at, word) in words(text) {
            if word == "not" {
                keep = !keep;
                continue;
            }
            let (sign, word, at) = match word.strip_prefix('!') {
                Some(rest) => (!keep, rest, at + 1),
                None => (keep, word, at),
            };
            match term(word) {
                Ok(term) => terms.push((sign, term)),
                Err(message) => {
                    error.get_or_insert(FilterError { at, message });
                }
            }
            keep = true;
        }
        (Self { terms }, error)
    }

    /// Whether a row is shown.
    pub fn shows(&self, row: &Row) -> bool {
        self.terms
            .iter()
            .all(|(wanted, term)| term.holds(row) == *wanted)
    }
}

/// Words with the number of characters before them.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_whitespace().map(move |word| {
        let bytes = word.as_ptr() as usize - text.as_ptr() as usize;
        (text[..bytes].chars().count(), word)
    })
}

fn term(word: &str) -> Result<Term, String> {
    if let Some((name, value)) = word.split_once(':') {
        return field(name, &value.to_lowercase());
    }
    for (sign, ordering) in [('>', Ordering::Above), ('<', Ordering::Below)] {
        if let Some((name, value)) = word.split_once(sign) {
            return number(name, value, sign, ordering);
        }
    }
    Ok(Term::Word(word.to_lowercase()))
}

fn field(name: &str, value: &str) -> Result<Term, String> {
    let value = value.to_owned();
    match name {
        "state" => one_of(&STATES, &value).map(|()| Term::State(value)),
        "guard" => one_of(&GUARDS, &value).map(|()| Term::Guard(value)),
        "policy" => Ok(Term::Policy(value)),
        "owner" => Ok(Term::Owner(value)),
        "arm" => Ok(Term::Arm(value)),
        "hold" => Ok(Term::Hold(value)),
        _ => Err(format!(
            "no field `{name}:`; use state: guard: policy: owner: arm: hold:"
        )),
    }
}

/// While a value is being typed its beginning is enough.
fn one_of(known: &[&str], value: &str) -> Result<(), String> {
    if known.iter().any(|word| word.starts_with(value)) {
        return Ok(());
    }
    Err(format!("no `{value}`; use {}", known.join(" ")))
}

fn number(name: &str, value: &str, sign: char, ordering: Ordering) -> Result<Term, String> {
    let measure = match name {
        "p" => Measure::PBest,
        "dec" => Measure::Decisions,
        _ => return Err(format!("no number `{name}`; use p{sign}0.9 or dec{sign}10")),
    };
    let value = value
        .parse()
        .map_err(|_| format!("`{value}` is not a number; use {name}{sign}0.9"))?;
    Ok(Term::Number(measure, ordering, value))
}

impl Term {
    fn holds(&self, row: &Row) -> bool {
        match self {
            Self::Word(word) => {
                has(&row.key, word) || row.name.as_deref().is_some_and(|name| has(name, word))
            }
            Self::State(word) => row.state.starts_with(word.as_str()),
            Self::Guard(word) => reading::guard(row).filter_word().starts_with(word.as_str()),
            Self::Policy(word) => has(&row.policy, word),
            Self::Owner(word) => row.owner.as_deref().is_some_and(|owner| has(owner, word)),
            Self::Arm(word) => row.arms.iter().any(|arm| has(&arm.name, word)),
            Self::Hold(word) => row.holds.iter().any(|hold| has(hold, word)),
            Self::Number(measure, ordering, limit) => {
                measure.of(row).is_some_and(|value| match ordering {
                    Ordering::Above => value > *limit,
                    Ordering::Below => value < *limit,
                })
            }
        }
    }
}

impl Measure {
    fn of(self, row: &Row) -> Option<f64> {
        match self {
            Self::PBest => reading::leader(row).map(|leader| leader.arm.p_best),
            Self::Decisions => Some(row.decisions_per_sec),
        }
    }
}

fn has(text: &str, lower_case: &str) -> bool {
    text.to_lowercase().contains(lower_case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_where_and_what_instead() {
        for (text, at, part) in [
            ("checkout stat:running", 9, "no field `stat:`"),
            ("state:runing", 0, "use draft running"),
            ("größe p>x", 6, "not a number"),
            ("!q>1", 1, "no number `q`"),
        ] {
            let error = Filter::parse(text).1.expect(text);
            assert_eq!(error.at, at, "{text}");
            assert!(error.message.contains(part), "{}", error.message);
        }
    }

    #[test]
    fn words_fields_and_not_are_understood() {
        for text in ["", "checkout", "not state:draft", "!owner:x p>0.9 dec<1"] {
            assert_eq!(Filter::parse(text).1, None, "{text}");
        }
    }
}
