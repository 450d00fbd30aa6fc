//! `pitboss posterior`: which arm is best and what the others would lose, for counts that somebody types, without a
//! daemon.

use bandit::posterior::{BetaPosterior, Posterior, StudentTPosterior};
use bandit::probability::{BestArm, QuadratureError, best_arm, leader, p_less_than_reference};
use serde::Serialize;

use super::{Exit, Failure};
use crate::cli::PosteriorArgs;
use crate::output::{self, Align, Answer, Form, Role, Span, Table, Text, plain, versioned};

/// The level of the intervals.
const LEVEL: f64 = 0.95;

/// What is known of the arms, each list in the order in which they were typed.
#[derive(Debug, Serialize)]
struct Report {
    /// As text, such as `Beta(45, 955)`.
    arms: Vec<String>,
    mean: Vec<f64>,
    /// The level of `low` and `high`.
    level: f64,
    low: Vec<f64>,
    high: Vec<f64>,
    p_best: Vec<f64>,
    expected_loss: Vec<f64>,
    /// The place of the arm with the greatest mean, from 0.
    leader: usize,
    /// Nothing for the leader itself.
    p_less_than_leader: Vec<Option<f64>>,
}

pub(super) fn run(args: &PosteriorArgs) -> Result<Exit, Failure> {
    output::answer(&answer(args)?, Form::from_flag(args.reading.json))?;
    Ok(Exit::Done)
}

/// `--beta ALPHA,BETA`
pub fn beta(text: &str) -> Result<Posterior, String> {
    let numbers = numbers(text).filter(|numbers| numbers.len() == 2);
    let Some([alpha, beta]) = numbers.as_deref() else {
        return Err("write alpha,beta: two numbers above 0, such as 45,955".to_owned());
    };
    let posterior = BetaPosterior {
        alpha: *alpha,
        beta: *beta,
    };
    alone(posterior.into())
}

/// `--normal MEAN,SD,N`
pub fn normal(text: &str) -> Result<Posterior, String> {
    let numbers = numbers(text).filter(|numbers| numbers.len() == 3);
    let Some([mean, sd, n]) = numbers.as_deref() else {
        return Err(
            "write mean,sd,n: the mean and the standard deviation of n observations, such as 31.9,12.5,400"
                .to_owned(),
        );
    };
    if !(mean.is_finite() && sd.is_finite() && *sd > 0.0) {
        return Err(
            "the mean must be a finite number, the standard deviation one above 0".to_owned(),
        );
    }
    if !(n.is_finite() && *n > 2.0) {
        return Err(format!(
            "{n} observations are too few for a mean with an expectation; it takes more than 2"
        ));
    }
    StudentTPosterior::of_sample(*mean, *sd, *n)
        .ok_or_else(|| "these numbers are out of range".to_owned())
        .and_then(|posterior| alone(posterior.into()))
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split(',')
        .map(|part| part.trim().parse().ok())
        .collect()
}

/// The posterior, if it can be compared at all.
fn alone(posterior: Posterior) -> Result<Posterior, String> {
    best_arm(&[posterior])
        .map(|_| posterior)
        .map_err(|error| error.to_string())
}

fn answer(args: &PosteriorArgs) -> Result<Answer, Failure> {
    let posteriors = match (args.beta.as_slice(), args.normal.as_slice()) {
        (betas, []) => betas,
        ([], normals) => normals,
        (..) => {
            return Err(Failure::Usage(
                "--beta and --normal cannot be compared: one is a rate, the other the mean of any numbers; \
                 ask once for each"
                    .to_owned(),
            ));
        }
    };
    let report = report(posteriors).map_err(|error| match error {
        QuadratureError::NotConverged(_) => Failure::Breached(error.to_string()),
        wrong => Failure::Usage(wrong.to_string()),
    })?;
    Ok(Answer {
        text: text(&report),
        json: versioned(&report),
    })
}

fn report(posteriors: &[Posterior]) -> Result<Report, QuadratureError> {
    let BestArm {
        p_best,
        expected_loss,
    } = best_arm(posteriors)?;
    let leader = leader(posteriors);
    let intervals = posteriors.iter().map(|it| it.interval(LEVEL));
    let (low, high) = intervals.unzip();
    Ok(Report {
        arms: posteriors.iter().map(Posterior::to_string).collect(),
        mean: posteriors.iter().map(Posterior::mean).collect(),
        level: LEVEL,
        low,
        high,
        p_best,
        expected_loss,
        leader,
        p_less_than_leader: p_less_than_reference(posteriors, leader)?,
    })
}

