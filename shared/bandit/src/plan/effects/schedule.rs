//! What happens by the calendar later on, and what a changed ramp does to the traffic.

use chrono::{DateTime, Utc};

use crate::experiment::Share;
use crate::plan::effects::Effects;
use crate::plan::fields::sections::ramp_text;
use crate::plan::numbers::control;
use crate::plan::{Current, FieldChange};
use crate::schedule::{Ramp, served_traffic};
use crate::spec::model::{ExperimentSpec, RampStep};

/// The traffic that an experiment starts with.
pub(super) fn first_traffic(spec: &ExperimentSpec) -> Share {
    served_traffic(spec, Ramp::begin(spec, DateTime::<Utc>::MIN_UTC, 0))
}

/// The traffic that is served now, and under the new spec.
pub(super) fn traffic(current: &Current, wanted: &ExperimentSpec) -> (Share, Share) {
    let (old, at) = (&current.spec, DateTime::<Utc>::MIN_UTC);
    let ramp = Ramp::carried_on(current.ramp, old, wanted, at, 0);
    (
        served_traffic(old, current.ramp),
        served_traffic(wanted, ramp),
    )
}

/// Of a new experiment, or a draft.
pub(super) fn of_draft(effects: &mut Effects, spec: &ExperimentSpec, starts: bool) {
    let Some(schedule) = &spec.schedule else {
        return;
    };
    if let Some(start) = schedule.start
        && !starts
    {
        effects.say(format!(
            "its schedule starts it at {start}, or at once if that is over: {} of the eligible units take part then",
            first_traffic(spec)
        ));
    }
    if !schedule.ramp.is_empty() {
        effects.say(format!("ramp: {}", steps(&schedule.ramp, spec.traffic)));
    }
    ends(effects, spec);
}

/// Of a draft whose schedule is changed.
pub(super) fn of_changed_draft(
    effects: &mut Effects,
    wanted: &ExperimentSpec,
    fields: &[FieldChange],
) {
    let scheduled = |field: &FieldChange| field.path.starts_with("schedule.");
    if fields.iter().any(scheduled) {
        of_draft(effects, wanted, false);
    }
}

/// Of one that has started and whose schedule is changed.
pub(super) fn of_change(
    effects: &mut Effects,
    current: &Current,
    wanted: &ExperimentSpec,
    fields: &[FieldChange],
) {
    let changed = |path: &str| fields.iter().any(|field| field.path == path);
    if let Some(schedule) = &wanted.schedule
        && (changed("schedule.ramp") || changed("traffic"))
    {
        let (_, now) = traffic(current, wanted);
        let ahead = schedule.ramp.iter().filter(|step| step.traffic > now);
        let ahead: Vec<RampStep> = ahead.cloned().collect();
        if now < wanted.traffic {
            effects.say(format!(
                "the ramp goes on from {now}: {}",
                steps(&ahead, wanted.traffic)
            ));
        } else if !schedule.ramp.is_empty() {
            effects.say(format!(
                "the ramp is over: {now} of the eligible units take part already"
            ));
        }
    }
    if changed("schedule.stop") || changed("schedule.archive_after") {
        ends(effects, wanted);
    }
}

fn ends(effects: &mut Effects, spec: &ExperimentSpec) {
    let Some(schedule) = &spec.schedule else {
        return;
    };
    if let Some(stop) = schedule.stop {
        effects.warn(format!(
            "its schedule stops it at {stop}, or at once if that is over, for good: callers get {} from then on",
            control(spec)
        ));
    }
    if let Some(after) = schedule.archive_after {
        effects.say(format!("archived {after} after it has stopped"));
    }
}

/// Such as `5% for 1h and 500 samples, 50% for 1d, then 100%`: the last one is held for ever, whatever it says.
fn steps(steps: &[RampStep], traffic: Share) -> String {
    let held = match steps.split_last() {
        Some((last, before)) if last.traffic == traffic => before,
        _ => steps,
    };
    if held.is_empty() {
        return format!("then {traffic}");
    }
    format!("{}, then {traffic}", ramp_text(held))
}
