//! From the command line and the file to what is simulated; what is wrong is said with what to type instead.

use std::collections::BTreeMap;
use std::str::FromStr;

use bandit::experiment::{ArmName, Millis};
use bandit::simulate::{InvalidTruth, Scenario, Truth};
use bandit::spec;
use bandit::spec::model::{ExperimentSpec, PolicySpec};

use super::fitted::{Fitted, Observed, Seen};
use crate::cli::SimulateArgs;
use crate::cmd::check::wire_problem;
use crate::cmd::{Failure, file};

/// A policy is asked at most so often in a run, unless `--publish-every` says otherwise: between two of a thousand
/// looks a posterior hardly moves, and a quadrature each five seconds for four weeks takes minutes a run.
const LOOKS: u64 = 1_000;

/// Lengths of time that people use, to round up to.
const USUAL: [Millis; 9] = [
    Millis(5_000),
    Millis(15_000),
    Millis(60_000),
    Millis(5 * 60_000),
    Millis(15 * 60_000),
    Millis(3_600_000),
    Millis(3 * 3_600_000),
    Millis(6 * 3_600_000),
    Millis(24 * 3_600_000),
];

/// At least so many moments of a run are read: each day of the default four weeks.
const POINTS: u32 = 28;

/// One arm's true rate or mean, as it is typed: `blue=0.06`, or `blue=6%`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    arm: ArmName,
    mean: f64,
}

/// What is simulated.
pub(super) struct Asked {
    /// The file's name.
    pub(super) file: String,
    /// The experiment, with another policy if one was asked for.
    pub(super) spec: ExperimentSpec,
    /// The arms' means, in the order of the file.
    pub(super) means: Vec<ArmMean>,
    /// Where those are from that were not typed.
    pub(super) fitted: Option<Fitted>,
    /// The truth about the arms.
    pub(super) truth: Truth,
    /// Traffic and time.
    pub(super) scenario: Scenario,
}

/// An arm's rate, or its mean in the reward's own units.
#[derive(Debug, Clone, Copy)]
pub(super) enum ArmMean {
    /// As it was typed.
    Typed(f64),
    /// As a daemon saw it.
    Fitted(Observed),
}

impl ArmMean {
    pub(super) fn get(self) -> f64 {
        match self {
            Self::Typed(mean) | Self::Fitted(Observed { mean, .. }) => mean,
        }
    }

