//! Counts, rates and posteriors of every lane, as of one instant.

use bandit::lanes::Lane;
use bandit::posterior::ArmStats;
use protocol::experiments::{LaneResults, Results};

use super::beliefs::arm_rows;
use super::evidence;
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
    let lanes = live
        .lanes
        .iter()
        .zip(evidence)
        .map(|(lane, evidence)| LaneResults {
            evidence,
            ..lane_results(
                reading,
                live,
                lane,
                sums.get(&(live.id, lane.id)).unwrap_or(&nothing),
            )
        })
        .collect();
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
    })
}

fn lane_results(reading: &Reading, live: &Live, lane: &Lane, stats: &LaneStats) -> LaneResults {
    let believed = reading.beliefs.of(live, lane, stats);
    let policy = if lane.learns {
        lane.policy.kind.name()
    } else {
        "even"
    };
    LaneResults {
        lane: lane.name.to_string(),
        policy: policy.to_owned(),
        version: live.serving.lane(lane.id).map_or(0, |lane| lane.version.0),
        arms: arm_rows(live, lane.id, stats, &believed),
        evidence: None,
    }
}
