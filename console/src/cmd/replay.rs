//! `pitboss replay`: what a policy, also one that learns, would have earned on the rows it would have produced itself.

use bandit::offpolicy::{Candidate, Replay, ReplayError, Replayed, Replays};
use protocol::evaluation::EstimateRow;
use serde::Serialize;

use super::evaluate::made_of;
use super::format::{count, percent};
use super::log::{BadRows, Log};
use super::{Exit, Failure, estimates};
use crate::cli::ReplayArgs;
use crate::output::{self, Answer, Form, Role, Span, Text, plain, versioned};

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct ReplayedLog {
    log: String,
    policy: String,
    rows: u64,
    arms: usize,
    bad_rows: BadRows,
    runs: usize,
    seed: u64,
    /// Matched rows between two publications; none for a policy that does not learn.
    publish_every: Option<u64>,
    /// Rows left after thinning to uniform, a run.
    thinned: f64,
    /// Matched rows, a run.
    matched: f64,
    versions: f64,
    least_value: f64,
    greatest_value: f64,
    refused: bool,
    uniform: bool,
    estimates: Vec<EstimateRow>,
    /// Where a policy that learns ended, the greatest shares first.
    last_split: Vec<(String, f64)>,
}

pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let replayed = replayed(args)?;
    let answer = Answer {
        text: text(&replayed, args.anyway),
        json: versioned(&replayed),
    };
    output::answer(&answer, Form::from_flag(args.reading.json))?;
    Ok(estimates::exit(replayed.refused))
}

pub(super) fn replayed(args: &ReplayArgs) -> Result<ReplayedLog, Failure> {
    let log = Log::survey(&args.log)?;
    let (runs, publish_every) = replays(&log, args)?;
    let rewards = log.reward_range();
    let finished: Vec<Replayed> = runs.into_iter().map(|run| run.finish(rewards)).collect();
    let replays = Replays::of(&finished, rewards);
    Ok(ReplayedLog {
        log: log.name(),
        policy: args.policy.to_string(),
        rows: log.survey.rows(),
        arms: log.arms.all().len(),
        runs: replays.runs,
        seed: args.seed,
        publish_every,
        thinned: replays.thinned,
        matched: replays.matched,
        versions: replays.versions,
        least_value: replays.spread.0.min(replays.value.value),
        greatest_value: replays.spread.1.max(replays.value.value),
        refused: replays.is_refused(),
        uniform: log.survey.is_uniform(),
        estimates: vec![
            EstimateRow::new("replay", &replays.value),
            EstimateRow::new("logged", &log.survey.logged(rewards)),
        ],
        last_split: last_split(&log, replays.allocation),
        bad_rows: log.bad,
    })
}

/// The second pass, for all runs at once.
fn replays(log: &Log<'_>, args: &ReplayArgs) -> Result<(Vec<Replay>, Option<u64>), Failure> {
    let arms = log.arms.all().len();
    let least = log.survey.least_propensity();
    let target = args
        .policy
        .target(log.arms.all(), log.cells.all().len())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let seeds = (0..args.runs).map(|run| args.seed.wrapping_add(run));
    let (mut runs, publish_every) = match (&args.policy, target) {
        (Candidate::Learning(kind), _) => {
            let every = args
                .publish_every
                .unwrap_or_else(|| usual_pace(log.survey.rows(), arms));
            let policy = Replay::usual(kind.clone(), arms);
            let runs = seeds.map(|seed| Replay::learning(policy.clone(), arms, every, least, seed));
            let runs: Result<Vec<Replay>, _> = runs.collect();
            (runs.map_err(|error| stuck(&error.into()))?, Some(every))
        }
        (_, Some(target)) => {
            let runs = seeds.map(|seed| Replay::still(target.clone(), least, seed));
            (runs.collect(), None)
        }
        (_, None) => unreachable!("only a policy that learns has no target"),
    };
    log.rows(|row| {
        for run in &mut runs {
            run.add(row).map_err(|error| stuck(&error))?;
        }
        Ok(())
    })?;
    Ok((runs, publish_every))
}

/// A hundred publications on the rows that can be expected to match, of which one in `arms` does.
fn usual_pace(rows: u64, arms: usize) -> u64 {
    /// Fewer rewards than this move nothing but noise.
    const LEAST: u64 = 10;
    (rows / arms.max(1) as u64 / 100).max(LEAST)
}

fn stuck(error: &ReplayError) -> Failure {
    let advice = match error {
        ReplayError::Row(_) => "; policies here learn from rewards in 0..1: scale them first",
        ReplayError::Policy(_) => "",
    };
    Failure::Usage(format!("the replay cannot go on: {error}{advice}"))
}

fn last_split(log: &Log<'_>, allocation: Option<Vec<f64>>) -> Vec<(String, f64)> {
    let shares = allocation.into_iter().flatten();
    let mut split: Vec<(String, f64)> = log.arms.all().iter().cloned().zip(shares).collect();
    split.sort_by(|a, b| b.1.total_cmp(&a.1));
    split
}

pub(super) fn text(replayed: &ReplayedLog, anyway: bool) -> Text {
    let ReplayedLog {
        log,
        policy,
        rows,
        arms,
        bad_rows,
        runs,
        publish_every,
        thinned,
        matched,
        versions,
        least_value,
        greatest_value,
        refused,
        uniform,
        estimates: shown,
        last_split,
        seed: _,
    } = replayed;
    let trusted = anyway || !refused;
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, log),
        plain(format!(
            "  {}; policy {policy}",
            made_of(*rows, *arms, 1, bad_rows)
        )),
    ]);
    let from = usize::from(!trusted);
    text.append(estimates::few(&shown[from..]));
    text.blank();
    if !uniform {
        text.say(format!(
            "The log is not uniform: {} of {} rows a run were kept to make it so.",
            count(thinned.round() as u64),
            count(*rows)
        ));
    }
    let (matched_rows, share) = (
        count(matched.round() as u64),
        matched / (*rows as f64).max(1.0),
    );
    text.say(format!(
        "{matched_rows} rows a run matched, {}.",
        percent(share)
    ));
    if trusted {
        let digits = estimates::digits(shown.iter().map(|row| row.value));
        let rate = |value: f64| format!("{value:.digits$}");
        text.say(format!(
            "{runs} runs with other draws gave {} to {}.",
            rate(*least_value),
            rate(*greatest_value)
        ));
    }
    if let Some(every) = publish_every {
        let first: Vec<String> = last_split
            .iter()
            .take(3)
            .map(|(arm, share)| format!("{arm} {}", percent(*share)))
            .collect();
        text.say(format!(
            "A new split every {every} matched rows, {versions:.0} of them a run; at the end {}.",
            first.join(", ")
        ));
    }
    if *refused {
        text.line([
            Span::new(Role::Bad, "refuse"),
            plain("  fewer than 100 rows matched: this log cannot tell"),
        ]);
        if !anyway {
            text.say("The value is not shown; --anyway shows it.");
        }
    }
    text
}
