//! The rule of the brief: P(worse than the leader) above 0.95 with 100 samples, whenever they come.
//!
//! Offered because it is asked for, with its price beside it: see [`super::rules::FAIL_FAST`].

use super::choose::stop_at_once;
use super::gates::{self, check, pass_if};
use super::{ArmEvidence, Check, Choice, Look, words};

/// An arm is worse than the leader.
const P_WORSE: &str = "p_worse";

/// The choice and what was compared for it.
pub(super) fn choose(look: &Look, gates: &[Check]) -> (Choice, Vec<Check>) {
    if let Some(stop) = stop_at_once(look) {
        return stop;
    }
    let blocking = gates::untrusted(gates)
        .or_else(|| gates::named(gates, gates::RUNTIME).filter(|gate| !gate.passes()));
    if let Some(gate) = blocking {
        return (Choice::KeepRunning, vec![gate.clone()]);
    }
    losers(look).unwrap_or_else(|| (Choice::KeepRunning, missing(look)))
}

/// The arms that lose against the leader, and what that makes of the experiment.
fn losers(look: &Look) -> Option<(Choice, Vec<Check>)> {
    let evidence = look.evidence;
    let leader = evidence.leader()?;
    let lost: Vec<&ArmEvidence> = evidence
        .arms
        .iter()
        .filter(|arm| arm.arm != leader.arm && loses(look, arm))
        .collect();
    let worst = lost
        .iter()
        .filter(|arm| !arm.control)
        .max_by(|a, b| a.p_below_leader.total_cmp(&b.p_below_leader));
    let all = lost.len() + 1 == evidence.arms.len();
    let choice = match worst {
        _ if all && lost.is_empty() => return None,
        _ if all && leader.control => Choice::Kill,
        _ if all => Choice::Ship { arm: leader.arm },
        Some(worst) => Choice::KillArm { arm: worst.arm },
        // Control cannot be closed: it is what everyone has.
        None => return None,
    };
    let checks = lost.iter().map(|arm| p_below(look, leader, arm)).collect();
    Some((choice, checks))
}

fn loses(look: &Look, arm: &ArmEvidence) -> bool {
    arm.resolved >= look.rules.min_samples && arm.p_below_leader > limit(look, arm)
}

/// Once recommended, an arm's end is recommended until the probability has fallen by a margin.
fn limit(look: &Look, arm: &ArmEvidence) -> f64 {
    let stands = match look.memory.choice {
        Choice::KillArm { arm: id } => id == arm.arm,
        Choice::Ship { arm: id } => id != arm.arm,
        Choice::Kill => !arm.control && look.memory.stands(Choice::Kill, P_WORSE),
        Choice::KeepRunning | Choice::Iterate => false,
    };
    look.rules.p_ship.of(stands)
}

fn missing(look: &Look) -> Vec<Check> {
    let Some(leader) = look.evidence.leader() else {
        return Vec::new();
    };
    let others = look.evidence.arms.iter();
    others
        .filter(|arm| arm.arm != leader.arm)
        .map(|arm| p_below(look, leader, arm))
        .collect()
}

fn p_below(look: &Look, leader: &ArmEvidence, arm: &ArmEvidence) -> Check {
    let limit = limit(look, arm);
    Check {
        arm: Some(arm.arm),
        value: Some(arm.p_below_leader),
        threshold: Some(limit),
        ..check(
            P_WORSE,
            pass_if(loses(look, arm)),
            format!(
                "P(\"{}\" worse than \"{}\") is {} over {} outcomes, needs {} over {}",
                arm.name,
                leader.name,
                words::probability(arm.p_below_leader),
                words::count(arm.resolved),
                words::probability(limit),
                words::count(look.rules.min_samples),
            ),
        )
    }
}
