//! The state a file asks for, against the state an experiment is in: a verb, a hold that is kept, or a refusal.

use crate::experiment::{RunState, Verb};
use crate::plan::{Current, Options};
use crate::spec::model::{DeclaredState, ExperimentSpec};

/// What the declared state leads to.
pub(super) struct Transition {
    /// What to carry out.
    pub verb: Option<Verb>,
    /// Holds in the way; kept unless `verb` overcomes them.
    pub holds: Vec<String>,
}

const NOTHING: Transition = Transition {
    verb: None,
    holds: Vec::new(),
};

/// The verb for a new experiment. One that is declared paused or stopped before it ever ran is created as a draft:
/// nobody can tell the difference, and its file can be applied to a fresh installation. One that is declared running
/// and has a start waits for it.
pub(super) fn of_new(wanted: &ExperimentSpec) -> Option<Verb> {
    match wanted.state {
        Some(DeclaredState::Running) if starts_by_itself(wanted) => None,
        Some(DeclaredState::Running) => Some(Verb::Start),
        None | Some(DeclaredState::Draft | DeclaredState::Paused | DeclaredState::Stopped) => None,
    }
}

/// What it takes to get from the present state to the declared one; refusals come with the way out.
pub(super) fn of_declared(
    current: &Current,
    spec: &ExperimentSpec,
    options: Options,
) -> Result<Transition, String> {
    let Some(wanted) = spec.state else {
        return Ok(NOTHING);
    };
    if is_ahead_by_its_schedule(current, spec, wanted) {
        return Ok(NOTHING);
    }
    match (&current.state, wanted) {
        // A draft serves control to everyone, as a paused or stopped experiment without units does.
        (RunState::Draft, DeclaredState::Running) => Ok(only(Verb::Start)),
        (RunState::Draft, _)
        | (RunState::Running { .. }, DeclaredState::Running)
        | (RunState::Paused { .. } | RunState::RolledBack { .. }, DeclaredState::Paused)
        | (RunState::Stopped { .. } | RunState::Archived { .. }, DeclaredState::Stopped) => {
            Ok(NOTHING)
        }
        (RunState::Running { .. }, DeclaredState::Paused) => Ok(only(Verb::Pause)),
        (
            RunState::Running { .. } | RunState::Paused { .. } | RunState::RolledBack { .. },
            DeclaredState::Stopped,
        ) => Ok(only(Verb::Stop)),
        (RunState::Paused { .. } | RunState::RolledBack { .. }, DeclaredState::Running) => {
            Ok(resume(current, options))
        }
        (RunState::Stopped { .. }, DeclaredState::Running | DeclaredState::Paused) => {
            stay_stopped(current, options)
        }
        (_, DeclaredState::Draft) => Err(refusal(
            current,
            "cannot become a draft again",
            "remove the line `state`, or write state = \"paused\" or \"stopped\"",
        )),
        (RunState::Archived { .. }, DeclaredState::Running | DeclaredState::Paused) => {
            Err(refusal(current, "is over", ANOTHER_KEY))
        }
    }
}

fn starts_by_itself(spec: &ExperimentSpec) -> bool {
    let schedule = spec.schedule.as_ref();
    schedule.is_some_and(|schedule| schedule.start.is_some())
}

/// The file's own schedule leads on from the state that the file declares: where it does, or is about to, applying the
/// file again neither refuses nor undoes it.
fn is_ahead_by_its_schedule(
    current: &Current,
    spec: &ExperimentSpec,
    wanted: DeclaredState,
) -> bool {
    let Some(schedule) = &spec.schedule else {
        return false;
    };
    match (wanted, &current.state) {
        (DeclaredState::Draft, state) => schedule.start.is_some() && state.has_started(),
        (DeclaredState::Running, RunState::Draft) => schedule.start.is_some(),
        (DeclaredState::Running | DeclaredState::Paused, RunState::Stopped { since, .. }) => {
            schedule.stop.is_some_and(|stop| stop <= *since)
        }
        (DeclaredState::Running | DeclaredState::Paused, RunState::Archived { .. }) => {
            schedule.archive_after.is_some()
        }
        (DeclaredState::Running | DeclaredState::Paused | DeclaredState::Stopped, _) => false,
    }
}

const ANOTHER_KEY: &str = "remove it from the file, and create a new experiment under another key";

fn only(verb: Verb) -> Transition {
    Transition {
        verb: Some(verb),
        holds: Vec::new(),
    }
}

fn resume(current: &Current, options: Options) -> Transition {
    let holds = holds(current);
    let released = holds.is_empty() || options.release_holds;
    Transition {
        verb: released.then_some(Verb::Resume),
        holds,
    }
}

/// The holds; a rollback is one even where nothing else says so, because only a person may undo it.
fn holds(current: &Current) -> Vec<String> {
    match &current.state {
        RunState::RolledBack { by, why, .. } if current.holds.is_empty() => {
            vec![format!("rolled back by {by}: {why}")]
        }
        _ => current.holds.clone(),
    }
}

fn stay_stopped(current: &Current, options: Options) -> Result<Transition, String> {
    if current.holds.is_empty() || options.release_holds {
        return Err(refusal(
            current,
            "cannot be started again",
            "write state = \"stopped\" or remove it from the file, and create a new experiment under another key",
        ));
    }
    Ok(Transition {
        verb: None,
        holds: current.holds.clone(),
    })
}

/// `experiment "x" is stopped and cannot be started again: create ...`
fn refusal(current: &Current, what: &str, way_out: &str) -> String {
    format!(
        "experiment \"{}\" is {} and {what}: {way_out}",
        current.spec.key,
        current.state.name()
    )
}
