//! What a log's columns are called.

use crate::cli::LogArgs;
use crate::cmd::Failure;

/// Our own names first, then those of the Open Bandit Dataset and of its pipeline.
const ARM: &[&str] = &["arm", "item_id", "action"];
const REWARD: &[&str] = &["reward", "click", "conversion"];
const PROPENSITY: &[&str] = &["propensity", "propensity_score", "pscore"];
const POSITION: &[&str] = &["position"];

/// Where a row's propensity comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Propensity {
    /// A column.
    Column(String),
    /// The same for all rows.
    Constant(f64),
}

/// The columns, as named or as found.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Columns {
    arm: Option<String>,
    reward: Option<String>,
    propensity: Option<String>,
    position: Option<String>,
    found: Option<Found>,
}

/// The columns of a log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub arm: String,
    pub reward: String,
    pub propensity: Propensity,
    pub position: Option<String>,
}

impl Columns {
    /// As the command line names them.
    pub(super) fn of(args: &LogArgs) -> Self {
        Self {
            arm: args.arm.clone(),
            reward: args.reward.clone(),
            propensity: args.propensity.clone(),
            position: args.position.clone(),
            found: None,
        }
    }

    /// The log's columns among those `there`; looked up once, on the heading or the first object.
    pub(super) fn find(&mut self, there: &[&str]) -> Result<&Found, Failure> {
        if self.found.is_none() {
            self.found = Some(self.look(there)?);
        }
        Ok(self.found.as_ref().expect("found above"))
    }

    fn look(&self, there: &[&str]) -> Result<Found, Failure> {
        let constant = self.propensity.as_ref().and_then(|text| text.parse().ok());
        let propensity = match constant {
            Some(number) => Propensity::Constant(number),
            None => Propensity::Column(needed(
                self.propensity.as_ref(),
                "propensity",
                PROPENSITY,
                there,
            )?),
        };
        let position = match &self.position {
            Some(_) => Some(needed(self.position.as_ref(), "position", POSITION, there)?),
            None => first(POSITION, there),
        };
        Ok(Found {
            arm: needed(self.arm.as_ref(), "arm", ARM, there)?,
            reward: needed(self.reward.as_ref(), "reward", REWARD, there)?,
            propensity,
            position,
        })
    }
}

fn needed(
    named: Option<&String>,
    flag: &str,
    usual: &[&str],
    there: &[&str],
) -> Result<String, Failure> {
    match named {
        Some(name) if there.contains(&name.as_str()) => Ok(name.clone()),
        Some(name) => Err(Failure::Usage(format!(
            "there is no column `{name}` in the log; there are {}",
            listed(there)
        ))),
        None => first(usual, there).ok_or_else(|| {
            Failure::Usage(format!(
                "the log has no column {}; name the right one with --{flag} among {}",
                usual.join(", "),
                listed(there)
            ))
        }),
    }
}

fn first(usual: &[&str], there: &[&str]) -> Option<String> {
    let found = usual.iter().find(|name| there.contains(*name));
    found.map(|name| (*name).to_owned())
}

fn listed(there: &[&str]) -> String {
    /// A row of features would hide the rest.
    const SHOWN: usize = 10;
    let mut names: Vec<&str> = there
        .iter()
        .copied()
        .filter(|name| !name.is_empty())
        .collect();
    if names.len() > SHOWN {
        names.truncate(SHOWN);
        names.push("...");
    }
    names.join(", ")
}
