//! The draws: three hashes and one walk through the unit's own order of the arms.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Serving, ServingLane, UnitKey};
use crate::experiment::{ARMS, ArmId, LaneId, Version};

/// Room for one entry per arm of the largest experiment, on the stack.
const ROOM: usize = *ARMS.end();

/// 2^-53: the spacing of the 53-bit buckets.
const BUCKET: f64 = 1.0 / 9_007_199_254_740_992.0;

/// Everything a unit drew, so that serving and explaining cannot differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// Where the unit is on the traffic scale, in `0..1`.
    pub traffic_bucket: f64,
    /// Whether that is below the share of units that take part.
    pub in_traffic: bool,
    /// Where it is on the lane scale, in `0..1`.
    pub lane_bucket: f64,
    /// The lane it falls into.
    pub lane: LaneId,
    /// That lane's policy version.
    pub version: Version,
    /// Where it is on the arm scale, in `0..1`.
    pub arm_bucket: f64,
    /// The arm it draws.
    pub arm: ArmId,
    /// The probability of that arm under that version.
    pub propensity: f64,
    order: [ArmId; ROOM],
    open: usize,
}

impl Drawn {
    /// The lane's open arms in the unit's own order, along which the arm bucket is looked up.
    pub fn order(&self) -> &[ArmId] {
        &self.order[..self.open]
    }
}

/// Draws for one unit, whatever the state and the targeting say.
///
/// A bucket is `(xxh3_64(unit key, seed) >> 11) * 2^-53`. The arm is the first in the unit's own order whose
/// cumulated probability exceeds the arm bucket. The order is by `xxh3_64(unit key, seed of the arm's name)`, so that
/// a small change of the allocation moves units between pseudo-random pairs of arms and not between neighbours
/// (STATS 1.8); given the order the bucket is uniform, hence the propensity is the allocation's probability.
pub fn draw(serving: &Serving, unit: &UnitKey) -> Drawn {
    let seeds = serving.seeds();
    let traffic_bucket = bucket(unit, seeds.traffic);
    let lane_bucket = bucket(unit, seeds.lane);
    let arm_bucket = bucket(unit, seeds.arm);
    let lane = pick_lane(&serving.lanes, lane_bucket);
    let (order, open) = order_of(serving, lane, unit);
    let arm = pick_arm(lane, &order[..open], arm_bucket);
    Drawn {
        traffic_bucket,
        in_traffic: traffic_bucket < serving.traffic.get(),
        lane_bucket,
        lane: lane.id,
        version: lane.version,
        arm_bucket,
        arm,
        propensity: lane.allocation.get(arm),
        order,
        open,
    }
}

fn bucket(unit: &UnitKey, seed: u64) -> f64 {
    (xxh3_64_with_seed(&unit.0, seed) >> 11) as f64 * BUCKET
}

/// The lane whose stretch of the scale holds the bucket; the last with a share where rounding leaves a gap.
fn pick_lane(lanes: &[ServingLane], bucket: f64) -> &ServingLane {
    let mut cumulated = 0.0;
    let found = lanes.iter().find(|lane| {
        cumulated += lane.share.get();
        bucket < cumulated
    });
    found
        .or_else(|| lanes.iter().rfind(|lane| lane.share.get() > 0.0))
        .expect("the shares of the lanes of a serving sum to 1")
}

/// The lane's open arms, sorted by the unit's hash of each; equal hashes by arm number.
fn order_of(serving: &Serving, lane: &ServingLane, unit: &UnitKey) -> ([ArmId; ROOM], usize) {
    let mut keyed = [(0_u64, ArmId(0)); ROOM];
    let open = lane.allocation.len();
    for (slot, arm) in keyed.iter_mut().zip(lane.allocation.arms()) {
        *slot = (xxh3_64_with_seed(&unit.0, serving.order_seed(arm)), arm);
    }
    keyed[..open].sort_unstable();
    (keyed.map(|(_, arm)| arm), open)
}

/// The first arm whose cumulated probability exceeds the bucket; the last with any where rounding leaves a gap.
fn pick_arm(lane: &ServingLane, order: &[ArmId], bucket: f64) -> ArmId {
    let mut cumulated = 0.0;
    let found = order.iter().find(|arm| {
        cumulated += lane.allocation.get(**arm);
        bucket < cumulated
    });
    *found
        .or_else(|| order.iter().rfind(|arm| lane.allocation.get(**arm) > 0.0))
        .expect("the probabilities of an allocation sum to 1")
}
