//! The policy in question, as it is typed: `uniform`, `arm:green`, `weights:a=0.7,b=0.3`, or a policy that learns.

use std::fmt;
use std::str::FromStr;

use super::target::{InvalidTarget, Target};
use crate::experiment::Share;
use crate::spec::defaults;
use crate::spec::model::PolicyKind;

/// A policy by the words it is asked for with.
#[derive(Debug, Clone, PartialEq)]
pub enum Candidate {
    /// Every arm alike.
    Uniform,
    /// One arm for everybody.
    Arm(String),
    /// These shares; arms that are not named get none.
    Weights(Vec<(String, f64)>),
    /// A policy that learns while it goes.
    Learning(PolicyKind),
}

/// Why the words name no policy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidCandidate {
    /// Not a word there is.
    #[error(
        "`{0}` is no policy: write uniform, arm:NAME, weights:a=0.7,b=0.3, or one that learns such as thompson, \
         top_two_thompson:0.5, epsilon_greedy:0.1 or kl_ucb"
    )]
    Unknown(String),
    /// A number is missing or wrong.
    #[error("`{0}` is not a number in 0..=1")]
    Number(String),
    /// Weights without a name or a number.
    #[error("`{0}` is not NAME=SHARE, such as green=0.7")]
    Weight(String),
    /// The log or the experiment has no such arm.
    #[error("there is no arm `{name}`; there are {known}")]
    NoSuchArm {
        /// As it was typed.
        name: String,
        /// The arms there are.
        known: String,
    },
    /// The shares are no policy.
    #[error("the weights are no policy")]
    Shares(#[from] InvalidTarget),
}

impl Candidate {
    /// The probability of each of the `arms`, in each of `cells` cells; `None` for a policy that learns.
    pub fn target(
        &self,
        arms: &[impl AsRef<str>],
        cells: usize,
    ) -> Result<Option<Target>, InvalidCandidate> {
        let mut probabilities = vec![0.0; arms.len()];
        match self {
            Self::Learning(_) => return Ok(None),
            Self::Uniform => probabilities.fill(1.0 / arms.len().max(1) as f64),
            Self::Arm(name) => probabilities[position(arms, name)?] = 1.0,
            Self::Weights(weights) => {
                for (name, weight) in weights {
                    probabilities[position(arms, name)?] += weight;
                }
            }
        }
        Ok(Some(Target::same(cells, &probabilities)?))
    }
}

fn position(arms: &[impl AsRef<str>], name: &str) -> Result<usize, InvalidCandidate> {
    let found = arms.iter().position(|arm| arm.as_ref() == name);
    found.ok_or_else(|| {
        /// More names than this hide the message.
        const SHOWN: usize = 8;
        let mut known: Vec<&str> = arms.iter().take(SHOWN).map(AsRef::as_ref).collect();
        if arms.len() > SHOWN {
            known.push("...");
        }
        InvalidCandidate::NoSuchArm {
            name: name.to_owned(),
            known: known.join(", "),
        }
    })
}

impl FromStr for Candidate {
    type Err = InvalidCandidate;

    fn from_str(text: &str) -> Result<Self, InvalidCandidate> {
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        match (word, rest) {
            ("uniform", None) => Ok(Self::Uniform),
            ("arm", Some(name)) if !name.is_empty() => Ok(Self::Arm(name.to_owned())),
            ("weights", Some(list)) => list
                .split(',')
                .map(weight)
                .collect::<Result<_, _>>()
                .map(Self::Weights),
            _ => learning(word, rest)?
                .map(Self::Learning)
                .ok_or_else(|| InvalidCandidate::Unknown(text.to_owned())),
        }
    }
}

fn weight(text: &str) -> Result<(String, f64), InvalidCandidate> {
    let (name, share) = text
        .rsplit_once('=')
        .ok_or_else(|| InvalidCandidate::Weight(text.to_owned()))?;
    Ok((name.to_owned(), number(share)?.get()))
}

