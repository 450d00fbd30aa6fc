//! The answer is the same on any number of threads, and keeps its fields.

use clap::Parser as _;
use serde_json::Value;

use super::fitted::Seen;
use super::{answer, arguments};
use crate::cli::{Cli, Command, SimulateArgs};
use crate::cmd::{Exit, Failure, samples};

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

fn no_daemon(_: &str) -> Result<Seen, Failure> {
    panic!("no rates are to be fitted")
}

fn json(words: &str) -> Value {
    let (_directory, args) = asked(words);
    answer(&args, no_daemon).expect("an answer").json
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
        let failure = arguments::read(&args, no_daemon).err().expect(words);
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
        let said = answer(&args, no_daemon).expect("an answer").json;
        assert_eq!(said["not_simulated"], serde_json::json!(left_out));
    }
}

/// The experiment that the sample results are about.
const RUNNING: &str = r#"
[[experiment]]
key = "checkout_button"
reward = "purchase"
arms = ["green", "blue"]
control = "green"
"#;

/// A daemon that runs `text`, whose only experiment has the sample's counts: two lanes of
/// green 811 of 9,998, blue 1,029 of 10,898 and grey 39 of 938.
fn daemon(text: &str) -> Seen {
    let mut read = bandit::spec::parse("a.toml", text).expect("a file");
    Seen {
        results: samples::results(),
        reward: read.experiments.swap_remove(0).reward,
    }
}

const SHORT: &str = "--units-per-day 100 --days 1 --runs 2";

#[test]
fn fitted_rates_are_the_means_of_all_lanes() {
    let (_directory, args) = asked_of(RUNNING, &format!("--fit {SHORT}"));
    let look = |key: &str| {
        assert_eq!(key, "checkout_button");
        let mut seen = daemon(RUNNING);
        // one lane has earned nothing: the pooled rate is half of the other's
        seen.results.lanes[1].arms[0].reward_sum = 0.0;
        Ok(seen)
    };
    let said = answer(&args, look).expect("an answer");
    let arms = &said.json["arms"];
    assert_eq!(arms[0]["rate"], 811.0 / 19_996.0);
    assert_eq!(arms[1]["rate"], 2_058.0 / 21_796.0);
    assert_eq!(arms[1]["resolved"], 21_796);
    let fitted = &said.json["fitted"];
    assert_eq!(fitted["experiment"], "checkout_button");
    assert_eq!(fitted["resolved"], 41_792);
    let text = said.text.render(false);
    let wanted =
        "rates fitted to checkout_button as of 2026-02-01 12:04:31Z, 41,792 resolved units\n";
    assert!(text.contains(wanted), "{text}");
    assert!(text.contains("  blue   0.09442  "), "{text}");
}

#[test]
fn a_typed_rate_goes_before_a_fitted_one() {
    let words = format!("--fit checkout_button --rates warm=0.2 {SHORT}");
    let text = FILE.replace("plain", "green");
    let (_directory, args) = asked_of(&text, &words);
    let said = answer(&args, |_| Ok(daemon(RUNNING))).expect("an answer");
    assert_eq!(said.json["arms"][1]["rate"], 0.2);
    assert_eq!(said.json["arms"][1]["resolved"], Value::Null);
    assert_eq!(said.json["fitted"]["resolved"], 19_996);
    let text = said.text.render(false);
    assert!(
        text.contains("19,996 resolved units; warm as typed\n"),
        "{text}"
    );
}

#[test]
fn an_arm_that_nobody_has_seen_is_named() {
    let (_directory, args) = asked(&format!("--fit checkout_button --rates plain=0.1 {SHORT}"));
    let Err(failure) = answer(&args, |_| Ok(daemon(RUNNING))) else {
        panic!("there is an answer")
    };
    assert_eq!(failure.exit(), Exit::Usage);
    assert_eq!(
        failure.to_string(),
        "--fit: warm has no resolved units in checkout_button; give its rate with --rates warm=RATE"
    );
}

#[test]
fn fitted_means_are_in_the_units_that_are_typed() {
    let fewer = RUNNING.replace(
        "reward = \"purchase\"",
        "reward = { success = \"purchase\", direction = \"decrease\" }",
    );
    let stars = RUNNING.replace(
        "reward = \"purchase\"",
        "reward = { scaled = { event = \"rating\", min = 1, max = 5 } }",
    );
    let green = 811.0 / 9_998.0;
    let scale = protocol::experiments::RewardScale {
        at_zero: 1.0,
        at_one: 5.0,
    };
    for (text, sd, scale, want) in [
        (&fewer, "", None, 1.0 - green),
        (&stars, "--sd 0.5", Some(scale), 1.0 + 4.0 * green),
    ] {
        let (_directory, args) = asked_of(text, &format!("--fit {sd} {SHORT}"));
        let mut seen = daemon(text);
        seen.results.scale = scale;
        let rate = answer(&args, |_| Ok(seen)).expect("an answer").json["arms"][0]["rate"].as_f64();
        let off = rate.expect("a rate") - want;
        assert!(off.abs() < 1e-12, "{rate:?} is not {want}");
        // successes tell nothing about something else
        let (_directory, args) = asked_of(text, &format!("--fit {sd} {SHORT}"));
        let Err(failure) = answer(&args, |_| Ok(daemon(RUNNING))) else {
            panic!("there is an answer")
        };
        assert_eq!(failure.exit(), Exit::Usage);
    }
}
