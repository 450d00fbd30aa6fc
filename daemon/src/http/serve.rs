//! The accept loop of the data port: connections within their number and their patience, drained at the end.
//!
//! hyper directly, without a framework: axum costs a fifth of hyper's throughput (LIMITS section 4), and
//! nine routes need one table. `axum::serve` also has no time limit on heads (RELIABILITY, finding 5).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::data::DataPort;
use super::patience::{Limits, Patient, Turns};
use crate::accept::{accept, listen};

/// Connections at once. Beyond it new ones wait in the kernel's queue until others end; idle ones end by
/// themselves.
const CONNECTIONS: usize = 4_096;

/// 10 s for requests in flight when the daemon drains: twice the longest wait of any of them.
const DRAIN: Duration = Duration::from_secs(10);

/// 1 s for the first request of a client that has connected as the daemon stops: it sends it at once or not at all.
/// hyper would close its connection unread.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// Headers larger than this are refused with 431.
const HEAD_BYTES: usize = 16 * 1024;

/// The data port's listener.
pub struct DataServer {
    listener: TcpListener,
    port: Arc<DataPort>,
    leaving: Leaving,
}

/// Whether the daemon is about to stop: from then on every answer asks its client to connect anew, so that a
/// balancer that has noticed sends it elsewhere, and no client finds its connection closed under its request.
#[derive(Debug, Clone, Default)]
pub struct Leaving {
    /// What every answer looks at: one relaxed load, where a token takes a lock.
    announced: Arc<AtomicBool>,
    token: CancellationToken,
}

impl Leaving {
    /// Says so, for good.
    pub fn announce(&self) {
        self.announced.store(true, Ordering::Relaxed);
        self.token.cancel();
    }

    /// Is cancelled when it is said.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    fn is_announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }
}

impl DataServer {
    /// Listens on `address`.
    pub fn bind(address: SocketAddr, port: DataPort) -> io::Result<Self> {
        Ok(Self {
            listener: listen(address)?,
            port: Arc::new(port),
            leaving: Leaving::default(),
        })
    }

    /// What tells its clients that it is about to stop.
    pub fn leaving(&self) -> Leaving {
        self.leaving.clone()
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`. Then connections that the kernel has taken already get one answer, requests in flight
    /// are finished, and no more are taken.
    pub async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let connections = TaskTracker::new();
        loop {
            // Both arms are cancel-safe: a connection that is not accepted stays in the kernel's queue.
            let (stream, place) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept(&self.listener, &places) => accepted,
            };
            let served = self.serve(stream, stop.clone());
            connections.spawn(async move {
                served.await;
                drop(place);
            });
        }
        self.leaving.announce();
        // To reset what waits in the kernel's queue would be to lose requests of clients that came in time.
        while let Some(Ok((stream, _))) = self.listener.accept().now_or_never() {
            connections.spawn(self.serve(stream, stop.clone()));
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(DRAIN, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(after = ?DRAIN, "connections cut off");
        }
    }

    /// Serves one connection to its end; after `stop`, to the end of the request that it has or, if it has just come,
    /// of its first.
    fn serve(
        &self,
        stream: TcpStream,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let turns = Turns::default();
        let connection = self.connection(stream, turns.clone());
        async move {
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                biased;
                ended = &mut connection => return note(ended),
                () = stop.cancelled() => {}
            }
            if turns.had_none()
                && let Ok(ended) = tokio::time::timeout(FIRST_REQUEST, &mut connection).await
            {
                return note(ended);
            }
            connection.as_mut().graceful_shutdown();
            note(connection.await);
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        turns: Turns,
    ) -> impl GracefulConnection<Error = hyper::Error> + use<> {
        // Answers are one packet; waiting for more to send would cost 40 ms each.
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(Patient::new(stream, turns.clone(), Limits::SERVICE));
        // Requests share what is the connection's own: cores that count their references to one port wait for each other.
        let own = Arc::new((Arc::clone(&self.port), self.leaving.clone(), turns));
        let service = service_fn(move |request| {
            let own = Arc::clone(&own);
            async move {
                let (port, leaving, turns) = &*own;
                turns.next();
                let mut answer = port.answer(request).await;
                turns.next();
                if leaving.is_announced() {
                    answer
                        .headers_mut()
                        .insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            // `Patient` tells a slow head from an idle connection, which this cannot.
            .header_read_timeout(None)
            // No `pipeline_flush`: it keeps an answer back while half of the next request is there, and swallows
            // the 400 and 431 of a head that is broken or too large.
            .max_header_size(HEAD_BYTES)
            // Otherwise each request asks the kernel once more whether its client has hung up. Who has gets no
            // answer anyway, and what it asked for is carried out.
            .half_close(true)
            // Head and body of an answer go out as one piece: copying 200 bytes is cheaper than telling the
            // kernel of two.
            .writev(false)
            .serve_connection(stream, service)
    }
}

/// Broken, slow and garbling peers are everyday; nobody could act on a line about each.
fn note(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
