//! What the link says: connected, a page, changes, lost.

use protocol::control::{Delta, Snapshot};
use protocol::experiments::{AllocationPoint, Row};

use crate::effect::Effect;
use crate::model::link::LinkState;
use crate::model::outcome::OutcomeKind;
use crate::model::{Model, Moved, reading};
use crate::msg::LinkEvent;

use super::{ask_detail, lane, navigation};

/// Points kept of an allocation that grows on screen; the daemon sends as many at most.
const MAX_POINTS: usize = 500;

/// Take in what the link task says.
pub(super) fn heard(model: &mut Model, event: LinkEvent) -> Vec<Effect> {
    match event {
        LinkEvent::Connecting { attempt } => {
            model.link.state = LinkState::Connecting { attempt };
            Vec::new()
        }
        LinkEvent::Welcome(welcome) => {
            word(model, welcome.now);
            model.link.welcome = Some(welcome);
            model.link.state = LinkState::Loading;
            Vec::new()
        }
        LinkEvent::Page { first, page } => add_page(model, first, page),
        LinkEvent::Delta(delta) => change(model, delta),
        LinkEvent::Waiting {
            attempt,
            for_ms,
            failure,
        } => {
            if model.link.is_up() && model.link.loaded {
                let text = format!("lost the daemon: {}", failure.sentence);
                model.say(OutcomeKind::News, text);
                model.link.lost_since_ms = model.link.heard_at_ms;
            }
            model.link.state = LinkState::Waiting {
                attempt,
                retry_at_ms: model.now_ms + for_ms,
                failure,
            };
            Vec::new()
        }
    }
}

/// The daemon spoke.
fn word(model: &mut Model, now: chrono::DateTime<chrono::Utc>) {
    model.link.heard_at_ms = Some(model.now_ms);
    model.link.daemon_now = Some(now);
}

fn add_page(model: &mut Model, first: bool, page: Snapshot) -> Vec<Effect> {
    if first {
        model.link.incoming.clear();
    }
    for row in page.rows {
        model.link.incoming.insert(row.key.clone(), row);
    }
    if page.next.is_some() {
        word(model, page.now);
        return Vec::new();
    }
    let lost_since = model.link.lost_since_ms.take();
    let before = navigation::keys_on_screen(model);
    let rows = std::mem::take(&mut model.link.incoming);
    let old = std::mem::replace(&mut model.data.rows, rows);
    model.data.revision = page.revision;
    if let Some(lost_since) = lost_since {
        announce(model, &old, model.now_ms.saturating_sub(lost_since));
    }
    word(model, page.now);
    model.link.loaded = true;
    model.link.state = LinkState::Live;
    model.undo = None;
    if model.frozen.is_none() {
        navigation::reselect(model, &before);
    }
    refresh_detail(model)
}

/// What changed while nobody was listening.
fn announce(model: &mut Model, old: &std::collections::BTreeMap<String, Row>, away_ms: u64) {
    let new = &model.data.rows;
    let added = new.keys().filter(|key| !old.contains_key(*key)).count();
    let gone = old.keys().filter(|key| !new.contains_key(*key)).count();
    let other = new.values().filter(|row| {
        old.get(&row.key)
            .is_some_and(|before| before.state != row.state)
    });
    let mut parts: Vec<String> = other
        .take(3)
        .map(|row| format!("{} is {}", row.key, row.state))
        .collect();
    for (count, what) in [(added, "new"), (gone, "gone")] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let what = if parts.is_empty() {
        "no state changed meanwhile".to_owned()
    } else {
        parts.join(", ")
    };
    let seconds = away_ms / 1_000;
    model.say(
        OutcomeKind::News,
        format!("the daemon is back after {seconds}s: {what}"),
    );
}

fn change(model: &mut Model, delta: Delta) -> Vec<Effect> {
    let before = navigation::keys_on_screen(model);
    word(model, delta.now);
    model.link.state = LinkState::Live;
    model.link.coalesced += delta.coalesced;
    model.data.revision = delta.revision;
    if let Some(frozen) = &mut model.frozen {
        frozen.news += (delta.rows.len() + delta.gone.len()) as u64;
    }
    for key in &delta.gone {
        model.data.rows.remove(key);
    }
    let mut effects = Vec::new();
    for row in delta.rows {
        mark(model, &row);
        effects.extend(follow(model, &row));
        model.data.rows.insert(row.key.clone(), row);
    }
    if model.frozen.is_none() {
        navigation::reselect(model, &before);
    }
    effects
}

/// Remember what is another now, so that the list can show it for some seconds.
fn mark(model: &mut Model, row: &Row) {
    let Some(old) = model.data.rows.get(&row.key) else {
        return;
    };
    let thousandths = |row: &Row| {
        reading::leader(row).map_or(0, |leader| (leader.arm.p_best * 1_000.0).round() as i64)
    };
    let p_best = (thousandths(row) - thousandths(old)).signum() as i8;
    let state = old.state != row.state;
    if p_best != 0 || state {
        let moved = Moved {
            at_ms: model.now_ms,
            p_best,
            state,
        };
        model.moved.insert(row.key.clone(), moved);
    }
}

/// Carry a change over to the detail on screen; what a row does not say is asked for.
fn follow(model: &mut Model, row: &Row) -> Vec<Effect> {
    let Some(detail) = model.data.detail.as_mut().filter(|d| d.row.key == row.key) else {
        return Vec::new();
    };
    if model
        .detail
        .lane
        .as_ref()
        .is_some_and(|lane| *lane != row.lane)
    {
        lane::follow(detail, row);
        return ask_detail(model);
    }
    let same_arms = detail.row.arms.len() == row.arms.len();
    let changed = detail.row.revision != row.revision || !same_arms;
    let newest = detail.allocation.last().map_or(0, |point| point.version);
    if let Some(at) = row.published_at
        && row.version > newest
        && same_arms
    {
        detail.allocation.push(AllocationPoint {
            at,
            version: row.version,
            shares: row.arms.iter().map(|arm| arm.share).collect(),
        });
        if detail.allocation.len() > MAX_POINTS {
            detail.allocation.remove(0);
        }
    }
    detail.row = row.clone();
    if changed {
        ask_detail(model)
    } else {
        Vec::new()
    }
}

fn refresh_detail(model: &mut Model) -> Vec<Effect> {
    let asked = |asked: &crate::model::Asked| matches!(asked, crate::model::Asked::Detail { .. });
    model.asked.retain(|_, waiting| !asked(waiting));
    ask_detail(model)
}
