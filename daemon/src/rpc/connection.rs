//! One connection in time: how long a peer may be silent, dawdle inside a frame, or not read.
//!
//! Wraps the framed socket as tarpc's transport. A peer that breaks a limit loses its connection and
//! nothing else. When the daemon stops, reading ends here, and tarpc then answers what is in flight.

#[cfg(test)]
mod tests;

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Sink, SinkExt, Stream, StreamExt};
use protocol::codec::{CodecError, Format, ServerCodec};
use tarpc::{ClientMessage, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::codec::Framed;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimits {
    /// Until its first frame is complete.
    pub hello: Duration,
    /// From a frame's first byte to its last.
    pub frame: Duration,
    /// Between frames. The console's watch asks again at least every 15 s.
    pub idle: Duration,
    /// To take an answer from the socket.
    pub write: Duration,
}

impl Default for TimeLimits {
    /// Local callers answer in microseconds; these leave room for a stopped debugger's neighbour, a
    /// machine under swap and a laptop lid, and still give every seat back within minutes.
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(5),
            frame: Duration::from_secs(10),
            idle: Duration::from_mins(10),
            write: Duration::from_secs(30),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    Hello,
    RestOfFrame,
    NextFrame,
}

impl Awaiting {
    fn limit(self, limits: &TimeLimits) -> Duration {
        match self {
            Self::Hello => limits.hello,
            Self::RestOfFrame => limits.frame,
            Self::NextFrame => limits.idle,
        }
    }

    fn in_vain(self, limits: &TimeLimits) -> CodecError {
        let what = match self {
            Self::Hello => "no complete first frame",
            Self::RestOfFrame => "a frame was not completed",
            Self::NextFrame => "no request",
        };
        timed_out(format!("{what} within {:?}", self.limit(limits)))
    }
}

/// A framed socket with limits in time.
pub(super) struct Connection<S, F> {
    frames: Framed<S, ServerCodec<F>>,
    limits: TimeLimits,
    /// What has been waited for since `silence` was set; `None`: it came.
    awaiting: Option<Awaiting>,
    silence: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S, F> Connection<S, F> {
    /// The first frame is the peer's greeting.
    pub(super) fn new(
        frames: Framed<S, ServerCodec<F>>,
        limits: TimeLimits,
        stop: CancellationToken,
    ) -> Self {
        Self {
            frames,
            limits,
            awaiting: Some(Awaiting::Hello),
            silence: Box::pin(sleep(limits.hello)),
            stalled: None,
            stop: Box::pin(stop.cancelled_owned()),
        }
    }

    /// The peer has greeted already.
    pub(super) fn greeted(
        frames: Framed<S, ServerCodec<F>>,
        limits: TimeLimits,
        stop: CancellationToken,
    ) -> Self {
        Self {
            awaiting: None,
            ..Self::new(frames, limits, stop)
        }
    }

    /// What the peer owes, now that nothing more has come. The time for it begins when the peer is first waited for,
    /// and not with every frame: to ask for the time and move a timer costs as much as to read one.
    fn awaiting(&mut self) -> Awaiting {
        let awaiting = match self.awaiting {
            Some(Awaiting::Hello) => Awaiting::Hello,
            _ if self.frames.codec().is_in_frame() => Awaiting::RestOfFrame,
            _ => Awaiting::NextFrame,
        };
        if self.awaiting.replace(awaiting) != Some(awaiting) {
            let limit = awaiting.limit(&self.limits);
            self.silence.as_mut().reset(Instant::now() + limit);
        }
        awaiting
    }

    /// `polled` if it is ready; if answers stay unread for too long, an error. The time is over only when all are
    /// taken: a sink is ready for more at any time while it holds less than 8 KiB, read or not. Who reads gets there,
    /// because one that holds more takes no more until it is empty.
    fn or_stalled(
        &mut self,
        polled: Poll<Result<(), CodecError>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), CodecError>> {
        if self.frames.write_buffer().is_empty() {
            self.stalled = None;
        }
        if polled.is_ready() {
            return polled;
        }
        let limit = self.limits.write;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(timed_out(format!(
            "answers were not read within {limit:?}"
        ))))
    }
}

fn timed_out(what: String) -> CodecError {
    CodecError::Io(Error::new(ErrorKind::TimedOut, what))
}

impl<S, F> Stream for Connection<S, F>
where
    S: AsyncRead + Unpin,
    F: Format,
{
    type Item = Result<ClientMessage<F::Request>, CodecError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(item) = self.frames.poll_next_unpin(cx) {
            self.awaiting = None;
            return Poll::Ready(item);
        }
        // Only when nothing more has come: to look at it takes a lock that all connections share.
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        let awaiting = self.awaiting();
        ready!(self.silence.as_mut().poll(cx));
        Poll::Ready(Some(Err(awaiting.in_vain(&self.limits))))
    }
}

impl<S, F> Sink<Response<F::Response>> for Connection<S, F>
where
    S: AsyncWrite + Unpin,
    F: Format,
{
    type Error = CodecError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), CodecError>> {
        let polled = self.frames.poll_ready_unpin(cx);
        self.or_stalled(polled, cx)
    }

    fn start_send(
        mut self: Pin<&mut Self>,
        response: Response<F::Response>,
    ) -> Result<(), CodecError> {
        self.frames.start_send_unpin(response)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), CodecError>> {
        let polled = self.frames.poll_flush_unpin(cx);
        self.or_stalled(polled, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), CodecError>> {
        self.frames.poll_close_unpin(cx)
    }
}
