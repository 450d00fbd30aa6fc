//! The data calls over tarpc, for Rust services: what `http` answers, on pipelined connections.
//!
//! A peer greets before its first call is read, and loses its connection, and nothing else, when it sends what
//! is not a message of the protocol, a frame over the limit, or half of one for too long. There is no
//! authentication: the listener is on loopback.

mod service;
mod telling;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use protocol::serve::{DataFormat, Dispatch, GreetingError, MAX_IN_FLIGHT, welcome};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Connection, TimeLimits};
use super::converse::converse;
use crate::accept::accept;
use crate::calls::Calls;
use service::Service;
use telling::Telling;

/// Connections at once: a service has one, or one a process. With frames of 1 MiB this bounds what unread
/// requests can hold to 256 MiB. Beyond it new ones wait in the kernel's queue until others end.
const CONNECTIONS: usize = 256;

/// 10 s for calls in flight when the daemon drains: twice the longest wait of any of them.
const DRAIN: Duration = Duration::from_secs(10);

/// How this daemon calls itself in a greeting.
const BUILD: &str = concat!("pitbossd ", env!("CARGO_PKG_VERSION"));

impl TimeLimits {
    /// The greeting has its own limit. 10 s for a mebibyte, or for a peer to take its answers, as on the HTTP
    /// port. 10 min of silence: a client connects again by itself.
    pub const SERVICE: Self = Self {
        hello: Duration::from_secs(3),
        frame: Duration::from_secs(10),
        idle: Duration::from_mins(10),
        write: Duration::from_secs(10),
    };
}

/// The listener of the data calls over tarpc.
pub struct DataRpc {
    listener: TcpListener,
    calls: Arc<Calls>,
    times: TimeLimits,
    leaving: CancellationToken,
}

impl DataRpc {
    /// Serves `calls` to who connects to `listener`.
    pub fn new(listener: TcpListener, calls: Arc<Calls>, times: TimeLimits) -> Self {
        Self {
            listener,
            calls,
            times,
            leaving: CancellationToken::new(),
        }
    }

    /// The same, whose clients are told to go elsewhere once `leaving` is cancelled, some time before it stops.
    #[must_use]
    pub fn telling(self, leaving: CancellationToken) -> Self {
        Self { leaving, ..self }
    }

    /// Serves until `stop`, then reads no more calls and lets those in flight finish.
    pub async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let connections = TaskTracker::new();
        let service = Service::new(self.calls);
        // Cancel-safe: a connection that is not accepted stays in the kernel's queue.
        while let Some((stream, place)) = stop
            .run_until_cancelled(accept(&self.listener, &places))
            .await
        {
            let (service, stop, leaving) = (service.clone(), stop.clone(), self.leaving.clone());
            connections.spawn(async move {
                attend(stream, service, self.times, leaving, stop).await;
                drop(place);
            });
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(DRAIN, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(left = connections.len(), after = ?DRAIN, "data connections cut off");
        }
    }
}

/// Greets a peer and answers its calls until it leaves, breaks a limit, or the daemon stops.
async fn attend(
    stream: TcpStream,
    service: Service,
    times: TimeLimits,
    leaving: CancellationToken,
    stop: CancellationToken,
) {
    // Answers are one packet; waiting for more to send would cost 40 ms each.
    let _ = stream.set_nodelay(true);
    let connected = Connected::count();
    let frames = match stop.run_until_cancelled(welcome(stream, BUILD)).await {
        Some(Ok(frames)) => frames,
        // Port scans and health checks of load balancers.
        None | Some(Err(GreetingError::Closed)) => return,
        Some(Err(error)) => return broken_off(&error),
    };
    let connection = Connection::<_, DataFormat>::greeted(frames, times, stop);
    let connection = Telling::new(connection, leaving);
    if let Err(error) = converse(connection, Dispatch(service), MAX_IN_FLIGHT).await {
        broken_off(&error);
    }
    drop(connected);
}

/// Slow and garbling peers are everyday; nobody could act on a line about each.
fn broken_off(error: &dyn std::error::Error) {
    metrics::counter!("pitboss_data_rpc_connections_broken_total").increment(1);
    tracing::debug!(%error, cause = super::converse::root(error), "data connection broken off");
}

/// A connection, counted for as long as it lasts.
struct Connected(metrics::Gauge);

impl Connected {
    fn count() -> Self {
        let gauge = metrics::gauge!("pitboss_data_rpc_connections");
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
