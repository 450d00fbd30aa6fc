//! The accept loop of the data port: connections within their number and their patience, drained at the end.
//!
//! hyper directly, without a framework: axum costs a fifth of hyper's throughput (LIMITS section 4), and
//! nine routes need one table. `axum::serve` also has no time limit on heads (RELIABILITY, finding 5).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::data::DataPort;
use super::patience::{Limits, Patient, Turns};
use crate::accept::accept;

/// Connections at once. Beyond it new ones wait in the kernel's queue until others end; idle ones end by
/// themselves.
const CONNECTIONS: usize = 4_096;

/// 10 s for requests in flight when the daemon drains: twice the longest wait of any of them.
const DRAIN: Duration = Duration::from_secs(10);

/// Headers larger than this are refused with 431.
const HEAD_BYTES: usize = 16 * 1024;

/// The data port's listener.
pub struct DataServer {
    listener: TcpListener,
    port: Arc<DataPort>,
}

impl DataServer {
    /// Listens on `address`.
    pub async fn bind(address: SocketAddr, port: DataPort) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            port: Arc::new(port),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then takes no more connections and lets those in flight finish.
    pub async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let graceful = GracefulShutdown::new();
        loop {
            // Both arms are cancel-safe: a connection that is not accepted stays in the kernel's queue.
            let (stream, place) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept(&self.listener, &places) => accepted,
            };
            let connection = connection(stream, Arc::clone(&self.port));
            let watched = graceful.watch(connection);
            tokio::spawn(async move {
                // Broken, slow and garbling peers are everyday; nobody could act on a line about each.
                if let Err(error) = watched.await {
                    tracing::debug!(%error, "connection ended");
                }
                drop(place);
            });
        }
        drop(self.listener);
        if tokio::time::timeout(DRAIN, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!(after = ?DRAIN, "connections cut off");
        }
    }
}

fn connection(
    stream: TcpStream,
    port: Arc<DataPort>,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // Answers are one packet; waiting for more to send would cost 40 ms each.
    let _ = stream.set_nodelay(true);
    let turns = Turns::default();
    let stream = TokioIo::new(Patient::new(stream, turns.clone(), Limits::SERVICE));
    // Requests share what is the connection's own: cores that count their references to one port wait for each other.
    let own = Arc::new((port, turns));
    let service = service_fn(move |request| {
        let own = Arc::clone(&own);
        async move {
            let (port, turns) = &*own;
            turns.next();
            let answer = port.answer(request).await;
            turns.next();
            Ok::<_, Infallible>(answer)
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        // `Patient` tells a slow head from an idle connection, which this cannot.
        .header_read_timeout(None)
        // No `pipeline_flush`: it keeps an answer back while half of the next request is there, and swallows the
        // 400 and 431 of a head that is broken or too large.
        .max_header_size(HEAD_BYTES)
        // Otherwise each request asks the kernel once more whether its client has hung up. Who has gets no answer
        // anyway, and what it asked for is carried out.
        .half_close(true)
        // Head and body of an answer go out as one piece: copying 200 bytes is cheaper than telling the kernel of two.
        .writev(false)
        .serve_connection(stream, service)
}
