//! Counts, rates and posteriors of every lane, as of one instant.

use std::collections::BTreeMap;

use bandit::credit::InFlight;
use bandit::experiment::{ArmId, ExperimentId, LaneId, Share};
use bandit::lanes::{Earned, LEVEL, Lane};
use bandit::posterior::ArmStats;
use bandit::spec;
use protocol::experiments::{ArmInFlight, EarnedRow, LaneResults, Results};
use sqlx::PgConnection;

use super::beliefs::{arm_rows, in_file_order};
use super::evidence;
use super::lanes::Compared;
use super::origin::Origin;
use super::row::scale;
use super::{Reading, ReadingError, decision};
use crate::learning::{self, Learner};
use crate::store::results as rows;
use crate::store::state::{self, LaneStats};
use crate::store::{StoreError, experiments, frozen, versions};
use crate::world::Live;

pub(super) async fn results(
    reading: &Reading,
    live: &Live,
    origin: &Origin,
) -> Result<Results, ReadingError> {
    let mut view = experiments::snapshot(&origin.store).await?;
    let sums = state::sums(&mut view, &[live.id]).await?;
    let uncounted = rows::uncounted(&mut view, &[live.id])
        .await?
        .remove(&live.id)
        .unwrap_or_default();
    let events = rows::event_counts(&mut view, live.id).await?;
    let repeats = rows::repeats(&mut view, live.id).await?;
    let horizon = rows::fold_horizon(&mut view, live.id).await?;
    let versions = versions::count(&mut view, live.id).await?;
    let frozen_conflicts = frozen::count(&mut view, live.id).await?;
    let mut evidence = Vec::new();
    for lane in &live.lanes {
        evidence.push(evidence::of_lane(reading, &mut view, live, lane).await?);
    }
    let to_come = to_come(reading, live, &mut view, &sums).await?;
    drop(view);
    let decision = decision::decision(&origin.store, live).await?;
    let total: ArmStats = sums.values().flat_map(LaneStats::values).copied().sum();
    let exposures = total.exposed + uncounted.exposed;
    let nothing = LaneStats::new();
    let of_lane = |id: LaneId| sums.get(&(live.id, id)).unwrap_or(&nothing);
    let removed = removed_lanes(live, |id| sums.contains_key(&(live.id, id)));
    let lanes: Vec<LaneResults> = live
        .lanes
        .iter()
        .map(|lane| lane_results(reading, live, lane, of_lane(lane.id), to_come.get(&lane.id)))
        .zip(evidence)
        .map(|(lane, evidence)| LaneResults { evidence, ..lane })
        .chain(
            removed
                .iter()
                .map(|lane| lane_results(reading, live, lane, of_lane(lane.id), None)),
        )
        .collect();
    let learning = live
        .lanes
        .iter()
        .zip(&lanes)
        .filter(|(lane, _)| lane.learns);
    let compared = Compared::new(
        learning
            .map(|(lane, results)| (results, Earned::of(&total_of(of_lane(lane.id)))))
            .collect(),
        scale(live),
    );
    let (lane_differences, lane_comparison) = (compared.differences(), compared.in_words());
    Ok(Results {
        experiment: live.serving.key.to_string(),
        state: live.serving.state.name().to_owned(),
        as_of: origin.as_of(horizon.as_of),
        assignments: total.assigned + uncounted.assigned,
        exposures,
        events: events.by_name.values().sum(),
        events_by_name: events.by_name.into_iter().collect(),
        duplicates: repeats.duplicates as u64,
        conflicts: repeats.conflicts as u64,
        frozen_conflicts,
        late: events.late,
        unassigned: events.no_exposure,
        over_cap: events.over_cap,
        before_exposure: events.before_exposure,
        rewards: total.resolved,
        pending: exposures.saturating_sub(total.resolved),
        early: u64::try_from(total.early).unwrap_or(0),
        unfolded: horizon.unfolded,
        versions,
        lanes,
        scale: scale(live),
        lane_differences,
        lane_comparison,
        decision,
        source: origin.source.clone(),
    })
}

