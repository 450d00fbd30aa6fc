//! A conversation: requests of one connection, many at once, until it ends.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use protocol::codec::{CodecError, Format};
use tarpc::server::limits::requests_per_channel::MaxRequests;
use tarpc::server::{BaseChannel, Channel, Config, Serve};
use tarpc::{ChannelError, RequestName};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;

/// Serves one connection to its end, with at most `max_in_flight` requests at once; the next is answered with
/// an error. Requests run inside this task, so they end with it.
pub(super) async fn converse<S, F, V>(
    connection: Connection<S, F>,
    service: V,
    max_in_flight: usize,
) -> Result<(), ChannelError<CodecError>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Format<Request: RequestName>,
    V: Serve<Req = F::Request, Resp = F::Response> + Clone,
{
    let channel = BaseChannel::new(Config::default(), connection);
    let mut requests = std::pin::pin!(MaxRequests::new(channel, max_in_flight).requests());
    let mut running = FuturesUnordered::new();
    loop {
        // Both arms are cancel-safe: `next` on a stream takes nothing until it is ready.
        tokio::select! {
            request = requests.next() => match request {
                Some(Ok(request)) => running.push(request.execute(service.clone())),
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            Some(()) = running.next(), if !running.is_empty() => {}
        }
    }
}

/// The first cause of `error`, in words.
pub(super) fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
