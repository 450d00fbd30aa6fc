//! What comes by the calendar, as a row says it.

use bandit::experiment::RunState;
use bandit::schedule::{Next, Obstacle, Stage, look, stage, stops_at};
use chrono::{DateTime, Utc};
use protocol::experiments::{RampRow, ScheduleRow};

use crate::world::Live;

/// `None` where nothing comes any more. `exposed`: units that were ever exposed.
pub(super) fn schedule(live: &Live, exposed: u64, now: DateTime<Utc>) -> Option<ScheduleRow> {
    let declared = live.spec.schedule.as_ref()?;
    let standing = live.standing(exposed);
    let next = look(&standing, now);
    let archives_at = match (&live.serving.state, declared.archive_after) {
        (RunState::Stopped { since, .. }, Some(after)) => {
            since.checked_add_signed(after.to_chrono())
        }
        _ => None,
    };
    let (is_draft, is_over) = match live.serving.state {
        RunState::Draft => (true, false),
        RunState::Stopped { .. } | RunState::Archived { .. } => (false, true),
        RunState::Running { .. } | RunState::Paused { .. } | RunState::RolledBack { .. } => {
            (false, false)
        }
    };
    let row = ScheduleRow {
        starts_at: declared.start.filter(|_| is_draft),
        // Of a draft whose stop is over, the obstacle is what is said.
        stops_at: stops_at(&standing).filter(|at| !is_over && (!is_draft || *at > now)),
        archives_at,
        ramp: stage(&standing).filter(|_| !is_over).map(ramp),
        waits: match next {
            Next::Waits(obstacle) => Some(in_words(obstacle)),
            Next::Nothing | Next::Due(_) | Next::At(_) => None,
        },
    };
    (row != ScheduleRow::default()).then_some(row)
}

fn ramp(stage: Stage) -> RampRow {
    RampRow {
        step: stage.step as u32,
        steps: stage.steps as u32,
        traffic: stage.traffic.get(),
        next: stage.next.get(),
        held_until: stage.held_until,
        samples: stage.have,
        min_samples: stage.need,
    }
}

fn in_words(obstacle: Obstacle) -> String {
    match obstacle {
        Obstacle::Paused => "nothing happens by the calendar while it is paused".to_owned(),
        Obstacle::RolledBack => {
            "nothing happens by the calendar while it is rolled back".to_owned()
        }
        Obstacle::Held => "the ramp waits until the hold is released".to_owned(),
        Obstacle::Samples { have, need, late } => {
            let missing = need.saturating_sub(have);
            let too_long = if late {
                ", for longer than three times the step's hold"
            } else {
                ""
            };
            format!("the ramp waits for {missing} more units{too_long}")
        }
        Obstacle::StopIsOver => {
            "it does not start by itself: its stop is over; start it by hand, or change the file"
                .to_owned()
        }
    }
}
