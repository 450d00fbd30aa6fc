//! Requests that have been checked: what a constructor here lets through is carried out.

use bandit::spec::model::Attributes;
use chrono::{DateTime, Utc};

use super::attributes::Collector;
use super::problem::Problem;
use super::units::Unit;

/// Longest experiment key, event name and idempotency id, in bytes.
pub(crate) const MAX_NAME_LEN: usize = 128;

/// A unit that wants its arm.
#[derive(Debug, PartialEq)]
pub(crate) struct Assign {
    unit: Unit,
    attributes: Attributes,
    expose: bool,
}

impl Assign {
    /// `expose`: whether the unit meets its arm now; `false` holds the exposure back.
    pub(crate) fn new(unit: Unit, attributes: Collector, expose: bool) -> Self {
        Self {
            unit,
            attributes: attributes.done(),
            expose,
        }
    }

    /// Who.
    pub(crate) fn unit(&self) -> &Unit {
        &self.unit
    }

    /// What is known about the unit.
    pub(crate) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Whether the unit meets its arm now.
    pub(crate) fn expose(&self) -> bool {
        self.expose
    }
}

/// One event of a unit.
#[derive(Debug, PartialEq)]
pub(crate) struct TrackItem {
    experiment: Option<String>,
    unit: Unit,
    event: EventFields,
}

/// What is said of an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct EventFields {
    /// What happened.
    pub(crate) name: String,
    /// How much; finite.
    pub(crate) value: Option<f64>,
    /// The caller's id of this event: the same id again has no second effect.
    pub(crate) id: Option<String>,
    /// When it happened, if the caller knows better than the time of arrival.
    pub(crate) at: Option<DateTime<Utc>>,
}

impl TrackItem {
    /// Checks the event. `experiment` is the experiment's key, absent where the call says it.
    pub(crate) fn new(
        experiment: Option<String>,
        unit: Unit,
        event: EventFields,
    ) -> Result<Self, Problem> {
        if let Some(experiment) = &experiment {
            check_text("experiment", experiment, MAX_NAME_LEN)?;
        }
        check_event(&event)?;
        Ok(Self {
            experiment,
            unit,
            event,
        })
    }

    /// The item of a batch: it must say its experiment.
    pub(crate) fn of_batch(self) -> Result<Self, Problem> {
        if self.experiment.is_none() {
            return Err(Problem::field("experiment", "`experiment` is required"));
        }
        Ok(self)
    }

    /// The experiment's key.
    pub(crate) fn experiment(&self) -> Option<&str> {
        self.experiment.as_deref()
    }

    /// Who.
    pub(crate) fn unit(&self) -> &Unit {
        &self.unit
    }

    /// What is said of it.
    pub(crate) fn event(&self) -> &EventFields {
        &self.event
    }

    pub(super) fn into_event(self) -> EventFields {
        self.event
    }
}

fn check_event(event: &EventFields) -> Result<(), Problem> {
    check_text("event", &event.name, MAX_NAME_LEN)?;
    // $assigned, $exposed and $reward are the platform's own series.
    if event.name.starts_with('$') {
        return Err(Problem::field("event", "names that begin with $ are ours"));
    }
    if event.value.is_some_and(|value| !value.is_finite()) {
        return Err(Problem::field("value", "`value` is not a finite number"));
    }
    match &event.id {
        Some(id) => check_text("id", id, MAX_NAME_LEN),
        None => Ok(()),
    }
}

/// Whether `text` has 1 to `max_len` bytes and no control characters.
pub(crate) fn check_text(name: &'static str, text: &str, max_len: usize) -> Result<(), Problem> {
    if text.is_empty() || text.len() > max_len {
        return Err(Problem::field(
            name,
            format!("`{name}` has {} bytes; send 1 to {max_len}", text.len()),
        ));
    }
    // PostgreSQL cannot store a zero character, and screens should not be sent the others. Most texts are seen to
    // have none without being taken apart.
    let is_printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !is_printable && text.chars().any(char::is_control) {
        return Err(Problem::field(
            name,
            format!("`{name}` contains a control character"),
        ));
    }
    Ok(())
}
