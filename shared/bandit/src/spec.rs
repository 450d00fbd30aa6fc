//! The experiment file: text -> typed -> valid, with all problems at once.
//!
//! [`parse`] reads a whole file and answers either with every experiment or with every problem, each with its
//! line and a fix. [`to_toml`] writes a spec back.

mod arms;
mod config;
mod decision;
pub mod defaults;
mod describe;
mod experiment;
mod guardrail;
mod lane;
pub mod limits;
pub mod model;
mod policy;
mod problem;
mod reader;
mod reward;
mod scalar;
mod schedule;
mod slot;
mod source;
mod suggest;
mod targeting;
mod text;
mod write;

pub use describe::{LearningNote, experiment_notes, learning_notes};
pub use policy::policy_kind;
pub use problem::Problem;
pub use write::to_toml;

use crate::spec::limits::{MAX_EXPERIMENTS, MAX_FILE_BYTES};
use crate::spec::model::ExperimentSpec;
use crate::spec::problem::Problems;
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;
use crate::spec::source::Source;

/// A file, valid as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecFile {
    /// Its experiments, in the order of the file.
    pub experiments: Vec<ExperimentSpec>,
}

/// The keys outside any experiment.
const TOP_KEYS: &[&str] = &["version", "experiment"];

/// The only version of the file format so far.
const FORMAT_VERSION: u64 = 1;

/// Reads a file of experiments; `file` is its name for messages.
///
/// Either every experiment is valid, or all problems are returned, in the order of the file. After an error of
/// TOML itself the other experiments of the file are still checked.
pub fn parse(file: &str, text: &str) -> Result<SpecFile, Vec<Problem>> {
    let problems = Problems::new(file, text);
    if text.len() > MAX_FILE_BYTES {
        problems.add(
            0,
            format!(
                "the file has {} bytes; at most {MAX_FILE_BYTES} are read",
                text.len()
            ),
            "split it: experiments that a file does not mention are left alone by apply",
        );
        return Err(problems.into_sorted());
    }
    let mut experiments = Vec::new();
    for part in Source::new(text).parts(&problems) {
        problems.start_part(part.offset);
        read_top(&problems, &part.table, &mut experiments);
    }
    check_count(&problems, experiments.len());
    experiment::check_unique_keys(&problems, &experiments);
    problems.into_result(SpecFile {
        experiments: experiments
            .into_iter()
            .filter_map(|read| read.spec)
            .collect(),
    })
}

fn check_count(problems: &Problems<'_>, count: usize) {
    if count > MAX_EXPERIMENTS {
        problems.add(
            0,
            format!("the file declares {count} experiments; at most {MAX_EXPERIMENTS} fit"),
            "split it: experiments that a file does not mention are left alone by apply",
        );
    }
}

fn read_top<'a>(
    problems: &'a Problems<'a>,
    table: &'a toml::de::DeTable<'a>,
    experiments: &mut Vec<experiment::Read>,
) {
    let top = Reader::top(problems, table);
    top.only(TOP_KEYS);
    if let Some(slot) = top.slot("version") {
        check_version(&slot);
    }
    let Some(slot) = top.slot("experiment") else {
        return;
    };
    let Some(list) = slot.list_of_tables("write [[experiment]] with two brackets") else {
        return;
    };
    for item in list {
        experiments.push(experiment::read(&item));
    }
}

fn check_version(slot: &Slot<'_>) {
    if let Some(version) = slot.whole()
        && version != FORMAT_VERSION
    {
        slot.problem(
            format!("is {version}; this build reads version {FORMAT_VERSION}"),
            "remove the line, or use a newer build",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_explains_every_key() {
        let example = include_str!("../../../experiments.example.toml");
        let kinds = guardrail::check::KINDS
            .iter()
            .flat_map(|(_, kind)| kind.keys);
        let keys = TOP_KEYS
            .iter()
            .chain(experiment::KEYS)
            .chain(arms::KEYS)
            .chain(lane::KEYS)
            .chain(policy::KEYS)
            .chain(reward::KEYS)
            .chain(reward::SCALED_KEYS)
            .chain(targeting::KEYS)
            .chain(guardrail::KEYS)
            .chain(kinds)
            .chain(decision::KEYS)
            .chain(schedule::KEYS)
            .chain(schedule::STEP_KEYS);
        for key in keys {
            let line = format!("{key} =");
            let section = format!("experiment.{key}]");
            let spelling = key
                .strip_suffix('s')
                .map(|one| format!("experiment.{one}]]"));
            let explained = example.contains(&line)
                || example.contains(&section)
                || example.contains(&format!("[{key}]"))
                || spelling.is_some_and(|section| example.contains(&section));
            assert!(explained, "{key}");
        }
    }
}
