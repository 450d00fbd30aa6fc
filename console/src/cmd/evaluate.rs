//! `pitboss evaluate`: what a policy would have earned on somebody's log, by weighting.

use bandit::offpolicy::{self, Evaluator, Outcomes, Settings, Target};
use protocol::evaluation::Evaluation;
use serde::Serialize;

use super::format::count;
use super::log::{BadRows, Log};
use super::{Exit, Failure, estimates};
use crate::cli::EvaluateArgs;
use crate::output::{self, Answer, Form, Role, Span, Text, plain, versioned};

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Evaluated {
    log: String,
    policy: String,
    arms: usize,
    cells: usize,
    bad_rows: BadRows,
    #[serde(flatten)]
    evaluation: Evaluation,
}

pub(super) fn run(args: &EvaluateArgs) -> Result<Exit, Failure> {
    let evaluated = evaluated(args)?;
    let answer = Answer {
        text: text(&evaluated, args.anyway),
        json: versioned(&evaluated),
    };
    output::answer(&answer, Form::from_flag(args.reading.json))?;
    Ok(estimates::exit(evaluated.evaluation.verdict == "refuse"))
}

pub(super) fn evaluated(args: &EvaluateArgs) -> Result<Evaluated, Failure> {
    let log = Log::survey(&args.log)?;
    let target = args
        .policy
        .target(log.arms.all(), log.cells.all().len())
        .map_err(|error| Failure::Usage(error.to_string()))?
        .ok_or_else(|| learns(&args.policy.to_string()))?;
    let core = evaluate(&log, &target, Outcomes::LeaveOneOut)?;
    Ok(Evaluated {
        log: log.name(),
        policy: args.policy.to_string(),
        arms: log.arms.all().len(),
        cells: log.cells.all().len(),
        bad_rows: log.bad,
        evaluation: Evaluation::from(&core),
    })
}

/// The second pass.
pub(super) fn evaluate(
    log: &Log<'_>,
    target: &Target,
    outcomes: Outcomes,
) -> Result<offpolicy::Evaluation, Failure> {
    let settings = Settings {
        rewards: log.reward_range(),
        outcomes,
        ..Settings::of(&log.survey)
    };
    let mut evaluator = Evaluator::new(settings, log.survey.segments(target));
    // A row that did not fail in the survey can only fail now if the file is another.
    log.rows(|row| evaluator.add(row).map_err(|_| log.changed()))?;
    Ok(evaluator.finish())
}

fn learns(policy: &str) -> Failure {
    Failure::Usage(format!(
        "{policy} learns while it goes: weights cannot tell what it would have done; use pitboss replay"
    ))
}

pub(super) fn text(evaluated: &Evaluated, anyway: bool) -> Text {
    let Evaluated {
        log,
        policy,
        arms,
        cells,
        bad_rows,
        evaluation,
    } = evaluated;
    let refused = evaluation.verdict == "refuse";
    let mut text = Text::new();
    text.line([
        Span::new(Role::Strong, log),
        plain(format!(
            "  {}",
            made_of(evaluation.rows, *arms, *cells, bad_rows)
        )),
        plain(format!("; policy {policy}")),
    ]);
    text.append(estimates::table(evaluation, anyway || !refused));
    if anyway || !refused {
        text.append(estimates::sensitivity(evaluation));
    }
    text.blank();
    text.append(estimates::gates(&evaluation.gates));
    text.say(estimates::verdict(evaluation, policy, "was logged"));
    if refused && !anyway {
        text.say(estimates::ANYWAY);
    }
    text
}

/// `10,000 rows, 34 arms, 3 positions, 2 bad rows left out (line 7: the reward is missing)`
pub(super) fn made_of(rows: u64, arms: usize, cells: usize, bad: &BadRows) -> String {
    let mut parts = vec![format!("{} rows", count(rows)), format!("{arms} arms")];
    if cells > 1 {
        parts.push(format!("{cells} positions"));
    }
    if let Some(first) = bad.first.first() {
        parts.push(format!(
            "{} left out (line {}: {})",
            super::failure::counted(bad.count as usize, "bad row"),
            first.line,
            first.reason
        ));
    }
    parts.join(", ")
}