/// Lanes that units were assigned to and that the spec in force does not have.
fn removed_lanes(live: &Live, has_units: impl Fn(LaneId) -> bool) -> Vec<Lane> {
    let in_force = |id: LaneId| live.lanes.iter().any(|lane| lane.id == id);
    let removed = live.lane_numbers.iter();
    removed
        .filter(|(_, id)| !in_force(*id) && has_units(*id))
        .map(|(name, id)| Lane {
            id,
            name: name.clone(),
            share: Share::NONE,
            policy: live.spec.policy.clone(),
            learns: false,
        })
        .collect()
}

/// What is expected of open windows, by lane and arm; only credit that corrects for delay knows.
async fn to_come(
    reading: &Reading,
    live: &Live,
    view: &mut PgConnection,
    sums: &BTreeMap<(ExperimentId, LaneId), LaneStats>,
) -> Result<BTreeMap<LaneId, ToCome>, StoreError> {
    let mut by_lane = BTreeMap::new();
    for lane in &live.lanes {
        let Some(stats) = sums.get(&(live.id, lane.id)) else {
            continue;
        };
        let learner = Learner {
            experiment: live.id,
            lane: lane.id,
            reward: &live.spec.reward,
            memory: None,
        };
        let now = reading.clock.now();
        let to_come = learning::to_come(view, learner, stats, now, &reading.readings).await?;
        by_lane.insert(lane.id, to_come);
    }
    Ok(by_lane)
}

type ToCome = BTreeMap<ArmId, f64>;

fn lane_results(
    reading: &Reading,
    live: &Live,
    lane: &Lane,
    stats: &LaneStats,
    to_come: Option<&ToCome>,
) -> LaneResults {
    let believed = reading.beliefs.of(live, lane, stats);
    let total = total_of(stats);
    let published = live.published.iter().find(|it| it.lane == lane.id);
    let policy = match (published, lane.learns) {
        (None, false) => "removed",
        (Some(_), false) => "even",
        (_, true) => lane.policy.kind.name(),
    };
    LaneResults {
        lane: lane.name.to_string(),
        policy: policy.to_owned(),
        version: live.serving.lane(lane.id).map_or(0, |lane| lane.version.0),
        share: lane.share.get(),
        assigned: total.assigned,
        exposed: total.exposed,
        resolved: total.resolved,
        earned: Earned::of(&total).map(|earned| {
            let interval = earned.interval(LEVEL);
            EarnedRow {
                mean: earned.mean,
                low: interval.low,
                high: interval.high,
            }
        }),
        burn_in: live.burn_in(lane.id).map(str::to_owned),
        arms: arm_rows(live, lane.id, stats, &believed),
        evidence: None,
        learns_from: learns_from(live, lane),
        in_flight: in_file_order(live)
            .into_iter()
            .map(|arm| {
                let of_arm = stats.get(&arm.id).copied().unwrap_or_default();
                let early = InFlight::from(&of_arm).early;
                ArmInFlight {
                    arm: arm.name.to_string(),
                    pending: of_arm.pending(),
                    early: early.n as u64,
                    early_sum: early.sum,
                    to_come: to_come.and_then(|to_come| to_come.get(&arm.id)).copied(),
                }
            })
            .collect(),
    }
}

fn total_of(stats: &LaneStats) -> ArmStats {
    stats.values().copied().sum()
}

/// The holdback learns nothing.
fn learns_from(live: &Live, lane: &Lane) -> Option<String> {
    let notes = spec::learning_notes(&live.spec.reward, lane.policy.memory);
    let texts: Vec<String> = notes.into_iter().map(|note| note.text).collect();
    (lane.learns && !texts.is_empty()).then(|| texts.join("; "))
}
