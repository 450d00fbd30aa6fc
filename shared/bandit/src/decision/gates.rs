//! What must hold before anything is recommended (STATS 8.1), each gate with its number and its limit.

use super::evidence::GuardrailStatus;
use super::{ArmEvidence, Check, Choice, Look, Status, words};
use crate::experiment::Millis;

pub(super) const SAMPLES: &str = "samples";
pub(super) const RUNTIME: &str = "runtime";
pub(super) const SAMPLE_RATIO: &str = "sample_ratio";
pub(super) const GUARDRAILS: &str = "guardrails";
pub(super) const DATA_QUALITY: &str = "data_quality";

/// All five.
pub(super) fn all(look: &Look) -> Vec<Check> {
    vec![
        samples(look),
        runtime(look),
        sample_ratio(look),
        guardrails(look),
        data_quality(look),
    ]
}

/// The gate of this name.
pub(super) fn named<'a>(gates: &'a [Check], name: &str) -> Option<&'a Check> {
    gates.iter().find(|gate| gate.name == name)
}

/// The first of the gates without which no figure can be trusted that does not hold.
pub(super) fn untrusted(gates: &[Check]) -> Option<&Check> {
    gates.iter().find(|gate| {
        [SAMPLE_RATIO, GUARDRAILS, DATA_QUALITY].contains(&gate.name.as_str()) && !gate.passes()
    })
}

/// Whether the arm has enough outcomes to be compared (gate 1).
pub(super) fn enough(look: &Look, arm: &ArmEvidence) -> bool {
    arm.resolved >= look.rules.min_samples && arm.rare() >= look.rules.min_conversions
}

/// Whether this look is the one at the end of whole cycles (gate 2): not before the least runtime, within a day of the
/// end of a cycle, and once a cycle.
pub(super) fn cycle_ends(look: &Look) -> bool {
    let (rules, evidence) = (look.rules, look.evidence);
    if evidence.matured_for < rules.min_runtime {
        return false;
    }
    if rules.cycle == Millis(0) {
        return true;
    }
    let over = Millis(evidence.matured_for.0 % rules.cycle.0);
    let fresh = rules.cycles(evidence.matured_for) > look.memory.cycles;
    fresh && whole_enough(look) && over <= rules.day()
}

/// Whether the least runtime is itself a whole number of cycles, or has been passed by one.
fn whole_enough(look: &Look) -> bool {
    let needed = look.rules.min_runtime.0.div_ceil(look.rules.cycle.0);
    look.rules.cycles(look.evidence.matured_for) >= needed
}

/// Gate 1, of control and the arms that still get traffic: the one that is furthest behind.
fn samples(look: &Look) -> Check {
    let rules = look.rules;
    let compared = || {
        let arms = look.evidence.arms.iter();
        arms.filter(|arm| arm.control || !arm.at_floor)
    };
    let fewest = compared().min_by_key(|arm| arm.resolved);
    let rarest = compared().min_by(|a, b| a.rare().total_cmp(&b.rare()));
    let (Some(fewest), Some(rarest)) = (fewest, rarest) else {
        return check(
            SAMPLES,
            Status::Unknown,
            "no open arm to compare".to_owned(),
        );
    };
    if fewest.resolved < rules.min_samples {
        return Check {
            arm: Some(fewest.arm),
            value: Some(fewest.resolved as f64),
            threshold: Some(rules.min_samples as f64),
            ..check(
                SAMPLES,
                Status::Fail,
                format!(
                    "{} of {} outcomes on \"{}\"",
                    words::count(fewest.resolved),
                    words::count(rules.min_samples),
                    fewest.name
                ),
            )
        };
    }
    let found = rarest.rare();
    let status = pass_if(found >= rules.min_conversions);
    let kind = if rarest.reward_sum <= found {
        "conversions"
    } else {
        "failures"
    };
    Check {
        arm: Some(rarest.arm),
        value: Some(found),
        threshold: Some(rules.min_conversions),
        ..check(
            SAMPLES,
            status,
            if status == Status::Pass {
                format!(
                    "{} outcomes or more on every compared arm",
                    words::count(fewest.resolved)
                )
            } else {
                format!(
                    "{} of {} {kind} on \"{}\"",
                    words::count(found.round() as u64),
                    words::count(rules.min_conversions.ceil() as u64),
                    rarest.name
                )
            },
        )
    }
}

