//! The calls one by one: from the wire to `calls` and back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use protocol::serve::{
    AssignRequest, Assigned, Attribute, AttributeValue, Batch, BatchError, BatchTracked, Event,
    ExposeRequest, Exposed, ItemOutcome, ItemResult, MAX_BATCH, PROTOCOL, Problem as WireProblem,
    Scalar, Serve, Tracked, Unanswerable,
};
use serde_json::Value;

use crate::calls::{
    self, Assign, Assignment, Calls, Code, Collector, EventFields, Kind, Problem, TrackItem, Unit,
    events_in,
};

/// The service for any connection.
#[derive(Clone)]
pub(super) struct Service(Arc<Calls>);

impl Service {
    pub(super) fn new(calls: Arc<Calls>) -> Self {
        Self(calls)
    }
}

impl Serve for Service {
    async fn assign(self, request: AssignRequest) -> Result<Assigned, WireProblem> {
        let _place = self.0.admit(Kind::Unit)?;
        let live = self.0.experiment(&request.experiment)?;
        let unit = Unit::new(request.unit)?;
        let attributes = attributes(request.attributes)?;
        let request = Assign::new(unit, attributes, request.expose.unwrap_or(true));
        let assignment = self.0.assign(live, &request).await?;
        Ok(assigned(&assignment))
    }

    async fn expose(self, request: ExposeRequest) -> Result<Exposed, WireProblem> {
        let _place = self.0.admit(Kind::Unit)?;
        let live = self.0.experiment(&request.experiment)?;
        let exposure = self.0.expose(&live, &Unit::new(request.unit)?).await?;
        Ok(Exposed {
            experiment: request.experiment,
            exposed: exposure.is_exposed(),
            durability: exposure.durability().map(|it| it.as_str().to_owned()),
        })
    }

    async fn track(self, mut event: Event) -> Result<Tracked, WireProblem> {
        let _place = self.0.admit(Kind::Track)?;
        let live = self.0.experiment(&event.experiment)?;
        // It is known to be good; the item need not say it again.
        event.experiment.clear();
        let tracked = self.0.track(live, item(event)?).await?;
        Ok(self::tracked(&tracked))
    }

    async fn track_batch(self, batch: Batch) -> Result<BatchTracked, WireProblem> {
        let _place = self.0.admit_events(Kind::Track, events_of(&batch))?;
        let events = batch.read().map_err(|error| unreadable(&error))?;
        let items = events
            .into_iter()
            .map(|event| item(event).and_then(TrackItem::of_batch))
            .collect();
        let results = self.0.track_batch(items).await?;
        let accepted = results.iter().filter(|result| result.is_ok()).count();
        Ok(BatchTracked {
            accepted: accepted as u32,
            rejected: (results.len() - accepted) as u32,
            results: results.into_iter().map(item_result).collect(),
        })
    }

    fn refuse(&self, why: Unanswerable) -> WireProblem {
        let problem = match why {
            Unanswerable::TooLarge(max) => Problem::too_large(max),
            Unanswerable::UnknownCall => Problem::new(
                Code::UnknownRoute,
                format!(
                    "this daemon speaks data protocol {}.{} and does not know the call",
                    PROTOCOL.major, PROTOCOL.minor
                ),
            ),
        };
        problem.into()
    }
}

fn attributes(attributes: Vec<Attribute>) -> Result<Collector, Problem> {
    let mut collected = Collector::for_entries(attributes.len())?;
    for Attribute { name, value } in attributes {
        collected.put(&name, value.and_then(self::value))?;
    }
    Ok(collected)
}

fn value(value: AttributeValue) -> Option<Value> {
    match value {
        AttributeValue::Text(text) => scalar(Scalar::Text(text)),
        AttributeValue::Integer(number) => scalar(Scalar::Integer(number)),
        AttributeValue::Unsigned(number) => scalar(Scalar::Unsigned(number)),
        AttributeValue::Number(number) => scalar(Scalar::Number(number)),
        AttributeValue::Flag(flag) => scalar(Scalar::Flag(flag)),
        AttributeValue::List(list) => list
            .items
            .into_iter()
            .map(|item| item.value.and_then(scalar))
            .collect(),
    }
}

/// `None`: a number that is none, as no JSON text can say it either.
fn scalar(value: Scalar) -> Option<Value> {
    match value {
        Scalar::Text(text) => Some(Value::String(text)),
        Scalar::Integer(number) => Some(Value::from(number)),
        Scalar::Unsigned(number) => Some(Value::from(number)),
        Scalar::Number(number) => number.is_finite().then(|| Value::from(number)),
        Scalar::Flag(flag) => Some(Value::Bool(flag)),
    }
}

fn item(event: Event) -> Result<TrackItem, Problem> {
    let Event {
        experiment,
        unit,
        event,
        value,
        id,
        at_micros,
    } = event;
    let fields = EventFields {
        name: event,
        value,
        id,
        at: at_micros.map(instant).transpose()?,
    };
    let experiment = Some(experiment).filter(|experiment| !experiment.is_empty());
    TrackItem::new(experiment, Unit::new(unit)?, fields)
}

fn instant(micros: i64) -> Result<DateTime<Utc>, Problem> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| {
        Problem::field(
            "at",
            format!("{micros} microseconds since 1970 is not an instant"),
        )
    })
}

/// How many events a batch is taken to bring, told before they are read: those it has, or as many as its bytes may be.
fn events_of(batch: &Batch) -> usize {
    let bytes = events_in(batch.events.len() as u64);
    batch.count().max(bytes).clamp(1, MAX_BATCH)
}

fn unreadable(error: &BatchError) -> Problem {
    let code = match error {
        BatchError::TooMany => Code::TooLarge,
        BatchError::Malformed(_) => Code::Invalid,
    };
    Problem::new(code, error.to_string())
}

fn assigned(assignment: &Assignment) -> Assigned {
    let arm = assignment.arm();
    Assigned {
        experiment: assignment.experiment().to_owned(),
        arm: arm.name.to_string(),
        config: assignment.config().to_string(),
        reason: assignment.assigned.reason.as_str().to_owned(),
        lane: assignment.lane().map(Into::into),
        version: assignment.version(),
        propensity: assignment.propensity(),
        assignment: assignment.row(),
        new: assignment.assigned.new,
    }
}

fn tracked(tracked: &calls::Tracked) -> Tracked {
    Tracked {
        experiment: tracked.live.serving.key.as_str().to_owned(),
        event_id: tracked.event_id.to_string(),
        durability: tracked.durability.as_str().to_owned(),
    }
}

fn item_result(result: Result<calls::Tracked, Problem>) -> ItemResult {
    let outcome = match result {
        Ok(tracked) => ItemOutcome::Accepted(self::tracked(&tracked)),
        Err(problem) => ItemOutcome::Rejected(problem.into()),
    };
    ItemResult {
        outcome: Some(outcome),
    }
}

impl From<Problem> for WireProblem {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code.as_str().to_owned(),
            retry_after_secs: problem.code.retry_after_secs(),
            message: problem.message.into_owned(),
            field: problem.field,
        }
    }
}
