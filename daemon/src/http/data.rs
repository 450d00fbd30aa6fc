//! The data port: from a request to its answer.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};

use super::admission::Admission;
use super::answers::{
    self, Answer, AssignAnswer, BatchAnswer, ExposeAnswer, ItemAnswer, TrackAnswer,
};
use super::body;
use super::problem::{Code, Problem};
use super::reads;
use super::requests::{self, TrackItem};
use super::routes::{self, Found, Operation};
use crate::ingest::{Event, Exposure, Ingest, NotDone};
use crate::reading::Reading;
use crate::store::landing::Landed;
use crate::world::Live;

/// The contract of the data port, as `/openapi.json` answers it. A test holds it to the routes.
pub const OPENAPI: &str = include_str!("openapi.json");

/// 64 KiB: an assign with 64 attributes of 1 KiB would not fit, one that means it does.
const UNIT_BODY: usize = 64 * 1024;

/// 1 MiB: 1,000 events of 1 KiB.
const TRACK_BODY: usize = 1024 * 1024;

/// The service behind the data port.
pub struct DataPort {
    ingest: Arc<Ingest>,
    reading: Reading,
    admission: Admission,
}

impl DataPort {
    /// Serves writes from `ingest` and reads from `reading`.
    pub fn new(ingest: Arc<Ingest>, reading: Reading) -> Self {
        Self {
            ingest,
            reading,
            admission: Admission::new(),
        }
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
        let answered = match self.admission.admit(operation) {
            Ok(_place) => self.carry_out(operation, key, request).await,
            Err(problem) => Err(problem),
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

    fn live(&self, key: &str) -> Result<Arc<Live>, Problem> {
        let world = self.ingest.world().peek();
        world
            .get(key)
            .cloned()
            .ok_or_else(|| Problem::unknown_experiment(key))
    }

    async fn assign(&self, key: &str, body: &[u8]) -> Result<Answer, Problem> {
        let live = self.live(key)?;
        let request = requests::assign(body)?;
        let unit = self.ingest.unit_key(&request.unit);
        let assigned = self
            .ingest
            .assign(&live, unit, &request.attributes, request.expose)
            .await
            .map_err(not_done)?;
        let answer = AssignAnswer::new(&live, unit, &assigned);
        Ok(answers::json(StatusCode::OK, &answer))
    }

    async fn expose(&self, key: &str, body: &[u8]) -> Result<Answer, Problem> {
        let live = self.live(key)?;
        let unit = self.ingest.unit_key(&requests::expose(body)?);
        let exposure = self.ingest.expose(&live, unit).await.map_err(not_done)?;
        let answer = ExposeAnswer {
            experiment: live.serving.key.as_str(),
            exposed: exposure == Exposure::Exposed,
        };
        Ok(answers::json(StatusCode::OK, &answer))
    }

    async fn track(&self, key: &str, body: &[u8]) -> Result<Answer, Problem> {
        let live = self.live(key)?;
        let row = self.landed(&live, requests::track(body)?);
        let (event, event_id) = (row.event.clone(), row.event_id);
        let landed = self.ingest.land(vec![row]).await;
        live.meters.events(landed.is_ok()).increment(1);
        landed.map_err(not_done)?;
        let answer = TrackAnswer {
            experiment: live.serving.key.as_str(),
            event: &event,
            event_id,
            durability: "db",
        };
        Ok(answers::json(StatusCode::OK, &answer))
    }

    /// Takes the good items of a batch, all of them or, when the database is away, none.
    async fn track_batch(&self, body: &[u8], lines: bool) -> Result<Answer, Problem> {
        let items = requests::track_batch(body, lines)?;
        let mut results = Vec::with_capacity(items.len());
        let mut rows = Vec::with_capacity(items.len());
        let mut targets = Vec::with_capacity(items.len());
        for item in items {
            let placed = item.and_then(|item| self.placed(item));
            results.push(match placed {
                Ok((live, row)) => {
                    let accepted = ItemAnswer::Accepted {
                        experiment: live.serving.key.clone(),
                        event_id: row.event_id,
                        durability: "db",
                    };
                    rows.push(row);
                    targets.push(live);
                    accepted
                }
                Err(error) => ItemAnswer::Rejected { error },
            });
        }
        let accepted = rows.len();
        let landed = self.ingest.land(rows).await;
        for live in targets {
            live.meters.events(landed.is_ok()).increment(1);
        }
        landed.map_err(not_done)?;
        let answer = BatchAnswer {
            accepted,
            rejected: results.len() - accepted,
            results,
        };
        Ok(answers::json(StatusCode::OK, &answer))
    }

    fn placed(&self, item: TrackItem) -> Result<(Arc<Live>, Landed), Problem> {
        let live = self.live(item.experiment.as_deref().unwrap_or_default())?;
        let row = self.landed(&live, item);
        Ok((live, row))
    }

    fn landed(&self, live: &Live, item: TrackItem) -> Landed {
        let event = Event {
            unit: self.ingest.unit_key(&item.unit),
            name: item.event,
            value: item.value,
            id: item.id,
            at: item.at,
        };
        self.ingest.landed(live, event)
    }
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

fn not_done(reason: NotDone) -> Problem {
    match reason {
        NotDone::Full => Problem::new(
            Code::Overloaded,
            "too much is waiting to be written; come back after Retry-After seconds",
        ),
        NotDone::Away => Problem::new(
            Code::Unavailable,
            "the database is away; send it again after Retry-After seconds, with the same `id`",
        ),
    }
}
