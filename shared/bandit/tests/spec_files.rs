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

fn small(key: &str) -> String {
    format!(
        "[[experiment]]\nkey = \"{key}\"\nreward = \"purchase\"\narms = [\"a\", \"b\"]\ncontrol = \"a\"\n"
    )
}

fn repeated(times: usize, text: impl Fn(usize) -> String) -> String {
    (0..times).map(text).collect()
}

#[test]
fn a_small_experiment_needs_five_lines() {
    let file = spec::parse("small.toml", &small("signup_form")).unwrap();
    assert_eq!(file.experiments.len(), 1);
}

#[test]
fn files_over_the_limits_are_refused_in_one_sentence() {
    let too_long = format!("# {}\n", "x".repeat(1 << 20));
    let problems = spec::parse("long.toml", &too_long).unwrap_err();
    assert_eq!(problems.len(), 1, "{}", listed(&problems));

    let full: String = repeated(1_000, |n| small(&format!("e{n}")));
    assert_eq!(
        spec::parse("full.toml", &full).unwrap().experiments.len(),
        1_000
    );
    let problems = spec::parse("over.toml", &(full + &small("more"))).unwrap_err();
    assert_eq!(problems.len(), 1, "{}", listed(&problems));

    let wrong = "unknown = 1\n".repeat(300);
    let many: String = repeated(300, |n| {
        format!(
            "k{n} = 1
"
        )
    });
    assert_eq!(spec::parse("many.toml", &many).unwrap_err().len(), 201);
    assert!(spec::parse("wrong.toml", &wrong).is_err());

    let config = format!("config = {{ text = \"{}\" }}", "x".repeat(17 * 1024));
    let large = small("a").replace("\"b\"]", &format!("{{ name = \"b\", {config} }}]"));
    let problems = spec::parse("large.toml", &large).unwrap_err();
    assert_eq!(problems.len(), 1, "{}", listed(&problems));
}

#[test]
fn absurdly_nested_files_are_problems_and_not_crashes() {
    for text in [
        format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("a = {}", "{ b = ".repeat(100_000)),
        format!("[{}]", "a.".repeat(100_000)),
        format!("{} = 1", vec!["a"; 100_000].join(".")),
        small("a").replace(
            "control =",
            &format!("config_json = '{}'\ncontrol =", "[".repeat(100_000)),
        ),
        "[[experiment]]\n".repeat(20_000),
    ] {
        assert!(spec::parse("deep.toml", &text).is_err());
    }
}

#[test]
fn line_ends_of_windows_are_counted_once() {
    let text = small("a").replace('\n', "\r\n") + "colour = 1\r\n";
    let problems = spec::parse("windows.toml", &text).unwrap_err();
    assert_eq!(problems[0].line, 6, "{}", listed(&problems));
}
