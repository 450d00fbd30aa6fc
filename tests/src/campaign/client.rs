//! A service's end: one keep-alive connection to each daemon, and a time limit on everything.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use daemon::clock::Stopwatch;
use hyper::Method;
use serde_json::Value;

use super::tally::Went;
use crate::http::{Answer, Http};

/// A connection on loopback takes no time unless the backlog is full.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// 8 s: longer than the longest wait of the data port (5 s for an event), shorter than patience.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);

/// The connections.
pub struct Client {
    ports: Vec<SocketAddr>,
    open: Vec<Option<Http>>,
}

/// One request's fate.
pub struct Reply {
    /// How it went.
    pub went: Went,
    /// The body, `Null` without one.
    pub json: Value,
    /// How long it took.
    pub took: Duration,
}

impl Client {
    /// A service that knows these data ports.
    pub fn new(ports: Vec<SocketAddr>) -> Self {
        let open = ports.iter().map(|_| None).collect();
        Self { ports, open }
    }

    /// How many daemons it knows.
    pub fn daemons(&self) -> usize {
        self.ports.len()
    }

    /// `POST path` to the daemon at `index`.
    pub async fn post(&mut self, index: usize, path: &str, body: Bytes) -> Reply {
        let started = Stopwatch::start();
        let (went, json) = match self.try_post(index, path, body).await {
            Ok(answer) => (judge(&answer), answer.json),
            Err(went) => (went, Value::Null),
        };
        Reply {
            went,
            json,
            took: started.elapsed(),
        }
    }

    async fn try_post(&mut self, index: usize, path: &str, body: Bytes) -> Result<Answer, Went> {
        // Taken out while it is used: one that was given up in the middle must not be used again.
        let mut http = match self.open[index].take() {
            // One that the daemon has closed in the meantime is replaced, as every client library does.
            Some(http) if !http.is_closed() => http,
            _ => self.connect(index).await?,
        };
        let answer =
            tokio::time::timeout(ANSWERS_WITHIN, http.send(Method::POST, path, body)).await;
        let answer = answer
            .map_err(|_| Went::TimedOut)?
            .map_err(|_| Went::Broken)?;
        self.open[index] = Some(http);
        Ok(answer)
    }

    async fn connect(&self, index: usize) -> Result<Http, Went> {
        let address = self.ports[index].to_string();
        let connecting = Http::connect(&address);
        match tokio::time::timeout(CONNECTS_WITHIN, connecting).await {
            Ok(connected) => connected.map_err(|_| Went::NotConnected),
            Err(_) => Err(Went::TimedOut),
        }
    }
}

fn judge(answer: &Answer) -> Went {
    if answer.status.is_success() {
        return Went::Answered;
    }
    if !matches!(answer.status.as_u16(), 429 | 503) {
        return Went::Wrong;
    }
    let after = answer.headers.get("retry-after");
    let seconds = after.and_then(|it| it.to_str().ok()?.parse::<u32>().ok());
    match seconds {
        Some(_) => Went::Refused,
        None => Went::RefusedBadly,
    }
}
