//! A load of keep-alive connections, each sending its next request when it has the answer to the last.

use std::net::SocketAddr;
use std::time::Duration;

use daemon::clock::Stopwatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::body::Body;

/// Where, how wide and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// The port.
    pub(super) address: SocketAddr,
    /// Connections.
    pub(super) connections: usize,
    /// How long.
    pub(super) run: Duration,
}

impl Load {
    /// Runs it: answered requests a second.
    ///
    /// # Panics
    /// If a request is not answered with 200: a benchmark of errors would flatter.
    pub(super) async fn run(self, body: &Body) -> f64 {
        // Connections first: some listeners let more than 128 at once wait for a second, and that is not their speed.
        let mut opened = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            opened.push(Connection::open(self.address).await);
        }
        let started = Stopwatch::start();
        let mut connections = JoinSet::new();
        for (number, connection) in opened.into_iter().enumerate() {
            let body = body.clone();
            connections.spawn(async move { self.one(number, connection, &body, started).await });
        }
        let answered: usize = connections.join_all().await.into_iter().sum();
        answered as f64 / started.elapsed().as_secs_f64()
    }

    async fn one(
        self,
        number: usize,
        mut connection: Connection,
        body: &Body,
        started: Stopwatch,
    ) -> usize {
        let mut request = String::new();
        let mut answered = 0;
        while started.elapsed() < self.run {
            body.write(number, answered, &mut request);
            let answer = connection.send(&request).await;
            assert!(answer.status == 200, "{}", answer.shown());
            answered += 1;
        }
        answered
    }
}

/// One connection and its buffer.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, as it lies in the buffer.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) retry_after: Option<u32>,
    whole: &'a [u8],
}

impl Answer<'_> {
    /// What it says, for messages.
    pub(super) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.whole[..self.whole.len().min(400)]).into_owned()
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// If nobody listens.
    pub(super) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the port is there");
        stream.set_nodelay(true).expect("a TCP socket");
        Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        }
    }

    /// Sends `request` and waits for its whole answer.
    ///
    /// # Panics
    /// If the port closes the connection.
    pub(super) async fn send(&mut self, request: &str) -> Answer<'_> {
        let written = self.stream.write_all(request.as_bytes()).await;
        written.expect("the port reads");
        self.buffer.clear();
        let mut head = None;
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await;
            assert!(
                read.expect("the port answers") > 0,
                "the port closed the connection"
            );
            if head.is_none() {
                head = Head::read(&self.buffer);
            }
            if let Some(head) = &head
                && self.buffer.len() >= head.whole
            {
                return Answer {
                    status: head.status,
                    retry_after: head.retry_after,
                    whole: &self.buffer,
                };
            }
        }
    }
}

struct Head {
    status: u16,
    retry_after: Option<u32>,
    /// Length of head and body.
    whole: usize,
}

impl Head {
    /// The head, once it has come.
    fn read(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let text = std::str::from_utf8(&answer[..end]).expect("a head is text");
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
        let (mut length, mut retry_after) = (0, None);
        for line in lines {
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().expect("a length is a number");
            } else if let Some(value) = line.strip_prefix("retry-after: ") {
                retry_after = Some(value.parse().expect("Retry-After is whole seconds"));
            }
        }
        Some(Self {
            status: status.expect("a status line has a status"),
            retry_after,
            whole: end + 4 + length,
        })
    }
}
