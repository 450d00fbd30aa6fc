//! What the calendar asks for: start, ramp, stop, archive. From spec, state and time alone.
//!
//! A look says one thing at most, and says it again until it is done; looks may come at any time, in any number, and
//! from several places. What has been done is in the state and in the ramp's own memory, so that a clock that jumps
//! back undoes nothing and a daemon that was away catches up.

mod ramp;

use chrono::{DateTime, Utc};

use crate::experiment::{Millis, RunState, Share};
use crate::spec::model::ExperimentSpec;

pub use ramp::{Ramp, Stage, served_traffic, stage};

/// Waiting for samples for longer than this many times the hold is too long.
const LATE_AFTER_HOLDS: u64 = 3;

/// 1 min: a step that is held for a moment only is not late a moment later.
const LATE_AFTER_AT_LEAST: Millis = Millis(60_000);

/// An experiment as its schedule looks at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing<'a> {
    /// The spec in force.
    pub spec: &'a ExperimentSpec,
    /// Where it is in its life.
    pub state: &'a RunState,
    /// When it was started first.
    pub started_at: Option<DateTime<Utc>>,
    /// How far its ramp is; `None` before the start, and where there is none.
    pub ramp: Option<Ramp>,
    /// Units that were ever exposed, over all lanes and arms.
    pub exposed: u64,
    /// Whether anything about it is held.
    pub held: bool,
}

/// What can be due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// A draft starts.
    Start,
    /// What runs stops.
    Stop,
    /// What is stopped goes out of sight.
    Archive,
    /// The ramp takes the next step, or several that are overdue as one.
    Step {
        /// The traffic so far.
        from: Share,
        /// The traffic from now on.
        to: Share,
        /// Since when the new step counts: when it was due, or now if it has waited for samples.
        since: DateTime<Utc>,
    },
}

/// Why something that is due does not happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Obstacle {
    /// Until it is resumed.
    Paused,
    /// Until it is resumed.
    RolledBack,
    /// Until what is held is released.
    Held,
    /// Until enough units have been exposed at this step.
    Samples {
        /// So many were.
        have: u64,
        /// So many are needed.
        need: u64,
        /// Whether it has waited for longer than three times the step's hold.
        late: bool,
    },
    /// It never starts by itself: its stop is over.
    StopIsOver,
}

/// What a look finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Nothing comes by the calendar any more.
    Nothing,
    /// This is to be done now.
    Due(Action),
    /// Something comes, not before then.
    At(DateTime<Utc>),
    /// Something is due and does not happen meanwhile.
    Waits(Obstacle),
}

/// What is due at `now`.
pub fn look(it: &Standing<'_>, now: DateTime<Utc>) -> Next {
    let Some(schedule) = &it.spec.schedule else {
        return Next::Nothing;
    };
    match it.state {
        RunState::Draft => match (schedule.start, schedule.stop) {
            (Some(_), Some(stop)) if stop <= now => Next::Waits(Obstacle::StopIsOver),
            (Some(start), _) => at(start, now, Action::Start),
            (None, _) => Next::Nothing,
        },
        RunState::Running { .. } => running(it, now),
        RunState::Paused { .. } => waits(running(it, now), Obstacle::Paused),
        RunState::RolledBack { .. } => waits(running(it, now), Obstacle::RolledBack),
        RunState::Stopped { since, .. } => match schedule.archive_after {
            Some(after) => at(later(*since, after), now, Action::Archive),
            None => Next::Nothing,
        },
        RunState::Archived { .. } => Next::Nothing,
    }
}

/// When an experiment that has started stops by its schedule. A stop that was over before the start is none: who
/// starts an experiment by hand after its dates wants it to run.
pub fn stops_at(it: &Standing<'_>) -> Option<DateTime<Utc>> {
    let stop = it.spec.schedule.as_ref()?.stop?;
    it.started_at
        .is_none_or(|started| started < stop)
        .then_some(stop)
}

/// A stop goes before a step: there would be nobody to step for.
fn running(it: &Standing<'_>, now: DateTime<Utc>) -> Next {
    let stop = stops_at(it);
    if stop.is_some_and(|stop| stop <= now) {
        return Next::Due(Action::Stop);
    }
    let step = match ramp::step(it, now) {
        Next::Due(_) if it.held => Next::Waits(Obstacle::Held),
        step => step,
    };
    match (stop, step) {
        (Some(stop), Next::Nothing) => Next::At(stop),
        (Some(stop), Next::At(step)) => Next::At(stop.min(step)),
        (_, step) => step,
    }
}

/// The same, but nothing happens.
fn waits(next: Next, obstacle: Obstacle) -> Next {
    match next {
        Next::Due(_) | Next::Waits(_) => Next::Waits(obstacle),
        Next::Nothing | Next::At(_) => next,
    }
}

fn at(then: DateTime<Utc>, now: DateTime<Utc>, action: Action) -> Next {
    if then <= now {
        Next::Due(action)
    } else {
        Next::At(then)
    }
}

/// The last instant that there is, where the sum would be later.
fn later(then: DateTime<Utc>, by: Millis) -> DateTime<Utc> {
    then.checked_add_signed(by.to_chrono())
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
