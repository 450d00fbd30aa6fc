//! How long a connection is waited for: a head that comes slowly, a client that sits idle, one that does not
//! read its answers.
//!
//! hyper's own header time-out is one limit for two cases: it also closes a kept-alive connection that is
//! idle for as long, under the feet of a client that is about to use it. It also makes a timer for each
//! request; here a timer is only looked at when a read has to wait.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long each of three waits may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From the first byte of a head to its last.
    head: Duration,
    /// Without a request.
    idle: Duration,
    /// Without the client taking anything of its answer.
    write: Duration,
}

impl Limits {
    /// 3 s for a head: it fits into one or two packets, and a longer limit only helps clients that hold
    /// connections open on purpose (RELIABILITY, finding 5). 75 s idle: above the 60 s after which common
    /// load balancers let go, so that they are the ones to close. 10 s for an answer of a few kilobytes.
    pub(super) const SERVICE: Self = Self {
        head: Duration::from_secs(3),
        idle: Duration::from_secs(75),
        write: Duration::from_secs(10),
    };
}

/// Whose turn it is on a connection, told by the service to the stream: odd while a request is being
/// answered, even while the next one is awaited.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<AtomicU32>);

impl Turns {
    /// A request has come, or its answer has been given.
    pub(super) fn next(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether no request has come yet.
    pub(super) fn had_none(&self) -> bool {
        self.now() == 0
    }

    fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that ends with `TimedOut` when its peer takes too long.
pub(super) struct Patient<S> {
    stream: S,
    turns: Turns,
    limits: Limits,
    /// The turn that `begun` and `reading` are about.
    turn: u32,
    /// Whether part of a head has come.
    begun: bool,
    reading: Wait,
    writing: Wait,
}

/// A wait for the peer in one direction.
#[derive(Default)]
struct Wait {
    /// When it ends; `None` while nothing is waited for.
    by: Option<Instant>,
    /// Made with the first wait and moved for the others.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Wait {
    fn is_over(&mut self) {
        self.by = None;
    }

    /// Ready when the wait, `limit` long from its first poll, has been in vain.
    fn poll(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<io::Error> {
        let by = *self.by.get_or_insert_with(|| Instant::now() + limit);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(by)));
        if timer.deadline() != by {
            timer.as_mut().reset(by);
        }
        let vain = timer.as_mut().poll(cx);
        vain.map(|()| io::Error::from(io::ErrorKind::TimedOut))
    }
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, turns: Turns, limits: Limits) -> Self {
        Self {
            turn: turns.now(),
            stream,
            turns,
            limits,
            begun: false,
            reading: Wait::default(),
            writing: Wait::default(),
        }
    }

    /// Notes what came, and forgets the wait of an earlier turn.
    fn came(&mut self, bytes: usize) {
        let turn = self.turns.now();
        if turn != self.turn {
            self.turn = turn;
            self.begun = false;
            self.reading.is_over();
        }
        if bytes > 0 && !self.begun {
            self.begun = true;
            self.reading.is_over();
        }
    }

    /// Waits for bytes, with the limit of what is being waited for. Bodies have their limit in the service.
    fn await_bytes(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.turn % 2 == 1 {
            return Poll::Pending;
        }
        let limit = if self.begun {
            self.limits.head
        } else {
            self.limits.idle
        };
        self.reading.poll(limit, cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        this.came(buffer.filled().len() - before);
        if read.is_pending() {
            return this.await_bytes(cx).map(Err);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> Patient<S> {
    fn wrote<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_pending() {
            return self.writing.poll(self.limits.write, cx).map(Err);
        }
        self.writing.is_over();
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.wrote(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, parts);
        this.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.wrote(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.wrote(cx, closed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SHORT: Limits = Limits {
        head: Duration::from_millis(20),
        idle: Duration::from_millis(200),
        write: Duration::from_millis(20),
    };

    /// How long the server's side waits after it has read `bytes`.
    async fn patience_after(bytes: &[u8], turns: &Turns, answers: u32) -> Duration {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut server = Patient::new(server, turns.clone(), SHORT);
        client.write_all(bytes).await.unwrap();
        for _ in bytes {
            server.read_u8().await.unwrap();
        }
        for _ in 0..answers {
            turns.next();
            turns.next();
        }
        let started = Instant::now();
        let error = server.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        started.elapsed()
    }

    #[tokio::test]
    async fn a_slow_head_is_given_up_sooner_than_an_idle_connection() {
        let turns = Turns::default();
        let slow_head = patience_after(b"POST /ap", &turns, 0).await;
        assert!(
            (SHORT.head..SHORT.idle).contains(&slow_head),
            "{slow_head:?}"
        );
        assert!(patience_after(b"", &turns, 0).await >= SHORT.idle);
        assert!(patience_after(b"a request", &turns, 1).await >= SHORT.idle);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let (_client, server) = tokio::io::duplex(16);
        let mut server = Patient::new(server, Turns::default(), SHORT);
        let error = server.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
