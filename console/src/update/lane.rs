//! Which lane of an experiment the detail screen shows.

use protocol::experiments::{Detail, Row};

use crate::model::Model;

/// Shows the lane after the one on screen.
pub(super) fn next(model: &mut Model) {
    let Some(detail) = model.shown().detail.as_ref() else {
        return;
    };
    let lanes = &detail.lanes;
    let at = lanes.iter().position(|it| it.lane == detail.row.lane);
    let Some(next) = lanes.get(at.map_or(0, |at| (at + 1) % lanes.len())) else {
        return;
    };
    model.detail.lane = Some(next.lane.clone());
    let lane = model.detail.lane.clone();
    let shown = model
        .frozen
        .as_mut()
        .and_then(|frozen| frozen.data.detail.as_mut());
    for detail in shown.into_iter().chain(model.data.detail.as_mut()) {
        turn(detail, lane.as_deref());
    }
}

/// Puts a lane's own figures in the place of the row's. A lane that is gone leaves the row's.
pub(super) fn turn(detail: &mut Detail, lane: Option<&str>) {
    let Some(lane) = lane.and_then(|name| detail.lanes.iter().find(|it| it.lane == name)) else {
        return;
    };
    let row = &mut detail.row;
    row.lane.clone_from(&lane.lane);
    row.policy.clone_from(&lane.policy);
    row.version = lane.version;
    row.published_at = lane.published_at;
    row.floor = lane.floor;
    row.burn_in.clone_from(&lane.burn_in);
    row.arms.clone_from(&lane.arms);
    detail.allocation.clone_from(&lane.allocation);
}

/// Carries over what a row says of the whole experiment, while another lane than the row's is on screen.
pub(super) fn follow(detail: &mut Detail, row: &Row) {
    let shown = detail.row.lane.clone();
    detail.row = row.clone();
    turn(detail, Some(&shown));
}