    /// The units that a fitted one is the mean of.
    pub(super) fn resolved(self) -> Option<u64> {
        match self {
            Self::Typed(_) => None,
            Self::Fitted(Observed { resolved, .. }) => Some(resolved),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an arm's rate; write arm=0.05 or arm=5%");
        let (arm, number) = text.split_once('=').ok_or_else(wrong)?;
        let (digits, percent) = match number.trim().strip_suffix('%') {
            Some(digits) => (digits, true),
            None => (number, false),
        };
        let mean: f64 = digits.trim().parse().map_err(|_| wrong())?;
        Ok(Self {
            arm: arm.trim().parse().map_err(|_| wrong())?,
            mean: if percent { mean / 100.0 } else { mean },
        })
    }
}

pub(super) fn read(
    args: &SimulateArgs,
    look: impl FnOnce(&str) -> Result<Seen, Failure>,
) -> Result<Asked, Failure> {
    let file = file::read(args.file.path())?;
    let mut spec = experiment(&file, args.experiment.as_deref())?;
    if let Some(policy) = &args.policy {
        if !spec.lanes.is_empty() {
            let message = format!(
                "--policy: the lanes of {} have policies of their own; change them in the file",
                spec.key
            );
            return Err(Failure::Usage(message));
        }
        spec.policy = overriding(&spec, policy)?;
        // Another policy instead of all that the file declares.
        spec.lanes.clear();
    }
    let seen = match &args.fit {
        Some(key) => Some(look(key.as_deref().unwrap_or(spec.key.as_str()))?),
        None => None,
    };
    let means = means(&spec, &args.rates, seen.as_ref())?;
    let numbers: Vec<f64> = means.iter().map(|mean| mean.get()).collect();
    let truth =
        Truth::new(&spec.reward, &numbers, args.sd).map_err(|error| unlikely(&spec, error))?;
    let fitted = seen.map(|seen| Fitted {
        experiment: seen.results.experiment,
        as_of: seen.results.as_of,
        resolved: means.iter().filter_map(|mean| mean.resolved()).sum(),
    });
    let scenario = Scenario {
        units_per_day: args.units_per_day,
        days: args.days,
        publish_every: args.publish_every.unwrap_or_else(|| asked_every(args.days)),
        points: args.days * POINTS.div_ceil(args.days).max(1),
    };
    Ok(Asked {
        file: file.name,
        spec,
        means,
        fitted,
        truth,
        scenario,
    })
}

/// The first usual length with at most [`LOOKS`] of them in the time.
fn asked_every(days: u32) -> Millis {
    let least = u64::from(days) * 86_400_000 / LOOKS;
    let enough = USUAL.iter().find(|usual| usual.0 >= least);
    *enough.unwrap_or(&USUAL[USUAL.len() - 1])
}

/// The experiment that is meant: the only one of the file, or the one that is named.
fn experiment(file: &file::ReadFile, key: Option<&str>) -> Result<ExperimentSpec, Failure> {
    let mut read = spec::parse(&file.name, &file.text)
        .map_err(|problems| Failure::File(problems.into_iter().map(wire_problem).collect()))?
        .experiments;
    let keys: Vec<String> = read.iter().map(|spec| spec.key.to_string()).collect();
    let there = keys.join(", ");
    let found = match key {
        Some(key) => read.iter().position(|spec| spec.key.as_str() == key),
        None if read.len() == 1 => Some(0),
        None => {
            let message = format!(
                "{} has {} experiments; name one with --experiment: {there}",
                file.name,
                read.len()
            );
            return Err(Failure::Usage(message));
        }
    };
    let Some(at) = found else {
        let key = key.unwrap_or_default();
        let message = format!(
            "--experiment: {} has no experiment `{key}`; it has {there}",
            file.name
        );
        return Err(Failure::Usage(message));
    };
    Ok(read.swap_remove(at))
}

/// A policy as a file writes it, read by the file's own parser: a word, or an inline table.
fn overriding(spec: &ExperimentSpec, policy: &str) -> Result<PolicySpec, Failure> {
    let value = if policy.trim_start().starts_with('{') {
        policy.to_owned()
    } else {
        format!("{policy:?}")
    };
    let arms: Vec<String> = spec
        .arms
        .iter()
        .map(|arm| format!("{:?}", arm.name.as_str()))
        .collect();
    let text = format!(
        "[[experiment]]\nkey = \"{}\"\nreward = \"any\"\narms = [{}]\ncontrol = \"{}\"\npolicy = {value}\n",
        spec.key,
        arms.join(", "),
        spec.control().name
    );
    match spec::parse("--policy", &text) {
        Ok(mut read) => Ok(read.experiments.swap_remove(0).policy),
        Err(problems) => {
            let said = problems.first().map_or_else(String::new, |problem| {
                format!("{}; {}", problem.message, problem.fix)
            });
            Err(Failure::Usage(format!("--policy: {said}")))
        }
    }
}

/// Every arm's mean, in the order of the file: as typed, else as seen.
fn means(
    spec: &ExperimentSpec,
    rates: &[Rate],
    seen: Option<&Seen>,
) -> Result<Vec<ArmMean>, Failure> {
    if let Some(seen) = seen {
        seen.check(spec)?;
    }
    let mut typed: BTreeMap<&str, f64> = BTreeMap::new();
    for Rate { arm, mean } in rates {
        if typed.insert(arm.as_str(), *mean).is_some() {
            return Err(Failure::Usage(format!("--rates: {arm} is there twice")));
        }
        if !spec.arms.iter().any(|declared| declared.name == *arm) {
            let message = format!(
                "--rates: {} has no arm `{arm}`; its arms are {}",
                spec.key,
                names(spec)
            );
            return Err(Failure::Usage(message));
        }
    }
    let of = |name: &ArmName| match (typed.get(name.as_str()), seen) {
        (Some(&mean), _) => Ok(ArmMean::Typed(mean)),
        (None, Some(seen)) => seen.of(name.as_str()).map(ArmMean::Fitted),
        (None, None) => Err(Failure::Usage(format!(
            "--rates: the rate of {name} is missing; every arm needs one: {}",
            names(spec)
        ))),
    };
    spec.arms.iter().map(|arm| of(&arm.name)).collect()
}

fn unlikely(spec: &ExperimentSpec, error: InvalidTruth) -> Failure {
    let arm = match error {
        InvalidTruth::Rate { arm, .. }
        | InvalidTruth::Mean { arm, .. }
        | InvalidTruth::TooWide { arm, .. } => Some(&spec.arms[arm].name),
        InvalidTruth::NoSpread | InvalidTruth::Spread => None,
    };
    Failure::Usage(match (error, arm) {
        (InvalidTruth::NoSpread, _) => format!("{error}: add --sd, in the reward's own units"),
        (InvalidTruth::Spread, _) => format!("--sd: {error}"),
        (InvalidTruth::TooWide { .. }, Some(arm)) => format!("--sd: {arm}: {error}"),
        (_, Some(arm)) => format!("--rates: {arm}: {error}"),
        (_, None) => error.to_string(),
    })
}

fn names(spec: &ExperimentSpec) -> String {
    let names: Vec<&str> = spec.arms.iter().map(|arm| arm.name.as_str()).collect();
    names.join(", ")
}
