//! What callers get: JSON answers and their headers.

use std::borrow::Cow;

use bandit::assign::Reason;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::calls::{Assignment, Code, Problem, Tracked};

/// A whole answer.
pub(super) type Answer = Response<Full<Bytes>>;

/// The answer to an assign.
#[derive(Debug, Serialize)]
pub(super) struct AssignAnswer<'a> {
    experiment: &'a str,
    arm: &'a str,
    config: &'a RawValue,
    reason: Reason,
    lane: Option<Cow<'a, str>>,
    version: Option<u32>,
    propensity: Option<f64>,
    assignment: Option<String>,
    new: bool,
}

impl<'a> AssignAnswer<'a> {
    pub(super) fn new(assignment: &'a Assignment) -> Self {
        let arm = assignment.arm();
        Self {
            experiment: assignment.experiment(),
            arm: arm.name.as_str(),
            config: assignment.config(),
            reason: assignment.assigned.reason,
            lane: assignment.lane(),
            version: assignment.version(),
            propensity: assignment.propensity(),
            assignment: assignment.row(),
            new: assignment.assigned.new,
        }
    }
}

/// The answer to an expose.
#[derive(Debug, Serialize)]
pub(super) struct ExposeAnswer<'a> {
    pub(super) experiment: &'a str,
    /// Whether the unit's attribution window has started; `false`: it has no arm of its own here.
    pub(super) exposed: bool,
    /// Where that is: `db` or `spool`; `None` where nothing had to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) durability: Option<&'static str>,
}

/// The answer to one event.
#[derive(Debug, Serialize)]
pub(super) struct TrackAnswer<'a> {
    pub(super) experiment: &'a str,
    pub(super) event: &'a str,
    /// The ledger's id of the event.
    pub(super) event_id: uuid::Uuid,
    /// Where it is: `db` or `spool`.
    pub(super) durability: &'static str,
}

/// The answer to a batch.
#[derive(Debug, Serialize)]
pub(super) struct BatchAnswer<'a> {
    pub(super) accepted: usize,
    pub(super) rejected: usize,
    /// One for each item, in the caller's order.
    pub(super) results: Vec<ItemAnswer<'a>>,
}

/// What became of one item.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum ItemAnswer<'a> {
    /// It is where `durability` says.
    Accepted {
        experiment: &'a str,
        event_id: uuid::Uuid,
        durability: &'static str,
    },
    /// It is not.
    Rejected { error: &'a Problem },
}

impl<'a> ItemAnswer<'a> {
    pub(super) fn new(result: &'a Result<Tracked, Problem>) -> Self {
        match result {
            Ok(tracked) => Self::Accepted {
                experiment: tracked.live.serving.key.as_str(),
                event_id: tracked.event_id,
                durability: tracked.durability.as_str(),
            },
            Err(error) => Self::Rejected { error },
        }
    }
}

/// Room for the answer of one item, so that it is not moved as it is written; one with a large configuration is.
const ITEM_BYTES: usize = 256;

/// `value` as JSON.
pub(super) fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    json_of_items(status, 1, value)
}

/// `value`, which says something of so many items, as JSON.
pub(super) fn json_of_items<T: Serialize>(status: StatusCode, items: usize, value: &T) -> Answer {
    let mut body = Vec::with_capacity(items * ITEM_BYTES);
    // An answer of ours has no map with odd keys and no failing serialiser; if one ever does, the caller is
    // told that it is our fault.
    match serde_json::to_writer(&mut body, value) {
        Ok(()) => with_body(status, body),
        Err(error) => {
            tracing::error!(%error, "answer cannot be written");
            problem(&Problem::new(
                Code::Internal,
                "the answer cannot be written",
            ))
        }
    }
}

/// An answer that is an error.
pub(super) fn problem(problem: &Problem) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'a Problem,
    }
    let body = serde_json::to_vec(&Body { error: problem }).unwrap_or_default();
    let mut answer = with_body(status(problem.code), body);
    if let Some(seconds) = problem.code.retry_after_secs() {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

/// The status of an answer that is only a problem.
fn status(code: Code) -> StatusCode {
    match code {
        Code::Invalid | Code::MissingUnit => StatusCode::BAD_REQUEST,
        Code::UnknownExperiment | Code::UnknownRoute => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Code::Overloaded | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A known path with a method that is not.
pub(super) fn method_not_allowed(methods: &str) -> Answer {
    let message = format!("this path takes {methods}");
    let mut answer = problem(&Problem::new(Code::MethodNotAllowed, message));
    if let Ok(methods) = HeaderValue::from_str(methods) {
        answer.headers_mut().insert(ALLOW, methods);
    }
    answer
}

/// JSON that is written already.
pub(super) fn with_body(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
