//! The rules of the presets `standard` and `strict` (STATS 8.2), in the order in which they are asked.

use super::criteria::{lift_above_zero, p_better, ship_checks};
use super::evidence::GuardrailStatus;
use super::gates::{self, check, cycle_ends, enough, pass_if};
use super::{ArmEvidence, Check, Choice, Look, words};

/// No treatment is likely to be worth it.
const FUTILE: &str = "futile";

/// The leading treatment is as good as control.
const SAME: &str = "same";

/// A treatment is worse than control.
const HARM: &str = "harm";

/// The choice and what was compared for it.
pub(super) fn choose(look: &Look, gates: &[Check]) -> (Choice, Vec<Check>) {
    if let Some(stop) = stop_at_once(look) {
        return stop;
    }
    if let Some(gate) = gates::untrusted(gates) {
        return match time_is_up(look) {
            Some(up) => (Choice::Iterate, vec![up, gate.clone()]),
            None => (Choice::KeepRunning, vec![gate.clone()]),
        };
    }
    let chosen = overwhelming(look)
        .or_else(|| ship(look, gates))
        .or_else(|| futile(look))
        .or_else(|| same(look))
        .or_else(|| harmful(look))
        .or_else(|| out_of_time(look));
    chosen.unwrap_or_else(|| (Choice::KeepRunning, missing(look, gates)))
}

/// An invalid experiment, or one that hurts whatever is shown, ends at any look.
pub(super) fn stop_at_once(look: &Look) -> Option<(Choice, Vec<Check>)> {
    let evidence = look.evidence;
    let limit = look.rules.invalid_e;
    if let Some(e) = evidence.sample_ratio.e_value.filter(|e| *e > limit) {
        let text = format!(
            "the observed split contradicts the allocation: e-value {e:.0}, more than {limit:.0}"
        );
        let found = Check {
            value: Some(e),
            threshold: Some(limit),
            ..check("invalid", pass_if(true), text)
        };
        return Some((Choice::Kill, vec![found]));
    }
    let fails = |arm: &ArmEvidence| {
        let guardrails = evidence.guardrails.iter();
        let mut of_arm = guardrails.filter(|guardrail| {
            guardrail.status == GuardrailStatus::Fail
                && guardrail.arm.is_none_or(|id| id == arm.arm)
        });
        of_arm.next().map(|guardrail| guardrail.name.clone())
    };
    let failed: Option<Vec<String>> = evidence.treatments().map(|(arm, _)| fails(arm)).collect();
    let mut failed = failed.filter(|names| !names.is_empty())?;
    failed.dedup();
    let text = format!("every treatment is over a limit: {}", failed.join(", "));
    Some((
        Choice::Kill,
        vec![check(gates::GUARDRAILS, pass_if(true), text)],
    ))
}

/// Ship before the least runtime: P(better) near certainty and a confidence sequence above 0, which both survive being
/// looked at every hour.
fn overwhelming(look: &Look) -> Option<(Choice, Vec<Check>)> {
    let candidates = look.evidence.treatments();
    let mut passed = candidates
        .filter(|(arm, _)| comparable(look, arm))
        .map(|(arm, versus)| {
            let better = p_better(look, arm, versus, look.rules.p_overwhelming);
            (arm, vec![better, lift_above_zero(look, arm, versus)])
        })
        .filter(|(_, checks)| checks.iter().all(Check::passes));
    let (arm, checks) = passed.next()?;
    Some((ship_or_iterate(look, arm), checks))
}

/// Ship at the end of whole cycles, or go on recommending it while it is not refuted.
fn ship(look: &Look, gates: &[Check]) -> Option<(Choice, Vec<Check>)> {
    let due = cycle_ends(look) && gates::named(gates, gates::SAMPLES).is_some_and(Check::passes);
    let stands = |arm: &ArmEvidence| look.memory.choice == Choice::Ship { arm: arm.arm };
    let mut candidates: Vec<_> = look.evidence.treatments().collect();
    candidates.sort_by(|(a, _), (b, _)| {
        let least_loss = a.expected_loss.total_cmp(&b.expected_loss);
        stands(b).cmp(&stands(a)).then(least_loss)
    });
    let mut passed = candidates
        .into_iter()
        .filter(|(arm, _)| (stands(arm) || due) && comparable(look, arm))
        .map(|(arm, versus)| (arm, ship_checks(look, arm, versus, stands(arm))))
        .filter(|(_, checks)| checks.iter().all(Check::passes));
    let (arm, checks) = passed.next()?;
    Some((ship_or_iterate(look, arm), checks))
}

/// A guardrail close to its limit turns a winner into a reason to try again.
fn ship_or_iterate(look: &Look, arm: &ArmEvidence) -> Choice {
    let warns = look.evidence.guardrails.iter().any(|guardrail| {
        guardrail.status == GuardrailStatus::Warn && guardrail.arm.is_none_or(|id| id == arm.arm)
    });
    if warns {
        return Choice::Iterate;
    }
    Choice::Ship { arm: arm.arm }
}

