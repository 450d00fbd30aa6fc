//! A data connection that tells its client, once and unasked, that the daemon is about to stop.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{Sink, SinkExt, Stream, StreamExt};
use protocol::codec::CodecError;
use protocol::serve::{Answered, FAREWELL_ID, Farewell, Reply};
use tarpc::Response;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A connection, and when to tell.
pub(super) struct Telling<C> {
    connection: C,
    /// `None`: it was told.
    leaving: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    unflushed: bool,
}

impl<C> Telling<C>
where
    C: Sink<Response<Answered>, Error = CodecError> + Unpin,
{
    pub(super) fn new(connection: C, leaving: CancellationToken) -> Self {
        Self {
            connection,
            leaving: Some(Box::pin(leaving.cancelled_owned())),
            unflushed: false,
        }
    }

    /// Whatever fails here fails the next answer, too, which reports it.
    fn tell(&mut self, cx: &mut Context<'_>) {
        if let Some(leaving) = &mut self.leaving
            && leaving.as_mut().poll(cx).is_ready()
            && self.connection.poll_ready_unpin(cx).is_ready()
        {
            self.leaving = None;
            let farewell = Response {
                request_id: FAREWELL_ID,
                message: Ok(Answered(Some(Reply::Farewell(Farewell {})))),
            };
            self.unflushed = self.connection.start_send_unpin(farewell).is_ok();
        }
        if self.unflushed && self.connection.poll_flush_unpin(cx).is_ready() {
            self.unflushed = false;
        }
    }
}

impl<C> Stream for Telling<C>
where
    C: Stream + Sink<Response<Answered>, Error = CodecError> + Unpin,
{
    type Item = C::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<C::Item>> {
        let next = self.connection.poll_next_unpin(cx);
        // Only when nothing more has come: to look whether it is time takes a lock that all connections share.
        if next.is_pending() {
            self.tell(cx);
        }
        next
    }
}

impl<C> Sink<Response<Answered>> for Telling<C>
where
    C: Sink<Response<Answered>, Error = CodecError> + Unpin,
{
    type Error = CodecError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), CodecError>> {
        self.connection.poll_ready_unpin(cx)
    }

    fn start_send(
        mut self: Pin<&mut Self>,
        response: Response<Answered>,
    ) -> Result<(), CodecError> {
        self.connection.start_send_unpin(response)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), CodecError>> {
        self.connection.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), CodecError>> {
        self.connection.poll_close_unpin(cx)
    }
}
