//! Ramps: traffic steps, each held for a time and until enough units have been exposed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Action, LATE_AFTER_AT_LEAST, LATE_AFTER_HOLDS, Next, Obstacle, Standing, later};
use crate::experiment::{Millis, RunState, Share};
use crate::spec::model::{ExperimentSpec, RampStep};

/// How far a ramp is. It remembers the traffic and not the number of the step, so that a ramp that is changed in
/// between goes on from what is served.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// The traffic that is served.
    pub traffic: Share,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Units that had been exposed before.
    pub exposed_before: u64,
}

/// Where a ramp that is not over stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Which step is served, from 1; 0 if the first one is still to come.
    pub step: usize,
    /// How many there are, `traffic` itself included.
    pub steps: usize,
    /// The traffic that is served.
    pub traffic: Share,
    /// The traffic of the next step.
    pub next: Share,
    /// The next step comes no sooner.
    pub held_until: DateTime<Utc>,
    /// Units exposed at this step.
    pub have: u64,
    /// And how many are needed.
    pub need: u64,
}

impl Ramp {
    /// The ramp of an experiment that starts at `at`; `None` if it has none.
    pub fn begin(spec: &ExperimentSpec, at: DateTime<Utc>, exposed_before: u64) -> Option<Self> {
        let first = steps(spec).first()?;
        Some(Self {
            traffic: first.traffic,
            since: at,
            exposed_before,
        })
    }

    /// The ramp of an experiment that has started, under a spec that is put in force at `at`: from the traffic that was
    /// served until then, which is never lowered but by a lower `traffic`. The time and the units of a step that goes on
    /// count on. `None` if the new spec has no ramp.
    pub fn carried_on(
        before: Option<Self>,
        old: &ExperimentSpec,
        new: &ExperimentSpec,
        at: DateTime<Utc>,
        exposed_before: u64,
    ) -> Option<Self> {
        steps(new).first()?;
        let served = served_traffic(old, before);
        let traffic = least(served, new.traffic);
        match before {
            Some(before) if before.traffic == traffic => Some(before),
            _ => Some(Self {
                traffic,
                since: at,
                exposed_before,
            }),
        }
    }
}

/// The share of eligible units that take part now.
pub fn served_traffic(spec: &ExperimentSpec, ramp: Option<Ramp>) -> Share {
    match ramp {
        Some(ramp) if !steps(spec).is_empty() => least(ramp.traffic, spec.traffic),
        _ => spec.traffic,
    }
}

/// Where the ramp stands; `None` if there is none or it is over.
pub fn stage(it: &Standing<'_>) -> Option<Stage> {
    let ramp = it.ramp?;
    let levels = levels(it.spec);
    let served = served_traffic(it.spec, Some(ramp));
    let step = reached(&levels, served);
    let next = levels.get(step)?.traffic;
    let here = step.checked_sub(1).map(|at| &levels[at]);
    Some(Stage {
        step,
        steps: levels.len(),
        traffic: served,
        next,
        held_until: here.map_or(ramp.since, |level| later(since(it, ramp), level.hold)),
        have: it.exposed.saturating_sub(ramp.exposed_before),
        need: here.map_or(0, |level| level.min_samples),
    })
}

/// The step that is due, all overdue ones as one. It ends at a step whose samples are still to come: nobody was
/// exposed at a step that was never served.
pub(super) fn step(it: &Standing<'_>, now: DateTime<Utc>) -> Next {
    let Some(ramp) = it.ramp else {
        return Next::Nothing;
    };
    let levels = levels(it.spec);
    let from = served_traffic(it.spec, Some(ramp));
    let mut step = reached(&levels, from);
    let mut since = since(it, ramp);
    let mut have = it.exposed.saturating_sub(ramp.exposed_before);
    let mut due = None;
    let not_yet = loop {
        let Some(next) = levels.get(step) else {
            break Next::Nothing;
        };
        // Without a step that was held, as after a change of the ramp, the first one begins now.
        let mut began = now;
        if let Some(here) = step.checked_sub(1).map(|at| &levels[at]) {
            let held_until = later(since, here.hold);
            if now < held_until {
                break Next::At(held_until);
            }
            if have < here.min_samples {
                break Next::Waits(Obstacle::Samples {
                    have,
                    need: here.min_samples,
                    late: is_late(here.hold, held_until, now),
                });
            }
            // When the last sample came is not known: it was not there at the look before.
            if here.min_samples == 0 {
                began = held_until;
            }
        }
        (since, have) = (began, 0);
        due = Some(Action::Step {
            from,
            to: next.traffic,
            since,
        });
        step += 1;
    };
    due.map_or(not_yet, Next::Due)
}

/// A step is held anew after a pause or a rollback: its time begins when it is served again.
fn since(it: &Standing<'_>, ramp: Ramp) -> DateTime<Utc> {
    match it.state {
        RunState::Running { since } => ramp.since.max(*since),
        _ => ramp.since,
    }
}

fn is_late(hold: Millis, held_until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let patience = Millis(hold.0.saturating_mul(LATE_AFTER_HOLDS)).max(LATE_AFTER_AT_LEAST);
    later(held_until, patience) <= now
}

fn steps(spec: &ExperimentSpec) -> &[RampStep] {
    spec.schedule
        .as_ref()
        .map_or(&[][..], |schedule| &schedule.ramp)
}

/// The steps, and `traffic` after them unless the last one is that.
fn levels(spec: &ExperimentSpec) -> Vec<RampStep> {
    let mut levels = steps(spec).to_vec();
    if levels
        .last()
        .is_some_and(|last| last.traffic < spec.traffic)
    {
        levels.push(RampStep {
            traffic: spec.traffic,
            hold: Millis(0),
            min_samples: 0,
        });
    }
    levels
}

/// How many of the steps are reached with this traffic.
fn reached(levels: &[RampStep], served: Share) -> usize {
    levels.partition_point(|level| level.traffic <= served)
}

fn least(one: Share, other: Share) -> Share {
    if one <= other { one } else { other }
}