fn number(text: &str) -> Result<Share, InvalidCandidate> {
    let wrong = || InvalidCandidate::Number(text.to_owned());
    let value: f64 = text.parse().map_err(|_| wrong())?;
    Share::new(value).ok().ok_or_else(wrong)
}

/// Behind epsilon-greedy's number: it falls as rewards come in.
const DECAY: &str = ",decay";

/// The policies of experiment files, with their one number behind a colon.
fn learning(word: &str, rest: Option<&str>) -> Result<Option<PolicyKind>, InvalidCandidate> {
    let (rest, decay) = match rest.map(|rest| (rest, rest.strip_suffix(DECAY))) {
        Some((_, Some(number))) if word == "epsilon_greedy" => (Some(number), true),
        _ => (rest, false),
    };
    let share = |usual: fn() -> Share| rest.map_or_else(|| Ok(usual()), number);
    Ok(match word {
        "thompson" if rest.is_none() => Some(PolicyKind::Thompson),
        "ucb1" if rest.is_none() => Some(PolicyKind::Ucb1),
        "ucb1_tuned" if rest.is_none() => Some(PolicyKind::Ucb1Tuned),
        "kl_ucb" if rest.is_none() => Some(PolicyKind::KlUcb),
        "top_two_thompson" => Some(PolicyKind::TopTwoThompson {
            beta: share(defaults::top_two_beta)?,
        }),
        "epsilon_greedy" => Some(PolicyKind::EpsilonGreedy {
            epsilon: share(defaults::epsilon)?,
            decay,
        }),
        _ => None,
    })
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Arm(name) => write!(f, "arm:{name}"),
            Self::Weights(weights) => {
                let parts: Vec<String> = weights
                    .iter()
                    .map(|(name, share)| format!("{name}={share}"))
                    .collect();
                write!(f, "weights:{}", parts.join(","))
            }
            Self::Learning(kind) => match kind {
                PolicyKind::TopTwoThompson { beta } => write!(f, "{}:{}", kind.name(), beta.get()),
                PolicyKind::EpsilonGreedy { epsilon, decay } => {
                    let decay = if *decay { DECAY } else { "" };
                    write!(f, "{}:{}{decay}", kind.name(), epsilon.get())
                }
                _ => f.write_str(kind.name()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_is_shown() {
        for text in [
            "uniform",
            "arm:green",
            "arm:a:b",
            "weights:a=0.7,b=0.3",
            "thompson",
            "top_two_thompson:0.4",
            "epsilon_greedy:0.1",
            "epsilon_greedy:0.1,decay",
            "ucb1",
            "ucb1_tuned",
            "kl_ucb",
        ] {
            let candidate: Candidate = text.parse().unwrap();
            assert_eq!(candidate.to_string(), text);
        }
        let usual: Candidate = "epsilon_greedy".parse().unwrap();
        assert_eq!(usual.to_string(), "epsilon_greedy:0.1");
    }

    #[test]
    fn what_names_no_policy_says_what_to_write() {
        for (text, part) in [
            ("greedy", "write uniform, arm:NAME"),
            ("arm:", "is no policy"),
            ("thompson:0.5", "is no policy"),
            ("epsilon_greedy:2", "`2` is not a number in 0..=1"),
            ("weights:a", "is not NAME=SHARE"),
            ("weights:a=x", "`x` is not a number"),
        ] {
            let error = text.parse::<Candidate>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn arms_must_exist_and_shares_sum_to_one() {
        let arms = ["a", "b"];
        let target = |text: &str| text.parse::<Candidate>().unwrap().target(&arms, 1);
        let of = |text: &str| target(text).unwrap().unwrap().probabilities(0).to_vec();
        assert_eq!(of("uniform"), [0.5, 0.5]);
        assert_eq!(of("arm:b"), [0.0, 1.0]);
        assert_eq!(of("weights:b=0.25,a=0.75"), [0.75, 0.25]);
        assert!(target("thompson").unwrap().is_none());
        assert!(target("weights:a=0.5").is_err());
        let error = target("arm:c").unwrap_err().to_string();
        assert_eq!(error, "there is no arm `c`; there are a, b");
    }
}
