//! Tables and sentences of every command that says what another policy would have earned.

use protocol::evaluation::{EstimateRow, Evaluation, GateRow};

use super::Exit;
use crate::output::{Align, Role, Span, Table, Text, plain};

/// The estimates; where the log cannot tell them, only its own mean.
pub(super) fn table(evaluation: &Evaluation, trusted: bool) -> Text {
    let shown = if trusted {
        evaluation.estimates.len()
    } else {
        1
    };
    let digits = digits_of(evaluation);
    let mut table = heading();
    for row in &evaluation.estimates[..shown] {
        row_of(&mut table, row, digits, false);
    }
    if trusted {
        row_of(&mut table, &evaluation.difference, digits, true);
    }
    table.text()
}

/// The estimates that treat great weights otherwise.
pub(super) fn sensitivity(evaluation: &Evaluation) -> Text {
    let digits = digits_of(evaluation);
    let parts: Vec<String> = evaluation
        .sensitivity
        .iter()
        .map(|row| format!("{} {}", row.estimator, written(row.value, digits, false)))
        .collect();
    let mut text = Text::new();
    let what = "great weights cut, normalised, or left to the model:";
    text.line([Span::new(Role::Dim, what)]);
    text.line([plain("  "), plain(parts.join("   "))]);
    text
}

/// One estimator alone, such as a replay beside the log.
pub(super) fn few(rows: &[EstimateRow]) -> Text {
    let digits = digits(rows.iter().map(|row| row.value));
    let mut table = heading();
    for row in rows {
        row_of(&mut table, row, digits, false);
    }
    table.text()
}

/// What was checked, the bad news first where there is some.
pub(super) fn gates(gates: &[GateRow]) -> Text {
    let mut text = Text::new();
    for gate in gates {
        let role = match gate.level.as_str() {
            "pass" => Role::Good,
            "warn" => Role::Warn,
            _ => Role::Bad,
        };
        text.line([
            Span::new(role, format!("{:<6}", gate.level)),
            plain("  "),
            plain(&gate.sentence),
        ]);
    }
    text
}

/// Whether the policy is proven to earn other than `logged`, in one sentence.
pub(super) fn verdict(evaluation: &Evaluation, policy: &str, logged: &str) -> String {
    let gain = &evaluation.difference;
    let by = written(gain.value.abs(), digits_of(evaluation), false);
    match (evaluation.verdict.as_str(), evaluation.proven.as_str()) {
        ("refuse", _) => format!("This log cannot tell what {policy} would have earned."),
        (_, "better") => format!("{policy} is proven to earn more than {logged}, by about {by}."),
        (_, "worse") => format!("{policy} is proven to earn less than {logged}, by about {by}."),
        _ => format!("It is not proven that {policy} would have earned other than {logged}."),
    }
}

/// A refused value is no success.
pub(super) fn exit(refused: bool) -> Exit {
    if refused { Exit::Refused } else { Exit::Done }
}

/// What to type to see refused values.
pub(super) const ANYWAY: &str = "The values are not shown; --anyway shows them.";

fn heading() -> Table {
    use Align::{Left, Right};
    Table::new(&[
        ("ESTIMATOR", Left),
        ("VALUE", Right),
        ("95% INTERVAL", Right),
        ("SE", Right),
    ])
}

fn digits_of(evaluation: &Evaluation) -> usize {
    digits(evaluation.estimates.iter().map(|row| row.value))
}

fn row_of(table: &mut Table, row: &EstimateRow, digits: usize, signed: bool) {
    let write = |value: f64| written(value, digits, signed);
    let interval = match (row.low.zip(row.high), row.normal_low.zip(row.normal_high)) {
        (Some((low, high)), _) => format!("{} .. {}", write(low), write(high)),
        // Rewards without a known range have no other.
        (None, Some((low, high))) => format!("{} .. {} (normal)", write(low), write(high)),
        (None, None) => "-".to_owned(),
    };
    table.row([
        plain(&row.estimator),
        plain(write(row.value)),
        plain(interval),
        plain(
            row.standard_error
                .map_or_else(|| "-".to_owned(), |error| written(error, digits, false)),
        ),
    ]);
}

/// Figures that are read side by side have the same digits behind the point: as many as the greatest needs.
pub(super) fn digits(values: impl IntoIterator<Item = f64>) -> usize {
    let greatest = values.into_iter().map(f64::abs).fold(0.0, f64::max);
    match greatest {
        size if size >= 10.0 => 2,
        size if size >= 0.02 => 4,
        _ => 5,
    }
}

fn written(value: f64, digits: usize, signed: bool) -> String {
    let text = format!("{value:.digits$}");
    if signed && value >= 0.0 {
        format!("+{text}")
    } else {
        text
    }
}
