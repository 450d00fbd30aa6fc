//! A conversation: requests of one connection, many at once, until it ends.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use futures::future::Abortable;
use futures::stream::FuturesUnordered;
use futures::{Sink, Stream, StreamExt};
use protocol::codec::CodecError;
use tarpc::server::limits::requests_per_channel::MaxRequests;
use tarpc::server::{BaseChannel, Config, Serve, TrackedRequest};
use tarpc::{ChannelError, ClientMessage, Request, RequestName, Response};
use tracing::Instrument;

/// Serves one connection to its end, with at most `max_in_flight` requests at once; the next is answered with
/// an error. Requests run inside this task, so they end with it.
///
/// Not with tarpc's own `Requests`: there every answer passes through a queue, and is as often as not written to the
/// socket by itself. Here one that is known at once is put straight behind the others, and all are written when there
/// is nothing more to read.
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
    let mut channel = pin!(MaxRequests::new(channel, max_in_flight));
    let mut running = FuturesUnordered::new();
    poll_fn(|cx| {
        loop {
            // A peer that does not take its answers is not asked for more.
            ready!(channel.as_mut().poll_ready(cx))?;
            if let Poll::Ready(Some(answer)) = running.poll_next_unpin(cx) {
                send(channel.as_mut(), answer)?;
                continue;
            }
            match channel.as_mut().poll_next(cx)? {
                Poll::Ready(Some(request)) => {
                    let mut answer = Box::pin(answer(request, service.clone()));
                    match answer.as_mut().poll(cx) {
                        Poll::Ready(answer) => send(channel.as_mut(), answer)?,
                        Poll::Pending => running.push(answer),
                    }
                }
                nothing => {
                    ready!(channel.as_mut().poll_flush(cx))?;
                    let is_over = nothing.is_ready() && running.is_empty();
                    return if is_over {
                        Poll::Ready(Ok(()))
                    } else {
                        Poll::Pending
                    };
                }
            }
        }
    })
    .await
}

/// The answer to `tracked`; `None` if its caller has hung up or run out of time.
async fn answer<V>(tracked: TrackedRequest<V::Req>, service: V) -> Option<Response<V::Resp>>
where
    V: Serve,
{
    let TrackedRequest {
        request:
            Request {
                context,
                id: request_id,
                message,
            },
        abort_registration,
        span,
        response_guard: _,
    } = tracked;
    span.record("otel.name", message.name());
    let served = Abortable::new(service.serve(context, message), abort_registration);
    let message = served.instrument(span).await.ok()?;
    Some(Response {
        request_id,
        message,
    })
}

fn send<C, R>(channel: Pin<&mut C>, answer: Option<R>) -> Result<(), C::Error>
where
    C: Sink<R>,
{
    answer.map_or(Ok(()), |answer| channel.start_send(answer))
}

/// The first cause of `error`, in words.
pub(super) fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
