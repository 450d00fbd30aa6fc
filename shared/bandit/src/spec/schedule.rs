//! `schedule`: when to start, ramp, stop and archive.

use chrono::{DateTime, Utc};
use toml::de::DeValue;

use crate::experiment::Share;
use crate::spec::limits::MAX_RAMP_STEPS;
use crate::spec::model::{RampStep, ScheduleSpec};
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

/// The keys of a schedule.
pub(super) const KEYS: &[&str] = &["start", "stop", "ramp", "archive_after"];

pub(super) const STEP_KEYS: &[&str] = &["traffic", "hold", "min_samples"];
const HOW_STEP: &str = "write ramp = [{ traffic = \"5%\", hold = \"1h\" }, ...]";
const HOW_INSTANT: &str = "write a date with its time zone, such as 2030-01-31T09:00:00Z";

/// Reads `schedule`. An empty section is none.
pub(super) fn read(experiment: &Reader<'_>, traffic: Share) -> Option<ScheduleSpec> {
    let slot = experiment.slot("schedule")?;
    let table = slot.table("write a section [experiment.schedule]")?;
    table.only(KEYS);
    if table.is_empty() {
        return None;
    }
    let instant = |key: &str| table.slot(key).and_then(|slot| read_instant(&slot));
    let schedule = ScheduleSpec {
        start: instant("start"),
        stop: instant("stop"),
        ramp: table
            .slot("ramp")
            .map_or(vec![], |slot| read_ramp(&slot, traffic)),
        archive_after: table.slot("archive_after").and_then(|slot| slot.duration()),
    };
    if let (Some(start), Some(stop)) = (schedule.start, schedule.stop)
        && stop <= start
    {
        table.problem("stops before it starts", "swap `start` and `stop`");
    }
    Some(schedule)
}

/// A TOML date with time and zone, or the same in quotes.
fn read_instant(slot: &Slot<'_>) -> Option<DateTime<Utc>> {
    let text = match slot.value() {
        DeValue::Datetime(instant) => instant.to_string(),
        DeValue::String(text) => text.as_ref().to_owned(),
        _ => String::new(),
    };
    let instant = DateTime::parse_from_rfc3339(&text).ok();
    if instant.is_none() {
        slot.problem("is not an instant: a date, a time and a zone", HOW_INSTANT);
    }
    instant.map(|instant| instant.with_timezone(&Utc))
}

fn read_ramp(slot: &Slot<'_>, traffic: Share) -> Vec<RampStep> {
    let Some(tables) = slot.list_of_tables(HOW_STEP) else {
        return Vec::new();
    };
    if tables.len() > MAX_RAMP_STEPS {
        slot.problem(
            format!("has {} steps; at most {MAX_RAMP_STEPS} fit", tables.len()),
            "take larger steps",
        );
        return Vec::new();
    }
    let mut steps: Vec<RampStep> = Vec::new();
    for table in &tables {
        let Some(step) = read_step(table) else {
            continue;
        };
        if let Some(last) = steps.last()
            && step.traffic <= last.traffic
        {
            table.problem(
                format!("steps from {} to {}", last.traffic, step.traffic),
                "a ramp rises: sort the steps, or remove one",
            );
        }
        if step.traffic > traffic {
            table.problem(
                format!("steps to {}, above traffic = {traffic}", step.traffic),
                "the ramp leads up to `traffic`: raise that, or lower the step",
            );
        }
        steps.push(step);
    }
    steps
}

fn read_step(table: &Reader<'_>) -> Option<RampStep> {
    table.only(STEP_KEYS);
    let traffic = table
        .required("traffic", HOW_STEP)
        .and_then(|slot| slot.share());
    let hold = table
        .required("hold", HOW_STEP)
        .and_then(|slot| slot.duration());
    let min_samples = table
        .slot("min_samples")
        .map_or(Some(0), |slot| slot.whole());
    Some(RampStep {
        traffic: traffic?,
        hold: hold?,
        min_samples: min_samples?,
    })
}
