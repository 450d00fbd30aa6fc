//! Counts, rates and posteriors of every lane, as of one instant.

use bandit::experiment::{LaneId, Share};
use bandit::lanes::{Earned, LEVEL, Lane};
use bandit::posterior::ArmStats;
use protocol::experiments::{EarnedRow, LaneResults, Results};

use super::beliefs::arm_rows;
use super::evidence;
use super::lanes::Compared;
use super::row::scale;
use super::{Reading, ReadingError};
use crate::store::results as rows;
use crate::store::state::{self, LaneStats};
use crate::store::{experiments, versions};
use crate::world::Live;

pub(super) async fn results(reading: &Reading, live: &Live) -> Result<Results, ReadingError> {
    let mut view = experiments::snapshot(&reading.store).await?;
    let sums = state::sums(&mut view, &[live.id]).await?;
    let uncounted = rows::uncounted(&mut view, &[live.id])
        .await?
        .remove(&live.id)
        .unwrap_or_default();
    let events = rows::event_counts(&mut view, live.id).await?;
    let repeats = rows::repeats(&mut view, live.id).await?;
    let horizon = rows::fold_horizon(&mut view, live.id).await?;
    let versions = versions::count(&mut view, live.id).await?;
    let mut evidence = Vec::new();
    for lane in &live.lanes {
        evidence.push(evidence::of_lane(reading, &mut view, live, lane).await?);
    }
    drop(view);
    let total: ArmStats = sums.values().flat_map(LaneStats::values).copied().sum();
    let exposures = total.exposed + uncounted.exposed;
    let nothing = LaneStats::new();
    let of_lane = |id: LaneId| sums.get(&(live.id, id)).unwrap_or(&nothing);
    let removed = removed_lanes(live, |id| sums.contains_key(&(live.id, id)));
    let lanes: Vec<LaneResults> = live
        .lanes
        .iter()
        .map(|lane| lane_results(reading, live, lane, of_lane(lane.id)))
        .zip(evidence)
        .map(|(lane, evidence)| LaneResults { evidence, ..lane })
        .chain(
            removed
                .iter()
                .map(|lane| lane_results(reading, live, lane, of_lane(lane.id))),
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
        as_of: horizon.as_of,
        assignments: total.assigned + uncounted.assigned,
        exposures,
        events: events.by_name.values().sum(),
        events_by_name: events.by_name.into_iter().collect(),
        duplicates: repeats.duplicates as u64,
        conflicts: repeats.conflicts as u64,
        late: events.late,
        unassigned: events.no_exposure,
        rewards: total.resolved,
        pending: exposures.saturating_sub(total.resolved),
        unfolded: horizon.unfolded,
        versions,
        lanes,
        scale: scale(live),
        lane_differences,
        lane_comparison,
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

fn lane_results(reading: &Reading, live: &Live, lane: &Lane, stats: &LaneStats) -> LaneResults {
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
        burn_in: published.and_then(|lane| lane.burn_in.clone()),
        arms: arm_rows(live, lane.id, stats, &believed),
        evidence: None,
    }
}

fn total_of(stats: &LaneStats) -> ArmStats {
    stats.values().copied().sum()
}