fn text(report: &Report) -> Text {
    let mut table = Table::new(&[
        ("ARM", Align::Left),
        ("POSTERIOR", Align::Left),
        ("MEAN", Align::Right),
        ("95% INTERVAL", Align::Left),
        ("P(BEST)", Align::Right),
        ("LOSS", Align::Right),
        ("P(WORSE)", Align::Right),
    ]);
    for (at, arm) in report.arms.iter().enumerate() {
        let interval = format!("{} to {}", figure(report.low[at]), figure(report.high[at]));
        let worse = report.p_less_than_leader[at];
        table.row([
            plain((at + 1).to_string()),
            plain(arm),
            plain(figure(report.mean[at])),
            plain(interval),
            plain(probability(report.p_best[at])),
            plain(figure(report.expected_loss[at])),
            worse.map_or_else(|| Span::new(Role::Dim, "leader"), |p| plain(probability(p))),
        ]);
    }
    let mut text = table.text();
    text.blank().line([Span::new(
        Role::Dim,
        format!(
            "LOSS: what choosing the arm would lose on average; P(WORSE): that it is worse than arm {}",
            report.leader + 1
        ),
    )]);
    text
}

/// Four digits that say something: `0.045`, `31.9`, `1.2e-9`.
fn figure(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{number:.3e}");
    }
    let before_point = size.log10().floor() as i32 + 1;
    let digits = usize::try_from(4 - before_point).unwrap_or(0);
    let text = format!("{number:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Six decimals; what would be nothing then is written as a power of ten.
fn probability(p: f64) -> String {
    if p > 0.0 && p < 1e-6 {
        return format!("{p:.1e}");
    }
    format!("{p:.6}")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn asked(line: &str) -> Result<serde_json::Value, Failure> {
        let words = ["pitboss", "posterior"].into_iter();
        let cli = Cli::try_parse_from(words.chain(line.split_whitespace()))
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let Some(Command::Posterior(args)) = cli.command else {
            panic!("another command");
        };
        answer(&args).map(|answer| answer.json)
    }

    #[test]
    fn arrays_are_in_the_order_given_and_keep_every_digit() {
        let said = asked("--beta 85,915 --beta 45,955 --json").expect("an answer");
        assert_eq!(said["schema"], 1);
        assert_eq!(said["leader"], 0);
        let posteriors = [(85.0, 915.0), (45.0, 955.0)]
            .map(|(alpha, beta)| Posterior::Beta(BetaPosterior { alpha, beta }));
        let best = best_arm(&posteriors).expect("an answer");
        let text = said.to_string();
        let back: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for at in 0..2 {
            assert_eq!(back["p_best"][at], best.p_best[at]);
            assert_eq!(back["expected_loss"][at], best.expected_loss[at]);
        }
        assert!(said["p_less_than_leader"][0].is_null());
        // a_beta_pbest.json, `seed-doc blue/green`
        let worse = said["p_less_than_leader"][1].as_f64().expect("a number");
        assert!((worse - 0.999_877_521_410_748_1).abs() < 1e-11, "{worse}");
    }

    #[test]
    fn means_may_be_negative_and_follow_a_flag_or_an_equals_sign() {
        let apart = asked("--normal -1.5,2,30 --normal 0.5,2.5,40").expect("an answer");
        let joined = asked("--normal=-1.5,2,30 --normal=0.5,2.5,40").expect("an answer");
        assert_eq!(apart, joined);
        assert_eq!(apart["mean"][0], -1.5);
        assert_eq!(apart["leader"], 1);
    }

    #[test]
    fn what_is_wrong_is_named_and_ends_with_the_code_for_usage() {
        for (line, named) in [
            ("", "--beta"),
            ("--beta 45", "'45'"),
            ("--beta 45,x", "'45,x'"),
            ("--beta 1,2,3", "'1,2,3'"),
            ("--beta 45,955 --beta 0,5", "'0,5'"),
            ("--beta nan,5", "'nan,5'"),
            ("--beta -1,5", "'-1,5'"),
            ("--normal 1,2", "'1,2'"),
            ("--normal 1,0,10", "'1,0,10'"),
            ("--normal 1,2,2", "'1,2,2'"),
            ("--normal inf,2,20", "'inf,2,20'"),
            ("--beta 1,2 --normal 1,2,3", "--normal"),
        ] {
            let failure = asked(line).expect_err(line);
            assert_eq!(failure.exit(), Exit::Usage, "{line}");
            assert!(failure.to_string().contains(named), "{line}: {failure}");
        }
        let many = "--beta 1,2 ".repeat(65);
        let failure = asked(&many).expect_err("65 arms");
        assert_eq!(failure.exit(), Exit::Usage);
    }

    #[test]
    fn figures_keep_four_digits() {
        for (number, text) in [
            (0.0, "0"),
            (0.045, "0.045"),
            (0.058_712_3, "0.05871"),
            (31.95, "31.95"),
            (123_456.0, "123456"),
            (1.2e-9, "1.200e-9"),
            (-2.5, "-2.5"),
            (100.0, "100"),
        ] {
            assert_eq!(figure(number), text);
        }
        assert_eq!(probability(0.000_122_478), "0.000122");
        assert_eq!(probability(3.2e-12), "3.2e-12");
        assert_eq!(probability(0.0), "0.000000");
    }
}