/// Stop: no treatment is likely to be better by what is worth having.
fn futile(look: &Look) -> Option<(Choice, Vec<Check>)> {
    let stands = look.memory.stands(Choice::Kill, FUTILE);
    if !stands && !cycle_ends(look) {
        return None;
    }
    let limit = look.rules.p_futile.of(stands);
    let checks: Vec<Check> = look
        .evidence
        .treatments()
        .map(|(arm, versus)| {
            let hopeless = versus.p_worthwhile <= limit && versus.p_better <= 0.5;
            let text = format!(
                "P(\"{}\" better{}) is {}, at most {}",
                arm.name,
                words::by_effect(look.rules.min_effect),
                words::probability(versus.p_worthwhile),
                words::probability(limit)
            );
            Check {
                arm: Some(arm.arm),
                value: Some(versus.p_worthwhile),
                threshold: Some(limit),
                ..check(FUTILE, pass_if(hopeless && comparable(look, arm)), text)
            }
        })
        .collect();
    let all = !checks.is_empty() && checks.iter().all(Check::passes);
    all.then_some((Choice::Kill, checks))
}

/// Iterate: the leading treatment is as good as control, for all that matters.
fn same(look: &Look) -> Option<(Choice, Vec<Check>)> {
    let stands = look.memory.stands(Choice::Iterate, SAME);
    if !stands && !cycle_ends(look) {
        return None;
    }
    let (arm, versus) = look.evidence.leading_treatment()?;
    let limit = look.rules.p_same.of(stands);
    let text = format!(
        "P(\"{}\" within {} of control) is {}, at least {}",
        arm.name,
        words::percent(look.rules.same_within),
        words::probability(versus.p_same),
        words::probability(limit)
    );
    let found = Check {
        arm: Some(arm.arm),
        value: Some(versus.p_same),
        threshold: Some(limit),
        ..check(SAME, pass_if(versus.p_same >= limit), text)
    };
    (found.passes() && comparable(look, arm)).then_some((Choice::Iterate, vec![found]))
}

/// Close an arm that is worse than control, at any look: being slow is cheap, because a bandit has taken its traffic
/// already, so it takes near certainty, or three days in a row of it (STATS 8.4). If no treatment is left, stop.
fn harmful(look: &Look) -> Option<(Choice, Vec<Check>)> {
    let days = look.memory.counted(look.rules, look.evidence);
    let runs_long_enough = look.evidence.matured_for >= look.rules.min_runtime;
    let checks: Vec<(Choice, Check)> = look
        .evidence
        .treatments()
        .filter(|(arm, _)| comparable(look, arm))
        .filter_map(|(arm, versus)| {
            let choice = Choice::KillArm { arm: arm.arm };
            let standing = [choice, Choice::Kill].map(|choice| look.memory.stands(choice, HARM));
            let limit = look.rules.p_harm.of(standing.contains(&true));
            let worse = 1.0 - versus.p_better;
            let in_a_row = days
                .iter()
                .find(|(id, _)| *id == arm.arm)
                .map_or(0, |it| it.1);
            let lasting = runs_long_enough && in_a_row >= super::Rules::DAYS_AGAINST;
            if worse < limit && !lasting {
                return None;
            }
            let mut text = format!(
                "P(\"{}\" worse than control) is {}",
                arm.name,
                words::probability(worse)
            );
            if worse >= limit {
                text = format!("{text}, at least {}", words::probability(limit));
            } else {
                text = format!("{text}, for {in_a_row} days in a row");
            }
            let found = Check {
                arm: Some(arm.arm),
                value: Some(worse),
                threshold: Some(if worse >= limit {
                    limit
                } else {
                    look.rules.p_harm_daily
                }),
                ..check(HARM, pass_if(true), text)
            };
            Some((choice, found))
        })
        .collect();
    let worst = checks.iter().max_by(|(_, a), (_, b)| {
        let value = |check: &Check| check.value.unwrap_or(0.0);
        value(a).total_cmp(&value(b))
    })?;
    let choice = if checks.len() == look.evidence.treatments().count() {
        Choice::Kill
    } else {
        worst.0
    };
    Some((choice, checks.into_iter().map(|(_, check)| check).collect()))
}

/// The longest runtime is over: stop if control leads, else try something else.
fn out_of_time(look: &Look) -> Option<(Choice, Vec<Check>)> {
    let up = time_is_up(look)?;
    let best = look
        .evidence
        .treatments()
        .map(|(_, versus)| versus.p_better)
        .fold(0.0, f64::max);
    let choice = if best < 0.5 {
        Choice::Kill
    } else {
        Choice::Iterate
    };
    Some((choice, vec![up]))
}

fn time_is_up(look: &Look) -> Option<Check> {
    let most = look.rules.max_runtime?;
    (look.evidence.running_for >= most).then(|| Check {
        value: Some(look.evidence.running_for.0 as f64),
        threshold: Some(most.0 as f64),
        ..check(
            "max_runtime",
            pass_if(true),
            format!("the longest runtime, {}, is over", words::span(most)),
        )
    })
}

/// What the leading treatment still lacks.
fn missing(look: &Look, gates: &[Check]) -> Vec<Check> {
    let of_gates = gates.iter().filter(|gate| !gate.passes()).cloned();
    let of_leader = look
        .evidence
        .leading_treatment()
        .map(|(arm, versus)| ship_checks(look, arm, versus, false))
        .unwrap_or_default()
        .into_iter()
        .filter(|check| !check.passes());
    of_gates.chain(of_leader).collect()
}

/// Whether the arm and control have enough outcomes.
fn comparable(look: &Look, arm: &ArmEvidence) -> bool {
    let control = look.evidence.control();
    enough(look, arm) && control.is_some_and(|control| enough(look, control))
}
