//! The experiment file against real files: the example, and one bad file a problem, in `tests/data/bad`.
//!
//! A new case is a file `NAME.toml` with its expected problems in `NAME.problems`, one a line.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own files should panic"
)]

use std::fs;
use std::path::{Path, PathBuf};

use bandit::spec::{self, Problem};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example() -> String {
    fs::read_to_string(here().join("../../experiments.example.toml")).unwrap()
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n") + "\n"
}

#[test]
fn the_example_has_no_problems_and_holds_the_four_scenarios() {
    let file = spec::parse("experiments.example.toml", &example())
        .unwrap_or_else(|problems| panic!("{}", listed(&problems)));
    let keys: Vec<&str> = file
        .experiments
        .iter()
        .map(|experiment| experiment.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "checkout_button",
            "pricing",
            "payment_methods",
            "movie_recommender"
        ]
    );
    for experiment in &file.experiments {
        assert_eq!(
            experiment.state,
            Some(spec::model::DeclaredState::Running),
            "{}",
            experiment.key
        );
    }
}

#[test]
fn the_example_reads_back_from_what_it_is_written_as() {
    let file = spec::parse("experiments.example.toml", &example()).unwrap();
    for experiment in file.experiments {
        let text = spec::to_toml(&experiment);
        let again = spec::parse("again.toml", &text)
            .unwrap_or_else(|problems| panic!("{text}\n{}", listed(&problems)));
        assert_eq!(again.experiments, [experiment], "{text}");
    }
}

#[test]
fn every_bad_file_gives_exactly_its_problems() {
    let mut files: Vec<PathBuf> = fs::read_dir(here().join("tests/data/bad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let problems = spec::parse(name, &fs::read_to_string(&file).unwrap())
            .expect_err(&format!("{name} should have problems"));
        let expected = fs::read_to_string(file.with_extension("problems")).unwrap_or_default();
        let got = listed(&problems);
        assert!(
            got == expected,
            "{name} gave:\n{got}\nexpected:\n{expected}"
        );
    }
}
