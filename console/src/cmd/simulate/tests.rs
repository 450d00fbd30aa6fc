//! The answer is the same on any number of threads, and keeps its fields.

use clap::Parser as _;
use serde_json::Value;

use super::{answer, arguments};
use crate::cli::{Cli, Command, SimulateArgs};
use crate::cmd::Exit;

const FILE: &str = r#"
[[experiment]]
key = "checkout_copy"
reward = "purchase"
arms = ["plain", "warm"]
control = "plain"
"#;

/// `pitboss simulate` with these words after the file.
fn asked(words: &str) -> (tempfile::TempDir, SimulateArgs) {
    asked_of(FILE, words)
}

fn asked_of(text: &str, words: &str) -> (tempfile::TempDir, SimulateArgs) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("a.toml");
    std::fs::write(&file, text).expect("a file");
    let line = ["pitboss", "simulate", &file.display().to_string()].map(str::to_owned);
    let words = words.split_whitespace().map(str::to_owned);
    let cli = Cli::try_parse_from(line.into_iter().chain(words)).expect("a command line");
    let Some(Command::Simulate(args)) = cli.command else {
        panic!("another command");
    };
    (directory, args)
}

fn json(words: &str) -> Value {
    let (_directory, args) = asked(words);
    answer(&args).expect("an answer").json
}

#[test]
fn figures_do_not_know_how_many_threads_there_were() {
    let words = "--rates plain=0.1,warm=0.2 --units-per-day 400 --days 3 --runs 7 --threads";
    let mut one = json(&format!("{words} 1"));
    let mut four = json(&format!("{words} 4"));
    // the file is in another directory
    one["file"] = Value::Null;
    four["file"] = Value::Null;
    assert_eq!(one.to_string(), four.to_string());
    let other = json(&format!("{words} 2 --seed 2"));
    assert_ne!(other["regret"], one["regret"]);
}

#[test]
fn an_even_split_is_what_it_is_compared_with() {
    let said = json(
        "--rates plain=10%,warm=0.2 --policy fixed --units-per-day 1000 --days 2 --runs 30 --seed 3",
    );
    assert_eq!(said["schema"], 1);
    assert_eq!(said["policy"], "fixed");
    for (figure, want) in [
        (&said["participants"]["mean"], 2_000.0),
        (&said["regret_of_even_split"]["mean"], 100.0),
        (&said["reward_of_even_split"], 300.0),
        (&said["reward_of_best_arm"], 400.0),
    ] {
        let figure = figure.as_f64().expect("a figure");
        assert!((figure - want).abs() < 1e-9, "{figure} is not {want}");
    }
    assert_eq!(said["arms"][1]["best"], true);
    let (mean, se) = (&said["regret"]["mean"], &said["regret"]["se"]);
    let off = (mean.as_f64().expect("a mean") - 100.0) / se.as_f64().expect("an error");
    assert!(off.abs() < 4.0, "{mean} {se}");
    let decision = &said["decision"];
    assert_eq!(decision["preset"], "standard");
    assert_eq!(decision["declared"], false);
    assert_eq!(decision["ship"][0]["arm"], "warm");
    // two days are too short for any rule
    assert_eq!(decision["keep_running"]["mean"], 1.0);
    assert_eq!(decision["power"]["mean"], 0.0);
    let main = &said["lanes"][1];
    assert_eq!(main["lane"], "main");
    assert_eq!(main["over_time"][28]["day"], 2.0);
    assert_eq!(main["over_time"][28]["shares"][0]["mean"], 0.5);
}

#[test]
fn what_is_wrong_ends_with_the_code_for_usage() {
    for words in [
        "--rates plain=0.1",
        "--rates plain=0.1,warm=0.2,cold=0.3",
        "--rates plain=0.1,warm=0.2,warm=0.3",
        "--rates plain=0.1,warm=120%",
        "--rates plain=0.1,warm=-0.1",
        "--rates plain=0.1,warm=0.2 --sd 1",
        "--rates plain=0.1,warm=0.2 --policy best",
        "--rates plain=0.1,warm=0.2 --experiment pricing",
    ] {
        let (_directory, args) = asked(words);
        let failure = arguments::read(&args).err().expect(words);
        assert_eq!(failure.exit(), Exit::Usage, "{words}");
    }
}

#[test]
fn the_memory_of_a_single_lane_is_said_to_be_left_out() {
    let lane = |name: &str, memory: &str| {
        format!(
            "[[experiment.lane]]\nname = \"{name}\"\nshare = \"50%\"\n\
             policy = {{ kind = \"thompson\"{memory} }}\n"
        )
    };
    let forgets = r#", memory = { window = "7d" }"#;
    for (memory, left_out) in [(forgets, vec!["memory"]), ("", vec![])] {
        let text = format!("{FILE}{}{}", lane("main", ""), lane("young", memory));
        let words = "--rates plain=0.1,warm=0.2 --units-per-day 100 --days 1 --runs 1";
        let (_directory, args) = asked_of(&text, words);
        let said = answer(&args).expect("an answer").json;
        assert_eq!(said["not_simulated"], serde_json::json!(left_out));
    }
}
