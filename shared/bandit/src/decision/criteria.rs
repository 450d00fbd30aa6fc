//! What a treatment is held against: each criterion with its number and its limit.

use super::gates::{check, pass_if};
use super::{ArmEvidence, Check, Look, Status, Versus, words};
use crate::scale::Scale;
use crate::spec::model::DecisionPreset;

/// What an arm must show to be shipped.
pub(super) fn ship_checks(
    look: &Look,
    arm: &ArmEvidence,
    versus: &Versus,
    stands: bool,
) -> Vec<Check> {
    let rules = look.rules;
    if rules.preset == DecisionPreset::Strict {
        // Once it was above 0 it stays recommended until the posterior itself has doubts.
        return if stands {
            vec![p_better(look, arm, versus, rules.p_ship.leave)]
        } else {
            vec![lift_above_zero(look, arm, versus)]
        };
    }
    vec![
        p_better(look, arm, versus, rules.p_ship.of(stands)),
        little_loss(look, arm, rules.most_loss.of(stands)),
        little_left(look, arm, stands),
    ]
}

pub(super) fn p_better(look: &Look, arm: &ArmEvidence, versus: &Versus, limit: f64) -> Check {
    let control = look.evidence.control().map_or("control", |arm| &arm.name);
    Check {
        arm: Some(arm.arm),
        value: Some(versus.p_better),
        threshold: Some(limit),
        ..check(
            "p_better",
            pass_if(versus.p_better >= limit),
            format!(
                "P(\"{}\" better than \"{control}\") is {}, needs {}",
                arm.name,
                words::probability(versus.p_better),
                words::probability(limit)
            ),
        )
    }
}

/// Of the reward: where less of its value is better, the value's own difference is to be below 0.
pub(super) fn lift_above_zero(look: &Look, arm: &ArmEvidence, versus: &Versus) -> Check {
    let Some(lift) = versus.lift else {
        return check(
            "lift",
            Status::Unknown,
            format!("the weighted lift of \"{}\" is not known", arm.name),
        );
    };
    let scale = look.evidence.scale;
    let (bound, side) = if scale.is_some_and(Scale::falls) {
        ("at most", "below")
    } else {
        ("at least", "above")
    };
    Check {
        arm: Some(arm.arm),
        value: Some(lift.low),
        threshold: Some(0.0),
        ..check(
            "lift",
            pass_if(lift.low > 0.0),
            format!(
                "the weighted lift of \"{}\" is {bound} {}, needs to be {side} 0",
                arm.name,
                words::difference(scale, lift.low)
            ),
        )
    }
}

/// Expected loss is relative to control, so that 0.5 % means the same at any rate (STATS 6.1).
fn little_loss(look: &Look, arm: &ArmEvidence, most: f64) -> Check {
    let control = look.evidence.control().map_or(0.0, |control| control.mean);
    let loss = arm.expected_loss / control.max(f64::MIN_POSITIVE);
    Check {
        arm: Some(arm.arm),
        value: Some(loss),
        threshold: Some(most),
        ..check(
            "expected_loss",
            pass_if(loss <= most),
            format!(
                "shipping \"{}\" now loses {} of control's reward on average, at most {}",
                arm.name,
                words::percent(loss),
                words::percent(most)
            ),
        )
    }
}

/// Little is to be gained from going on: the value remaining is small, or the arm is the best one (STATS 6.3).
fn little_left(look: &Look, arm: &ArmEvidence, stands: bool) -> Check {
    let left = look.evidence.value_remaining;
    let most = look.rules.most_remaining.of(stands);
    let best = look.rules.p_best.of(stands);
    let little = left.is_some_and(|left| left <= most);
    let left_in_words = left.map_or_else(
        || "it is not known how much better another arm may still be".to_owned(),
        |left| {
            format!(
                "another arm may still be {} better (95%)",
                words::percent(left)
            )
        },
    );
    Check {
        arm: Some(arm.arm),
        value: left,
        threshold: Some(most),
        ..check(
            "value_remaining",
            pass_if(little || arm.p_best >= best),
            format!(
                "{left_in_words}, at most {} or P(best) at least {}, and it is {}",
                words::percent(most),
                words::probability(best),
                words::probability(arm.p_best)
            ),
        )
    }
}
