//! `pitboss check`: a file, read by the daemon's own parser, without a daemon.

use bandit::spec::{self, SpecFile};
use protocol::refusal::Problem;
use serde::Serialize;

use super::failure::{counted, problems_text};
use super::file::{self, ReadFile};
use super::{Exit, Failure};
use crate::cli::CheckArgs;
use crate::output::{self, Answer, Form, Role, Span, Text, plain, versioned};

/// What is found in a file; `--json` prints it.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    ok: bool,
    experiments: Vec<CheckedExperiment>,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct CheckedExperiment {
    key: String,
    arms: usize,
    policy: String,
    reward: String,
    notes: Vec<String>,
}

pub(super) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let checked = check(&file::read(args.file.path())?);
    let answer = Answer {
        text: text(&checked),
        json: versioned(&checked),
    };
    output::answer(&answer, Form::from_flag(args.reading.json))?;
    Ok(if checked.ok { Exit::Done } else { Exit::Usage })
}

fn check(file: &ReadFile) -> Checked {
    let (experiments, problems) = match spec::parse(&file.name, &file.text) {
        Ok(read) => (experiments(&read), Vec::new()),
        Err(problems) => (Vec::new(), problems.into_iter().map(wire_problem).collect()),
    };
    Checked {
        file: file.name.clone(),
        ok: problems.is_empty(),
        experiments,
        problems,
    }
}

fn experiments(read: &SpecFile) -> Vec<CheckedExperiment> {
    let summary = |spec: &spec::model::ExperimentSpec| CheckedExperiment {
        key: spec.key.to_string(),
        arms: spec.arms.len(),
        policy: spec.describe_policies(),
        reward: spec.reward.describe(),
        notes: spec::experiment_notes(spec)
            .into_iter()
            .map(|note| note.text)
            .collect(),
    };
    read.experiments.iter().map(summary).collect()
}

/// A problem of a file, as it is printed.
pub(super) fn wire_problem(problem: spec::Problem) -> Problem {
    let spec::Problem {
        file,
        line,
        message,
        fix,
    } = problem;
    Problem {
        file,
        line,
        message,
        fix,
    }
}

fn text(checked: &Checked) -> Text {
    if !checked.ok {
        return problems_text(&checked.problems);
    }
    let mut text = Text::new();
    let count = counted(checked.experiments.len(), "experiment");
    text.line([
        Span::new(Role::Good, "ok"),
        plain(format!(": {}: {count}, no problems", checked.file)),
    ]);
    for experiment in &checked.experiments {
        text.line([
            plain("  "),
            Span::new(Role::Strong, &experiment.key),
            plain(format!(
                ": {}, {} arms, {}",
                experiment.policy, experiment.arms, experiment.reward
            )),
        ]);
        for note in &experiment.notes {
            text.line([
                plain("    "),
                Span::new(Role::Warn, "note"),
                plain(format!(": {note}")),
            ]);
        }
    }
    text
}
