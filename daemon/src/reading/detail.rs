//! One experiment's screen: its row, its allocation over time and what happened to it.

use std::collections::HashMap;

use bandit::experiment::ArmId;
use bandit::spec;
use protocol::control::{AuditEntry, AuditQuery};
use protocol::experiments::{AllocationPoint, Detail, LaneDetail, TimelineEntry};
use sqlx::PgConnection;

use super::beliefs::{arm_rows, in_file_order};
use super::origin::Origin;
use super::{Reading, ReadingError, decision};
use crate::store::decisions::Line;
use crate::store::state::{self, LaneStats};
use crate::store::versions::Point;
use crate::store::{audit, decisions, versions};
use crate::world::Live;

/// Points of the allocation chart, at most: more than the widest terminal has columns.
const MOST_POINTS: u32 = 500;

/// The same of each lane, where there are several: eight lanes of 64 arms stay below the frame's limit.
const MOST_POINTS_OF_A_LANE: u32 = 100;

/// Entries of the timeline, at most: a screen and a few pages.
const MOST_ENTRIES: usize = 100;

/// Of these, everyday policy versions and milestones, at most each: the rest is what people did.
const MOST_VERSIONS: i64 = 20;

/// And changes of the decision, at most.
const MOST_DECISIONS: i64 = 20;

pub(super) async fn detail(
    reading: &Reading,
    live: &std::sync::Arc<Live>,
    origin: &Origin,
) -> Result<Detail, ReadingError> {
    let store = &origin.store;
    let row = reading.row_of(store, live).await?;
    let mut connection = store.session().await?;
    let lane = live.leading_lane().id;
    let history = versions::history(&mut connection, live.id, lane, MOST_POINTS).await?;
    let milestones = versions::milestones(&mut connection, live.id, lane, MOST_VERSIONS).await?;
    let order: Vec<ArmId> = in_file_order(live).into_iter().map(|arm| arm.id).collect();
    let lanes = lane_details(reading, &mut connection, live, &order).await?;
    let decisions = decisions::changes(&mut connection, live.id, MOST_DECISIONS).await?;
    drop(connection);
    let decision = decision::decision(store, live).await?;
    let query = AuditQuery {
        key: Some(live.serving.key.to_string()),
        before: None,
        limit: MOST_ENTRIES as u32,
    };
    let audited = audit::page(store, &query).await?.entries;
    Ok(Detail {
        now: reading.clock.now(),
        row,
        allocation: history
            .into_iter()
            .map(|point| allocation_point(&point, &order))
            .collect(),
        lanes,
        events: timeline(live, &milestones, &decisions, audited),
        spec_toml: spec::to_toml(&live.spec),
        decision,
        source: origin.source.clone(),
    })
}

/// What the daemon knows without the database: what it serves, and the row as it was read last.
pub(super) fn stale(reading: &Reading, live: &Live) -> Detail {
    let row = reading.stale_row(live);
    let leading = live.leading_lane().id;
    let serving = live.serving.lane(leading);
    let published = live.published.iter().find(|it| it.lane == leading);
    let newest = published.zip(serving).map(|(published, serving)| {
        let arms = in_file_order(live).into_iter();
        AllocationPoint {
            at: published.at,
            version: published.version.0,
            shares: arms.map(|arm| serving.allocation.get(arm.id)).collect(),
        }
    });
    Detail {
        now: reading.clock.now(),
        row,
        allocation: newest.into_iter().collect(),
        lanes: Vec::new(),
        events: Vec::new(),
        spec_toml: spec::to_toml(&live.spec),
        decision: None,
        source: None,
    }
}

/// Every lane with its own learning, where there are several.
async fn lane_details(
    reading: &Reading,
    connection: &mut PgConnection,
    live: &Live,
    order: &[ArmId],
) -> Result<Vec<LaneDetail>, ReadingError> {
    if live.learning_lanes().count() < 2 {
        return Ok(Vec::new());
    }
    let sums = state::sums(connection, &[live.id]).await?;
    let nothing = LaneStats::new();
    let mut lanes = Vec::new();
    for lane in &live.lanes {
        let stats = sums.get(&(live.id, lane.id)).unwrap_or(&nothing);
        let believed = reading.beliefs.of(live, lane, stats);
        let published = live.published.iter().find(|it| it.lane == lane.id);
        let history =
            versions::history(connection, live.id, lane.id, MOST_POINTS_OF_A_LANE).await?;
        lanes.push(LaneDetail {
            lane: lane.name.to_string(),
            policy: if lane.learns {
                lane.policy.kind.name().to_owned()
            } else {
                "even".to_owned()
            },
            version: published.map_or(0, |it| it.version.0),
            published_at: published.map(|it| it.at),
            floor: lane.policy.floor.get(),
            burn_in: live.burn_in(lane.id).map(str::to_owned),
            arms: arm_rows(live, lane.id, stats, &believed),
            allocation: history
                .iter()
                .map(|point| allocation_point(point, order))
                .collect(),
        });
    }
    Ok(lanes)
}

fn allocation_point(point: &Point, order: &[ArmId]) -> AllocationPoint {
    let shares: HashMap<ArmId, f64> = point.shares.iter().copied().collect();
    AllocationPoint {
        at: point.at,
        version: point.version.0,
        shares: order
            .iter()
            .map(|arm| shares.get(arm).copied().unwrap_or(0.0))
            .collect(),
    }
}

/// Newest first.
fn timeline(
    live: &Live,
    milestones: &[Point],
    decisions: &[Line],
    audited: Vec<AuditEntry>,
) -> Vec<TimelineEntry> {
    let mut entries: Vec<TimelineEntry> = audited.into_iter().map(mutation).collect();
    entries.extend(milestones.iter().map(|point| publication(live, point)));
    entries.extend(decisions.iter().map(decided));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries.truncate(MOST_ENTRIES);
    entries
}

fn mutation(entry: AuditEntry) -> TimelineEntry {
    let refused = if entry.result == "refused" {
        " (refused)"
    } else {
        ""
    };
    let arm = arm_of(&entry).map_or_else(String::new, |arm| format!(" {arm}"));
    TimelineEntry {
        at: entry.at,
        text: format!(
            "{}{arm} by {}{refused}: {}",
            entry.action, entry.actor, entry.reason
        ),
        kind: entry.action,
    }
}

/// The arm that something was done to.
fn arm_of(entry: &AuditEntry) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(&entry.body).ok()?;
    Some(body["detail"]["arm"].as_str()?.to_owned())
}

/// A decision that is not the one before it.
fn decided(line: &Line) -> TimelineEntry {
    TimelineEntry {
        at: line.since,
        kind: "decision".to_owned(),
        text: line.sentence.clone(),
    }
}

/// Such as `version 12: green 62.0 %, blue 38.0 % (learned from 120 more rewards)`.
fn publication(live: &Live, point: &Point) -> TimelineEntry {
    let name = |id: ArmId| {
        live.serving
            .arm(id)
            .map_or_else(|| format!("arm {id}"), |arm| arm.name.to_string())
    };
    let mut shares = point.shares.clone();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shares: Vec<String> = shares
        .into_iter()
        .map(|(arm, share)| format!("{} {:.1}%", name(arm), share * 100.0))
        .collect();
    let reason = point.burn_in.as_deref().unwrap_or(&point.reason);
    TimelineEntry {
        at: point.at,
        kind: "policy".to_owned(),
        text: format!(
            "version {}: {} ({reason})",
            point.version,
            shares.join(", ")
        ),
    }
}
