//! The data port: from a request to its answer.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};

use super::answers::{
    self, Answer, AssignAnswer, BatchAnswer, ExposeAnswer, ItemAnswer, TrackAnswer,
};
use super::body;
use super::json::MAX_LIST;
use super::reads;
use super::requests;
use super::routes::{self, Found, Operation};
use crate::calls::{Calls, Code, Kind, Problem, Tracked, events_in};
use crate::ingest::Durability;
use crate::reading::Reading;

/// The contract of the data port, as `/openapi.json` answers it. A test holds it to the routes.
pub const OPENAPI: &str = include_str!("openapi.json");

/// 64 KiB: an assign with 64 attributes of 1 KiB would not fit, one that means it does.
const UNIT_BODY: usize = 64 * 1024;

/// 1 MiB: 1,000 events of 1 KiB.
const TRACK_BODY: usize = 1024 * 1024;

/// The service behind the data port.
pub struct DataPort {
    calls: Arc<Calls>,
    reading: Reading,
}

impl DataPort {
    /// Serves writes from `calls` and reads from `reading`.
    pub fn new(calls: Arc<Calls>, reading: Reading) -> Self {
        Self { calls, reading }
    }

    /// Answers one request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
        // The path is looked at while the body is read, so it is kept apart from the request.
        let uri = request.uri().clone();
        let (operation, key) = match routes::find(request.method(), uri.path()) {
            Found::Operation(operation, key) => (operation, key),
            Found::Methods(methods) => return answers::method_not_allowed(&methods),
            Found::Nothing => {
                let message = "no such path; GET /openapi.json lists them";
                return answers::problem(&Problem::new(Code::UnknownRoute, message));
            }
        };
        let events = events(operation, &request);
        let answered = match self.calls.admit_events(kind(operation), events) {
            Ok(_place) => self.carry_out(operation, key, request).await,
            Err(problem) => {
                body::discard(request, TRACK_BODY).await;
                Err(problem)
            }
        };
        answered.unwrap_or_else(|problem| answers::problem(&problem))
    }

    async fn carry_out(
        &self,
        operation: Operation,
        key: &str,
        request: Request<Incoming>,
    ) -> Result<Answer, Problem> {
        match operation {
            Operation::Assign => {
                let body = body::read(request, UNIT_BODY).await?;
                self.assign(key, &body).await
            }
            Operation::Expose => {
                let body = body::read(request, UNIT_BODY).await?;
                self.expose(key, &body).await
            }
            Operation::Track => {
                let body = body::read(request, UNIT_BODY).await?;
                self.track(key, &body).await
            }
            Operation::TrackBatch => {
                let lines = is_lines(&request);
                let body = body::read(request, TRACK_BODY).await?;
                self.track_batch(&body, lines).await
            }
            Operation::List => reads::list(&self.reading, request.uri().query()).await,
            Operation::Show => reads::show(&self.reading, key).await,
            Operation::Results => reads::results(&self.reading, key).await,
            Operation::Insights => reads::insights(&self.reading, key).await,
            Operation::OpenApi => Ok(answers::with_body(
                StatusCode::OK,
                Bytes::from_static(OPENAPI.as_bytes()),
            )),
        }
    }

    async fn assign(&self, key: &str, body: &[u8]) -> Result<Answer, Problem> {
        let live = self.calls.experiment(key)?;
        let assignment = self.calls.assign(live, &requests::assign(body)?).await?;
        Ok(answers::json(
            StatusCode::OK,
            &AssignAnswer::new(&assignment),
        ))
    }

    async fn expose(&self, key: &str, body: &[u8]) -> Result<Answer, Problem> {
        let live = self.calls.experiment(key)?;
        let exposure = self.calls.expose(&live, &requests::expose(body)?).await?;
        let durability = exposure.durability();
        let answer = ExposeAnswer {
            experiment: live.serving.key.as_str(),
            exposed: exposure.is_exposed(),
            durability: durability.map(Durability::as_str),
        };
        Ok(answers::json(
            taken(durability.unwrap_or(Durability::Db)),
            &answer,
        ))
    }

    async fn track(&self, key: &str, body: &[u8]) -> Result<Answer, Problem> {
        let live = self.calls.experiment(key)?;
        let item = requests::track(body)?;
        let event = item.event().name.clone();
        let Tracked {
            live,
            event_id,
            durability,
        } = self.calls.track(live, item).await?;
        let answer = TrackAnswer {
            experiment: live.serving.key.as_str(),
            event: &event,
            event_id,
            durability: durability.as_str(),
        };
        Ok(answers::json(taken(durability), &answer))
    }

    async fn track_batch(&self, body: &[u8], lines: bool) -> Result<Answer, Problem> {
        let items = requests::track_batch(body, lines)?;
        let results = self.calls.track_batch(items).await?;
        let accepted = results.iter().filter(|result| result.is_ok()).count();
        // They were taken together: one is where all are.
        let durability = results.iter().flatten().next().map(|it| it.durability);
        let answer = BatchAnswer {
            accepted,
            rejected: results.len() - accepted,
            results: results.iter().map(ItemAnswer::new).collect(),
        };
        let status = taken(durability.unwrap_or(Durability::Db));
        let items = results.len().max(1);
        Ok(answers::json_of_items(status, items, &answer))
    }
}

/// 202: it is safe, and it will be where it belongs.
fn taken(durability: Durability) -> StatusCode {
    match durability {
        Durability::Db => StatusCode::OK,
        Durability::Spool => StatusCode::ACCEPTED,
    }
}

fn kind(operation: Operation) -> Kind {
    match operation {
        Operation::Assign | Operation::Expose => Kind::Unit,
        Operation::Track | Operation::TrackBatch => Kind::Track,
        Operation::List
        | Operation::Show
        | Operation::Results
        | Operation::Insights
        | Operation::OpenApi => Kind::Read,
    }
}

/// How many events a request is taken to bring, told by its length before it is read.
fn events(operation: Operation, request: &Request<Incoming>) -> usize {
    if operation != Operation::TrackBatch {
        return 1;
    }
    let length = request.body().size_hint().exact();
    let events = length.map_or(MAX_LIST, events_in);
    events.clamp(1, MAX_LIST)
}

/// Whether the body is one JSON object a line.
fn is_lines(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    [
        "application/x-ndjson",
        "application/jsonl",
        "application/x-jsonlines",
    ]
    .iter()
    .any(|lines| media.eq_ignore_ascii_case(lines))
}
