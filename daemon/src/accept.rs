//! Accepting connections of a data port, within their number.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// 50 ms before accepting again after an error such as "too many open files": long enough not to spin,
/// short enough not to be felt.
const AFTER_ERROR: Duration = Duration::from_millis(50);

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
