//! The events ledger as a whole: its counts, and the events that no outcome is made of.

use bandit::reward::{self, EventVerdict, UnitEvent};
use bandit::spec::model::RewardSpec;
use chrono::DateTime;
use sqlx::PgConnection;

use super::report::Differences;
use crate::store::StoreError;
use crate::store::verification::{self, Subject};
use crate::workers::fold::reward_events;

/// Checks them; returns how many events are no part of the reward.
pub(super) async fn check(
    view: &mut PgConnection,
    subject: &Subject,
    differences: &mut Differences,
) -> Result<u64, StoreError> {
    let reward = &subject.spec.reward;
    let others = verification::others(view, subject.id, &reward_events(reward)).await?;
    if others.unexposed > 0 {
        differences.add(
            "events that are no part of the reward",
            format!("{} of units that have not met an arm", others.unexposed),
            "none: those wait for the exposure",
        );
    }
    for (event, value) in others.named {
        if is_part(reward, &event, value) {
            differences.add(
                format!("standing of events `{event}` with value {value:?}"),
                "no part of the reward",
                "judged for their units' outcomes",
            );
        }
    }
    for ((event, standing, kept), held) in verification::miscounted(view, subject.id).await? {
        differences.add(
            format!("count of events `{event}` with standing {standing}"),
            kept.to_string(),
            held.to_string(),
        );
    }
    Ok(others.events)
}

fn is_part(spec: &RewardSpec, event: &str, value: Option<f64>) -> bool {
    let at = DateTime::UNIX_EPOCH;
    let event = UnitEvent {
        event,
        value,
        at,
        event_id: 0,
    };
    reward::outcome(spec, at, &[event]).verdicts != [EventVerdict::NotReward]
}
