//! A conversation: requests of one connection, many at once, until it ends.

use futures::stream::FuturesUnordered;
use futures::{Sink, Stream, StreamExt};
use protocol::codec::CodecError;
use tarpc::server::limits::requests_per_channel::MaxRequests;
use tarpc::server::{BaseChannel, Channel, Config, Serve};
use tarpc::{ChannelError, ClientMessage, RequestName, Response};

/// Serves one connection to its end, with at most `max_in_flight` requests at once; the next is answered with
/// an error. Requests run inside this task, so they end with it.
pub(super) async fn converse<T, V>(
    transport: T,
    service: V,
    max_in_flight: usize,
) -> Result<(), ChannelError<CodecError>>
where
    T: Stream<Item = Result<ClientMessage<V::Req>, CodecError>>
        + Sink<Response<V::Resp>, Error = CodecError>,
    V: Serve<Req: RequestName> + Clone,
{
    let channel = BaseChannel::new(Config::default(), transport);
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