/// Gate 2. A recommendation that stands is not taken back between two ends of a cycle.
fn runtime(look: &Look) -> Check {
    let (rules, evidence) = (look.rules, look.evidence);
    let least = rules.min_runtime;
    let matured = words::span(evidence.matured_for);
    let stands = look.memory.choice != Choice::KeepRunning;
    let (status, text) = if evidence.matured_for < least {
        let text = format!("{matured} of {} of resolved data", words::span(least));
        (Status::Fail, text)
    } else if rules.cycle == Millis(0) || stands || cycle_ends(look) {
        (Status::Pass, format!("{matured} of resolved data"))
    } else {
        let next = (rules.cycles(evidence.matured_for) + 1) * rules.cycle.0;
        let text = format!(
            "{matured} of resolved data; the next whole {} is over at {}",
            words::cycle(rules.cycle),
            words::span(Millis(next))
        );
        (Status::Fail, text)
    };
    Check {
        value: Some(evidence.matured_for.0 as f64),
        threshold: Some(least.0 as f64),
        ..check(RUNTIME, status, text)
    }
}

/// Gate 3.
fn sample_ratio(look: &Look) -> Check {
    let limit = look.rules.least_srm_p;
    let Some(p) = look.evidence.sample_ratio.p_value else {
        return check(
            SAMPLE_RATIO,
            Status::Unknown,
            "too few units to compare the split with its allocation".to_owned(),
        );
    };
    Check {
        value: Some(p),
        threshold: Some(limit),
        ..check(
            SAMPLE_RATIO,
            pass_if(p >= limit),
            format!(
                "the observed split has p = {}; below {limit} it is not the one that was drawn",
                words::p_value(p)
            ),
        )
    }
}

/// Gate 4. What nothing watches yet cannot stop a recommendation, but is said with it.
fn guardrails(look: &Look) -> Check {
    let named = |status| {
        let guardrails = look.evidence.guardrails.iter();
        let names: Vec<&str> = guardrails
            .filter(|guardrail| guardrail.status == status)
            .map(|guardrail| guardrail.name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let (status, text) = if let Some(names) = named(GuardrailStatus::Fail) {
        (Status::Fail, format!("over the limit: {names}"))
    } else if let Some(names) = named(GuardrailStatus::Unknown) {
        (Status::Unknown, format!("not known yet: {names}"))
    } else if let Some(names) = named(GuardrailStatus::NotWatched) {
        (
            Status::Pass,
            format!("declared, but not watched yet: {names}"),
        )
    } else if let Some(names) = named(GuardrailStatus::Warn) {
        (Status::Pass, format!("close to the limit: {names}"))
    } else if look.evidence.guardrails.is_empty() {
        (Status::Pass, "none is declared".to_owned())
    } else {
        (Status::Pass, "all inside their limits".to_owned())
    };
    check(GUARDRAILS, status, text)
}

/// Gate 5.
fn data_quality(look: &Look) -> Check {
    let (late, most) = (look.evidence.late_share, look.rules.most_late);
    Check {
        value: Some(late),
        threshold: Some(most),
        ..check(
            DATA_QUALITY,
            pass_if(late <= most),
            format!(
                "{} of the events came too late to count; more than {} is a longer window's job",
                words::percent(late),
                words::percent(most)
            ),
        )
    }
}

pub(super) fn pass_if(holds: bool) -> Status {
    if holds { Status::Pass } else { Status::Fail }
}

pub(super) fn check(name: &str, status: Status, text: String) -> Check {
    Check {
        name: name.to_owned(),
        status,
        text,
        arm: None,
        value: None,
        threshold: None,
    }
}
