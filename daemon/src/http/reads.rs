//! The read-only routes: what people and scripts look at.

use hyper::StatusCode;
use serde::Serialize;

use super::answers::{self, Answer};
use crate::calls::{Code, Problem};
use crate::reading::{Reading, ReadingError};

/// Every state that a list may be asked for.
const STATES: [&str; 6] = [
    "draft",
    "running",
    "paused",
    "stopped",
    "rolled_back",
    "archived",
];

/// The experiments in key order: those in one state, or all that are not archived.
pub(super) async fn list(reading: &Reading, query: Option<&str>) -> Result<Answer, Problem> {
    #[derive(Serialize)]
    struct Experiments<T> {
        experiments: Vec<T>,
    }
    let status = wanted_status(query)?;
    let mut experiments = reading.all_rows().await.map_err(|error| unread(&error))?;
    experiments.retain(|row| match status {
        Some(status) => row.state == status,
        None => row.state != "archived",
    });
    Ok(answers::json(StatusCode::OK, &Experiments { experiments }))
}

/// One experiment.
pub(super) async fn show(reading: &Reading, key: &str) -> Result<Answer, Problem> {
    answer(reading.row(key).await)
}

/// Its counts, rates and posteriors.
pub(super) async fn results(reading: &Reading, key: &str) -> Result<Answer, Problem> {
    answer(reading.results(key).await)
}

/// The reading of its results.
pub(super) async fn insights(reading: &Reading, key: &str) -> Result<Answer, Problem> {
    answer(reading.insights(key).await)
}

fn answer<T: Serialize>(read: Result<T, ReadingError>) -> Result<Answer, Problem> {
    Ok(answers::json(
        StatusCode::OK,
        &read.map_err(|error| unread(&error))?,
    ))
}

fn wanted_status(query: Option<&str>) -> Result<Option<&str>, Problem> {
    let mut wanted = None;
    for pair in query.unwrap_or_default().split('&') {
        match pair.split_once('=') {
            Some(("status", status)) if STATES.contains(&status) => wanted = Some(status),
            Some(("status", _)) => {
                let message = format!("`status` is one of {}", STATES.join(", "));
                return Err(Problem::field("status", message));
            }
            // Others are left to caches and proxies that add their own.
            _ => {}
        }
    }
    Ok(wanted)
}

fn unread(error: &ReadingError) -> Problem {
    use protocol::refusal::Code as Refused;
    match (error.code(), error) {
        (_, ReadingError::NotFound(key)) => Problem::unknown_experiment(key),
        (Refused::Unavailable, _) => Problem::new(
            Code::Unavailable,
            "the database is away; come back after Retry-After seconds",
        ),
        _ => {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(%error, source, "cannot read");
            Problem::new(
                Code::Internal,
                "it cannot be read; the daemon's log has more",
            )
        }
    }
}
