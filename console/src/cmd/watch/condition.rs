//! What a watch waits for, and what it must not see meanwhile.

use std::str::FromStr;

use protocol::experiments::Row;

use crate::model::filter::STATES;

/// `--until`
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// `state=stopped`
    State(String),
    /// `share=green:0.8`
    Share {
        /// Which arm.
        arm: String,
        /// Its least share of the learning lane, in `0..=1`.
        least: f64,
    },
    /// `version=3`
    Version(u32),
}

/// A text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a condition; write state=stopped (or draft, running, paused, rolled_back, archived), share=ARM:0.8 or version=3"
)]
pub struct InvalidCondition {
    text: String,
}

impl FromStr for Condition {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, InvalidCondition> {
        parse(text).ok_or_else(|| InvalidCondition {
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<Condition> {
    match text.split_once('=')? {
        ("state", word) if STATES.contains(&word) => Some(Condition::State(word.to_owned())),
        ("version", number) => Some(Condition::Version(number.parse().ok()?)),
        ("share", share) => {
            let (arm, least) = share.rsplit_once(':')?;
            let least: f64 = least.parse().ok()?;
            let valid = !arm.is_empty() && (0.0..=1.0).contains(&least);
            valid.then(|| Condition::Share {
                arm: arm.to_owned(),
                least,
            })
        }
        _ => None,
    }
}

impl Condition {
    /// Whether it holds for an experiment.
    pub(super) fn holds(&self, row: &Row) -> bool {
        match self {
            Self::State(word) => row.state == *word,
            Self::Version(least) => row.version >= *least,
            Self::Share { arm, least } => {
                let mut arms = row.arms.iter();
                arms.any(|found| found.name == *arm && found.share >= *least)
            }
        }
    }
}

/// What ended a watch badly, in words.
pub(super) fn breach(row: &Row) -> Option<String> {
    let failing = row.guardrails.iter().find(|g| g.status == "fail");
    if let Some(guardrail) = failing {
        let (key, name, limit) = (&row.key, &guardrail.name, &guardrail.limit);
        return Some(format!("{key}: guardrail `{name}` fails ({limit})"));
    }
    (row.state == "rolled_back").then(|| {
        let (key, by, why) = (&row.key, &row.state_by, &row.state_why);
        format!("{key} was rolled back by {by}: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_or_refused_with_examples() {
        for (text, wanted) in [
            ("state=stopped", Some(Condition::State("stopped".into()))),
            ("version=3", Some(Condition::Version(3))),
            (
                "share=v2:0.8",
                Some(Condition::Share {
                    arm: "v2".into(),
                    least: 0.8,
                }),
            ),
            ("share=v2:80", None),
            ("share=:0.5", None),
            ("version=many", None),
            ("p_best=1", None),
            ("stopped", None),
        ] {
            assert_eq!(text.parse().ok(), wanted, "{text}");
        }
    }
}
