//! The evidence of a look, from the ledgers of all lanes.

use bandit::decision::{
    Evidence, GuardrailEvidence, GuardrailStatus, Rules, SampleRatio, WeighedArm, weigh,
};
use bandit::experiment::{Arm, ArmId, Millis};
use bandit::guardrail::{Subject, Verdict};
use bandit::inference::Period;
use bandit::policy::family;
use bandit::scale::Scale;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{DecideError, started_for};
use crate::store::periods::{self, OfLane};
use crate::store::{StoreError, guardrails, results};
use crate::world::Live;

const DAY_MS: f64 = 86_400_000.0;

/// A share within this factor of the floor is the floor.
const NEAR_FLOOR: f64 = 1.5;

pub(super) async fn gather(
    tx: &mut PgConnection,
    live: &Live,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Result<Evidence, DecideError> {
    gather_from(tx, live, rules, now, Millis(0)).await
}

/// The same of the periods that began `from` after the start, or later.
pub(in crate::workers) async fn gather_from(
    tx: &mut PgConnection,
    live: &Live,
    rules: &Rules,
    now: DateTime<Utc>,
    from: Millis,
) -> Result<Evidence, DecideError> {
    // Retired arms stay in the periods: their units were drawn with what is left to the others.
    let arms: Vec<ArmId> = live.serving.arms.iter().map(|arm| arm.id).collect();
    let mut periods = all_lanes(tx, live, &arms, now).await?;
    periods.retain(|period| period.from >= from);
    let open = open_arms(live);
    let sample_ratio = SampleRatio::of(&periods);
    let resolved: u64 = periods.iter().map(Period::resolved).sum();
    let (rules, family) = (rules.clone(), family(&live.spec.policy));
    // Grows with arms and versions: the daemon has other things to do meanwhile.
    let weighed = tokio::task::spawn_blocking(move || weigh(&rules, &open, &periods, family));
    let weighed = weighed.await.map_err(|_| DecideError::Ended)??;
    let running_for = started_for(live, now);
    let closes_after = live.spec.reward.closes_after();
    let matured_for = Millis(running_for.0.saturating_sub(closes_after.0));
    let days = matured_for.0 as f64 / DAY_MS;
    Ok(Evidence {
        running_for,
        matured_for,
        arms: weighed.arms,
        value_remaining: weighed.value_remaining,
        resolved_per_day: if days > 0.0 {
            resolved as f64 / days
        } else {
            0.0
        },
        sample_ratio,
        guardrails: guardrails(tx, live).await?,
        late_share: late_share(tx, live).await?,
        scale: Scale::of(&live.spec.reward),
    })
}

/// The periods of every lane in the order of time: a policy version of a lane is a stratum of its own.
async fn all_lanes(
    tx: &mut PgConnection,
    live: &Live,
    arms: &[ArmId],
    now: DateTime<Utc>,
) -> Result<Vec<Period>, StoreError> {
    let Some(started_at) = live.started_at else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for lane in &live.serving.lanes {
        let of = OfLane {
            experiment: live.id,
            lane: lane.id,
            arms,
            started_at,
            at: now,
        };
        all.extend(periods::of_lane(tx, of).await?.periods);
    }
    all.sort_by_key(|period| period.from);
    Ok(all)
}

fn open_arms(live: &Live) -> Vec<WeighedArm> {
    let at_floor = |arm: &Arm| {
        let mut learning = live.lanes.iter().filter(|lane| lane.learns);
        learning.all(|lane| {
            let served = live.serving.lane(lane.id);
            let share = served.map_or(0.0, |served| served.allocation.get(arm.id));
            share <= lane.policy.floor.get() * NEAR_FLOOR
        })
    };
    let arms = live.serving.arms.iter().enumerate();
    arms.filter(|(_, arm)| arm.is_open())
        .map(|(position, arm)| WeighedArm {
            arm: arm.id,
            name: arm.name.to_string(),
            control: arm.control,
            at_floor: at_floor(arm),
            position,
        })
        .collect()
}

/// What each guardrail said last, of each open arm and of all together. What it said of an arm that is closed says nothing
/// of the others.
async fn guardrails(
    tx: &mut PgConnection,
    live: &Live,
) -> Result<Vec<GuardrailEvidence>, StoreError> {
    let said = guardrails::memories(tx, live.id).await?;
    let declared = live.spec.guardrails.iter().flat_map(|guardrail| {
        let mine = said
            .iter()
            .filter(|((name, subject), _)| *name == guardrail.name && is_open(live, *subject));
        let mut told: Vec<GuardrailEvidence> = mine
            .map(|((name, subject), memory)| GuardrailEvidence {
                name: name.clone(),
                arm: match subject {
                    Subject::Experiment => None,
                    Subject::Arm(arm) => Some(*arm),
                },
                status: match memory.said.verdict {
                    Verdict::Pass => GuardrailStatus::Pass,
                    Verdict::Warn => GuardrailStatus::Warn,
                    Verdict::Fail => GuardrailStatus::Fail,
                    Verdict::Unknown => GuardrailStatus::Unknown,
                },
            })
            .collect();
        if told.is_empty() {
            told.push(GuardrailEvidence {
                name: guardrail.name.clone(),
                arm: None,
                status: GuardrailStatus::Unknown,
            });
        }
        told
    });
    Ok(declared.collect())
}

fn is_open(live: &Live, subject: Subject) -> bool {
    match subject {
        Subject::Experiment => true,
        Subject::Arm(id) => live.serving.arm(id).is_some_and(Arm::is_open),
    }
}

/// The part of the reward's events that belonged into their unit's window and came after it was closed.
async fn late_share(tx: &mut PgConnection, live: &Live) -> Result<f64, StoreError> {
    let reward = &live.spec.reward;
    let arrivals = results::arrivals(tx, live.id, &reward.events(), reward.window).await?;
    if arrivals.all == 0 {
        return Ok(0.0);
    }
    Ok(arrivals.too_late as f64 / arrivals.all as f64)
}
