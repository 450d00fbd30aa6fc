//! The control port: tarpc over a Unix socket, for consoles. And the data calls over tarpc (`data`), for services.
//!
//! A peer is known by its credentials before its first byte is read, gets one of a limited number of
//! seats, and loses its connection, and nothing else, when it sends what is not a message of the
//! protocol, a frame over the limit, or nothing for too long. Deadlines are clamped by the codec.

mod admission;
mod connection;
mod converse;
mod data;
mod health;
mod server;
mod session;
mod socket;
#[cfg(test)]
mod tests;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use protocol::control::Control;
use protocol::transport::{ControlFormat, server_frames};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Peer, SocketOwner};
use admission::{Admission, Seat};
use connection::Connection;
use converse::{converse, root};
use socket::ControlSocket;

pub use admission::SeatLimits;
pub use connection::TimeLimits;
pub use data::DataRpc;
pub use health::PartCheck;
pub use server::{About, Service};
pub use socket::SocketError;

/// Requests one connection may have in flight; the next is answered with an error at once. A console
/// has a handful.
const MAX_IN_FLIGHT: usize = 32;

/// How long connections get to take their last answers when the daemon stops.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait after the system had no descriptor for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// All limits of the port.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// How many connections.
    pub seats: SeatLimits,
    /// How long a peer may take.
    pub times: TimeLimits,
}

/// A control port that listens. Its socket file goes when it is dropped.
#[derive(Debug)]
pub struct ControlPort {
    socket: ControlSocket,
    limits: Limits,
}

impl ControlPort {
    /// Listens at `path`; refuses if another daemon does.
    pub fn bind(path: &Path, limits: Limits) -> Result<Self, SocketError> {
        let socket = ControlSocket::bind(path)?;
        Ok(Self { socket, limits })
    }

    /// Serves until `stop`, then answers what is in flight, waits for mutations, and returns.
    pub async fn serve(self, service: Service, stop: CancellationToken) {
        let service = Arc::new(service);
        let port = Port {
            service: Arc::clone(&service),
            admission: Admission::new(self.limits.seats),
            times: self.limits.times,
            owner: self.socket.owner,
            stop: stop.clone(),
            connections: TaskTracker::new(),
        };
        loop {
            // Both arms are cancel-safe: a cancelled accept has accepted nothing.
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.socket.listener.accept() => match accepted {
                    Ok((stream, _)) => port.admit(stream),
                    Err(error) => {
                        tracing::warn!(%error, "control connection not accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(self.socket);
        port.drain().await;
        service.operations.drained().await;
    }
}

struct Port {
    service: Arc<Service>,
    admission: Arc<Admission>,
    times: TimeLimits,
    owner: SocketOwner,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Port {
    /// Gives the connection a seat and a task of its own, or drops it.
    fn admit(&self, stream: UnixStream) {
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => return tracing::warn!(%error, "control peer unknown"),
        };
        let seat = match self.admission.admit(peer.uid) {
            Ok(seat) => seat,
            Err(reason) => {
                metrics::counter!("pitboss_control_connections_refused_total").increment(1);
                return tracing::warn!(uid = peer.uid, %reason, "control connection refused");
            }
        };
        let connection = Connection::new(server_frames(stream), self.times, self.stop.clone());
        let session = session::Session::new(peer.principal(self.owner));
        let server = server::Server::new(Arc::clone(&self.service), session, self.stop.clone());
        self.connections.spawn(attend(connection, server, seat));
    }

    async fn drain(self) {
        self.connections.close();
        if tokio::time::timeout(DRAIN, self.connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(left = self.connections.len(), "control connections cut");
        }
    }
}

/// Serves one console to its end.
async fn attend(
    connection: Connection<UnixStream, ControlFormat>,
    server: server::Server,
    seat: Seat,
) {
    let who = server.principal().name.clone();
    if let Err(error) = converse(connection, server.serve(), MAX_IN_FLIGHT).await {
        metrics::counter!("pitboss_control_connections_broken_total").increment(1);
        let cause = root(&error);
        tracing::info!(peer = %who, %error, %cause, "control connection broken off");
    }
    drop(seat);
}
