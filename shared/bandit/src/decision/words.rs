//! Decisions in sentences.

use super::{ArmEvidence, Check, Choice, Look, Status, gates};
use crate::experiment::{ArmId, Millis};
use crate::plan::numbers;
use crate::scale::Scale;

const MINUTE: f64 = 60_000.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// The decision in a sentence.
pub(super) fn sentence(
    look: &Look,
    choice: Choice,
    reasons: &[Check],
    gates: &[Check],
    days_left: Option<f64>,
) -> String {
    match choice {
        Choice::Ship { arm } => ship(look, arm),
        Choice::Kill => format!("Stop it and keep control: {}.", first(reasons)),
        Choice::KillArm { arm } => format!(
            "Close \"{}\": {}.",
            name(look, arm),
            first_about(reasons, arm)
        ),
        Choice::Iterate => format!("Try something else: {}.", first(reasons)),
        Choice::KeepRunning => keep_running(look, reasons, gates, days_left),
    }
}

/// The lift is the weighted estimate with its sequence, never the mean of an arm that was chosen because it led
/// (STATS 8.3).
fn ship(look: &Look, id: ArmId) -> String {
    let evidence = look.evidence;
    let Some((arm, versus)) = evidence.treatments().find(|(arm, _)| arm.arm == id) else {
        return format!("Ship \"{}\".", name(look, id));
    };
    let control = evidence.control().map_or("control", |arm| &arm.name);
    let after = format!(
        "after {} and {} outcomes",
        span(evidence.matured_for),
        count(evidence.resolved())
    );
    let lift = versus.lift.map_or_else(String::new, |lift| {
        let (mut first, mut last) = (lift.low, lift.high);
        if evidence.scale.is_some_and(Scale::falls) {
            std::mem::swap(&mut first, &mut last);
        }
        let said = |lift: f64| difference(evidence.scale, lift);
        format!(
            ", by {} ({} to {})",
            said(lift.estimate),
            said(first),
            said(last)
        )
    });
    format!(
        "Ship \"{}\": {} likely better than \"{control}\"{lift}, {after}.",
        arm.name,
        likely(versus.p_better)
    )
}

fn keep_running(look: &Look, reasons: &[Check], gates: &[Check], days_left: Option<f64>) -> String {
    let blocking = gates.iter().find(|gate| !gate.passes());
    let standing = match look.evidence.leading_treatment() {
        Some((arm, versus)) if leads(look, arm) => format!(
            "\"{}\" leads with P(better) {}",
            arm.name,
            probability(versus.p_better)
        ),
        Some(_) => "control leads".to_owned(),
        None => "there is nothing to compare".to_owned(),
    };
    let left = days_left.map_or_else(String::new, |days| {
        format!("; about {} to go", span(Millis((days * DAY) as u64)))
    });
    match blocking {
        Some(gate) if gate.name == gates::SAMPLES || gate.name == gates::RUNTIME => {
            format!("Keep running: {}; {standing}{left}.", gate.text)
        }
        Some(gate) if gate.status == Status::Unknown => {
            format!(
                "Keep running: nothing is recommended while {}.",
                unknown(gate)
            )
        }
        Some(gate) => format!("Look into the data first: {}.", gate.text),
        None if reasons.is_empty() => format!("Keep running: {standing}{left}."),
        None => format!("Keep running: {standing}, not enough yet{left}."),
    }
}

fn unknown(gate: &Check) -> String {
    match gate.name.as_str() {
        gates::GUARDRAILS => format!("guardrails are {}", gate.text),
        _ => format!("there are {}", gate.text),
    }
}

fn leads(look: &Look, arm: &ArmEvidence) -> bool {
    look.evidence
        .leader()
        .is_some_and(|leader| leader.arm == arm.arm)
}

fn name(look: &Look, arm: ArmId) -> String {
    look.evidence
        .arm(arm)
        .map_or_else(|| format!("arm {arm}"), |arm| arm.name.clone())
}

fn first(reasons: &[Check]) -> &str {
    reasons.first().map_or("", |reason| &reason.text)
}

fn first_about(reasons: &[Check], arm: ArmId) -> &str {
    reasons
        .iter()
        .find(|reason| reason.arm == Some(arm))
        .map_or("", |reason| &reason.text)
}

/// A count with commas, such as `12,410`.
pub(super) fn count(number: u64) -> String {
    numbers::count(number)
}

/// A length of time to a tenth of its greatest unit, such as `6.9 days`, `3 hours` or `40 s`.
pub(super) fn span(length: Millis) -> String {
    let ms = length.0 as f64;
    let tenths = |unit: f64| (ms / unit * 10.0).floor() / 10.0;
    let plural = |amount: f64, unit: &str| {
        let s = if (amount - 1.0).abs() < f64::EPSILON {
            ""
        } else {
            "s"
        };
        format!("{amount} {unit}{s}")
    };
    if ms >= DAY {
        plural(tenths(DAY), "day")
    } else if ms >= HOUR {
        plural(tenths(HOUR), "hour")
    } else if ms >= MINUTE {
        format!("{} min", tenths(MINUTE))
    } else {
        format!("{:.0} s", (ms / 1_000.0).floor())
    }
}

/// What a cycle is called.
pub(super) fn cycle(length: Millis) -> String {
    if length.0 as f64 >= 7.0 * DAY {
        return "week".to_owned();
    }
    format!("period of {}", span(length))
}

/// A probability with four decimals, cut and not rounded, so that nothing looks certain that is not.
pub(super) fn probability(p: f64) -> String {
    format!("{:.4}", (p * 1e4 + 1e-6).floor() / 1e4)
}

/// A probability in words, such as `99.4%`; cut likewise.
fn likely(p: f64) -> String {
    if p > 0.9999 {
        return "more than 99.99%".to_owned();
    }
    format!("{}%", (p * 1e4).floor() / 1e2)
}

/// A part with two decimals, such as `0.25%`.
pub(super) fn percent(part: f64) -> String {
    format!("{}%", (part * 1e4).round() / 1e2)
}

/// A difference of rewards: of rates in points of a hundred, such as `+0.43 points`; of scaled rewards in their own
/// values, such as `-5.2`.
pub(super) fn difference(scale: Option<Scale>, reward: f64) -> String {
    match scale {
        None => format!("{:+.2} points", reward * 1e2),
        Some(scale) => format!("{:+.*}", scale.digits(), scale.difference(reward)),
    }
}

/// A p-value with two digits.
pub(super) fn p_value(p: f64) -> String {
    if p < 1e-3 {
        format!("{p:.1e}")
    } else {
        format!("{p:.3}")
    }
}

/// The least effect worth having, as the end of `better`.
pub(super) fn by_effect(effect: f64) -> String {
    if effect > 0.0 {
        format!(" by {} or more", percent(effect))
    } else {
        String::new()
    }
}
