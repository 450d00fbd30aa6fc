//! Listening for connections of a data port, and accepting them within their number.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// 50 ms before accepting again after an error such as "too many open files": long enough not to spin,
/// short enough not to be felt.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// Connections that the kernel keeps for the accept loop, as long as its own limit allows. With the 128 that are usual,
/// services that connect all at once (a deployment, or the daemon's own restart) find it full, and try again after 1 s.
const NOT_ACCEPTED_YET: u32 = 4_096;

/// Listens on `address`.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // As the usual listener does: a restart finds its port, though old connections still linger on it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(NOT_ACCEPTED_YET)
}

/// The next connection and its place. While all places are taken, connections wait in the kernel's queue.
/// Cancel-safe.
pub(crate) async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed; without a place the connection would only be uncounted.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}
