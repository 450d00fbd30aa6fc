//! The same decision with every step in words, for `pitboss explain`.

use super::decide::{decide_by, settled_by_state};
use super::{Decision, Drawn, Reason, Serving, UnitKey, draw};
use crate::experiment::{ArmId, LaneId, RunState};
use crate::spec::model::Attributes;

/// One step of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceStep {
    /// `state`, `targeting`, `traffic`, `lane`, `arm` or `result`.
    pub step: &'static str,
    /// What was looked at, with figures.
    pub detail: String,
    /// What came of it.
    pub outcome: String,
}

/// Decides as [`super::decide`] does, and tells how.
///
/// All steps are shown, also those after the one that settled it: then they say what the unit would have drawn.
/// Attributes are not stored, so without them the unit is taken to be eligible and the step says so.
pub fn trace(
    serving: &Serving,
    unit: &UnitKey,
    attributes: Option<&Attributes>,
) -> (Decision, Vec<TraceStep>) {
    let drawn = draw(serving, unit);
    let eligible = attributes.is_none_or(|attributes| serving.targeting.matches(attributes));
    let decision = match settled_by_state(serving) {
        Some(settled) => settled,
        None if !eligible => Decision::Control {
            reason: Reason::NotEligible,
        },
        None => decide_by(&drawn),
    };
    let steps = vec![
        state_step(serving),
        targeting_step(serving, attributes),
        traffic_step(serving, &drawn),
        lane_step(serving, &drawn),
        arm_step(serving, &drawn),
        result_step(serving, &decision),
    ];
    (decision, steps)
}

fn state_step(serving: &Serving) -> TraceStep {
    let since = serving
        .state
        .since()
        .map_or_else(String::new, |at| format!(" since {}", at.format("%FT%TZ")));
    let outcome = match &serving.state {
        RunState::Running { .. } => "draws new units".to_owned(),
        RunState::Stopped {
            shipped: Some(arm), ..
        } => format!("everyone gets {}", name(serving, *arm)),
        RunState::Draft
        | RunState::Paused { .. }
        | RunState::Stopped { shipped: None, .. }
        | RunState::RolledBack { .. }
        | RunState::Archived { .. } => {
            format!("new units get {}, unrecorded", serving.control().name)
        }
    };
    TraceStep {
        step: "state",
        detail: format!("{}{since}", serving.state.name()),
        outcome,
    }
}

fn targeting_step(serving: &Serving, attributes: Option<&Attributes>) -> TraceStep {
    let conditions = serving.targeting.0.len();
    let (detail, outcome) = match attributes {
        _ if conditions == 0 => ("no conditions".to_owned(), "eligible".to_owned()),
        None => (
            format!(
                "{} not checked: attributes are not stored",
                counted(conditions)
            ),
            "taken as eligible".to_owned(),
        ),
        Some(attributes) => explain_conditions(serving, attributes),
    };
    TraceStep {
        step: "targeting",
        detail,
        outcome,
    }
}

fn counted(conditions: usize) -> String {
    match conditions {
        1 => "1 condition".to_owned(),
        more => format!("{more} conditions"),
    }
}

fn explain_conditions(serving: &Serving, attributes: &Attributes) -> (String, String) {
    let explained = serving.targeting.explain(attributes);
    let detail: Vec<String> = explained
        .iter()
        .map(|(attribute, detail, _)| format!("{attribute}: {detail}"))
        .collect();
    let failed: Vec<&str> = explained
        .iter()
        .filter(|(_, _, matches)| !matches)
        .map(|(attribute, _, _)| attribute.as_ref())
        .collect();
    let outcome = if failed.is_empty() {
        "eligible".to_owned()
    } else {
        format!("not eligible: {}", failed.join(", "))
    };
    (detail.join("; "), outcome)
}

fn traffic_step(serving: &Serving, drawn: &Drawn) -> TraceStep {
    let traffic = serving.traffic.get();
    let sign = if drawn.in_traffic { "<" } else { ">=" };
    TraceStep {
        step: "traffic",
        detail: format!(
            "bucket {:.6} {sign} traffic {traffic}",
            drawn.traffic_bucket
        ),
        outcome: if drawn.in_traffic { "in" } else { "out" }.to_owned(),
    }
}

fn lane_step(serving: &Serving, drawn: &Drawn) -> TraceStep {
    let mut from = 0.0;
    let mut stretches = Vec::new();
    for lane in &serving.lanes {
        let to = from + lane.share.get();
        stretches.push(format!("{} {from:.6}..{to:.6}", lane.name));
        from = to;
    }
    TraceStep {
        step: "lane",
        detail: format!(
            "bucket {:.6} in {}",
            drawn.lane_bucket,
            stretches.join(", ")
        ),
        outcome: format!(
            "{}, version {}",
            lane_name(serving, drawn.lane),
            drawn.version
        ),
    }
}

fn arm_step(serving: &Serving, drawn: &Drawn) -> TraceStep {
    let allocation = serving.lane(drawn.lane).map(|lane| &lane.allocation);
    let mut from = 0.0;
    let mut stretches = Vec::new();
    for &arm in drawn.order() {
        let to = from + allocation.map_or(0.0, |it| it.get(arm));
        stretches.push(format!("{} {from:.6}..{to:.6}", name(serving, arm)));
        from = to;
    }
    TraceStep {
        step: "arm",
        detail: format!(
            "bucket {:.6} in this unit's order {}{}",
            drawn.arm_bucket,
            stretches.join(", "),
            closed(serving)
        ),
        outcome: format!(
            "{} with probability {:.6}",
            name(serving, drawn.arm),
            drawn.propensity
        ),
    }
}

/// The arms that nobody draws for now.
fn closed(serving: &Serving) -> String {
    let quarantined = serving.arms.iter().filter(|arm| arm.quarantined);
    quarantined.fold(String::new(), |said, arm| {
        format!(
            "{said}; {} is not drawn ({})",
            arm.name,
            Reason::ArmQuarantined
        )
    })
}

fn result_step(serving: &Serving, decision: &Decision) -> TraceStep {
    let (detail, outcome) = match decision {
        Decision::Draw { arm, lane, .. } => (
            format!("recorded in lane {}", lane_name(serving, *lane)),
            format!("{} ({})", name(serving, *arm), Reason::Assigned),
        ),
        Decision::Control { reason } => (
            "not recorded".to_owned(),
            format!("{} ({reason})", serving.control().name),
        ),
        Decision::Shipped { arm } => (
            "not recorded".to_owned(),
            format!("{} ({})", name(serving, *arm), Reason::Shipped),
        ),
    };
    TraceStep {
        step: "result",
        detail,
        outcome,
    }
}

fn name(serving: &Serving, arm: ArmId) -> String {
    serving
        .arm(arm)
        .map_or_else(|| format!("arm {arm}"), |it| it.name.to_string())
}

fn lane_name(serving: &Serving, lane: LaneId) -> String {
    serving
        .lane(lane)
        .map_or_else(|| format!("lane {lane}"), |it| it.name.to_string())
}
