//! One experiment in the list.

use bandit::lanes::Lane;
use bandit::scale::Scale;
use bandit::spec::model::GuardrailSpec;
use chrono::{DateTime, Utc};
use protocol::experiments::{GuardrailRow, RewardScale, Row};

use super::beliefs::{Beliefs, arm_rows};
use super::figures::OfOne;
use super::guarding::by_and_why;
use super::schedule::schedule;
use super::{decision, guarding};
use crate::publication::{evidence_from, next_publication};
use crate::store::guardrails::{Memory, Place, Said};
use crate::store::state::LaneStats;
use crate::store::versions;
use crate::world::Live;

pub(super) fn row(live: &Live, figures: OfOne<'_>, beliefs: &Beliefs, now: DateTime<Utc>) -> Row {
    let nothing = LaneStats::new();
    let lane = live.leading_lane();
    let stats = figures.leading.unwrap_or(&nothing);
    let believed = beliefs.of(live, lane, stats);
    let problem = believed.problem.iter();
    let not_active = problem.map(|it| format!("P(best): {it}")).collect();
    let published = live.published.iter().find(|it| it.lane == lane.id);
    let (state_by, state_why) = by_and_why(&live.serving.state);
    Row {
        key: live.serving.key.to_string(),
        name: live.spec.name.clone(),
        owner: live.spec.owner.clone(),
        state: live.serving.state.name().to_owned(),
        since: live.serving.state.since(),
        state_by,
        state_why,
        policy: match live.learning_lanes().count() {
            1 => lane.policy.kind.name().to_owned(),
            several => format!("{several} lanes"),
        },
        lane: lane.name.to_string(),
        revision: live.revision.0,
        traffic: live.serving.traffic.get(),
        holdback: live.spec.holdback.get(),
        floor: lane.policy.floor.get(),
        reward: live.spec.reward.describe(),
        scale: scale(live),
        decisions_per_sec: figures.decisions_per_sec,
        assigned: figures.assigned,
        version: published.map_or(0, |lane| lane.version.0),
        published_at: published.map(|lane| lane.at),
        burn_in: live
            .burn_in(lane.id)
            .map(|recorded| burn_in_now(live, lane, stats, recorded, now)),
        arms: arm_rows(live, lane.id, stats, &believed),
        guardrails: guardrails(live, figures.guardrails),
        not_active,
        holds: live.holds.clone(),
        decision: figures.decision.and_then(|line| decision::line(live, line)),
        schedule: schedule(live, figures.exposed, now),
        stale: None,
    }
}

/// Between which values the reward lies.
pub(super) fn scale(live: &Live) -> Option<RewardScale> {
    let Scale { at_zero, at_one } = Scale::of(&live.spec.reward)?;
    Some(RewardScale { at_zero, at_one })
}

/// A mean reward as people say it: a rate in percent, a scaled reward as a value.
pub(super) fn said(scale: Option<RewardScale>, reward: f64) -> String {
    match scale {
        None => format!("{:.2}%", reward * 100.0),
        Some(RewardScale { at_zero, at_one }) => {
            let scale = Scale { at_zero, at_one };
            format!("{:.*}", scale.digits(), scale.value(reward))
        }
    }
}

/// How far burn-in is: as of now, not as of the version, which may be hours old.
fn burn_in_now(
    live: &Live,
    lane: &Lane,
    stats: &LaneStats,
    recorded: &str,
    now: DateTime<Utc>,
) -> String {
    let progress = live.started_at.and_then(|started_at| {
        let running_for = versions::running_for(started_at, now);
        let arms = &live.serving.arms;
        let known = evidence_from(stats);
        next_publication(&live.spec, arms, lane, &known, running_for).ok()
    });
    match progress.map(|next| next.burn_in) {
        Some(Some(burn_in)) => burn_in,
        Some(None) => "burn-in is over; the next version learns".to_owned(),
        None => recorded.to_owned(),
    }
}

/// Each with the worst that it says; nothing is known of one that was not judged yet.
fn guardrails(live: &Live, known: &[(Place, Memory)]) -> Vec<GuardrailRow> {
    let declared = live.spec.guardrails.iter();
    let row = |guardrail: &GuardrailSpec| {
        let mine = known
            .iter()
            .filter(|((name, _), _)| *name == guardrail.name);
        let said: Vec<&Said> = mine.map(|(_, memory)| &memory.said).collect();
        let status = guarding::worst(said.iter().map(|it| it.verdict));
        let loudest = said.iter().find(|it| it.verdict == status);
        GuardrailRow {
            name: guardrail.name.clone(),
            limit: guardrail.describe_limit(),
            action: guardrail.action.word().to_owned(),
            status: status.word().to_owned(),
            said: loudest.map_or_else(String::new, |it| it.sentence.clone()),
        }
    };
    declared.map(row).collect()
}
