//! A load of keep-alive connections, each sending its next request when it has the answer to the last.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use daemon::clock::Stopwatch;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What is sent, request by request.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    path: &'static str,
    prefix: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// One of so many units, or always another.
    Assign(Option<usize>),
    /// So many events.
    Events(usize),
}

/// Where, how wide and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// The port.
    pub(crate) address: SocketAddr,
    /// Connections.
    pub(crate) connections: usize,
    /// How long.
    pub(crate) run: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Answered requests a second.
    pub(crate) per_sec: f64,
    p50: Duration,
    p99: Duration,
}

impl Body {
    /// Assigns of units that begin with `prefix`.
    pub(crate) fn assigns(prefix: &str, units: Option<usize>) -> Self {
        Self {
            path: "/api/experiments/checkout/assign",
            prefix: prefix.to_owned(),
            kind: Kind::Assign(units),
        }
    }

    /// Batches of `count` events.
    pub(crate) fn events(prefix: &str, count: usize) -> Self {
        Self {
            path: "/api/track",
            prefix: prefix.to_owned(),
            kind: Kind::Events(count),
        }
    }

    /// The unit of the `n`th request of a connection.
    pub(crate) fn unit(&self, connection: usize, n: usize) -> String {
        match self.kind {
            Kind::Assign(Some(units)) => {
                format!("{}-{}", self.prefix, (n * 31 + connection * 7_919) % units)
            }
            Kind::Assign(None) | Kind::Events(_) => format!("{}-{connection}-{n}", self.prefix),
        }
    }

    fn json(&self, connection: usize, n: usize) -> String {
        let unit = self.unit(connection, n);
        let Kind::Events(count) = self.kind else {
            return format!(
                r#"{{"unit":"{unit}","attributes":{{"country":"SN","plan":"pro","txn":12}}}}"#
            );
        };
        let mut body = String::with_capacity(count * 96);
        body.push('[');
        for item in 0..count {
            let comma = if item == 0 { "" } else { "," };
            let _ = write!(
                body,
                r#"{comma}{{"experiment":"checkout","unit":"{unit}","event":"purchase","value":12.5,"id":"{unit}-{item}"}}"#
            );
        }
        body.push(']');
        body
    }

    fn request(&self, connection: usize, n: usize) -> Vec<u8> {
        let body = self.json(connection, n);
        format!(
            "POST {} HTTP/1.1\r\nhost: pitboss\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.path,
            body.len()
        )
        .into_bytes()
    }
}

impl Load {
    /// Runs it.
    ///
    /// # Panics
    /// If a request is not answered with 200: a benchmark of errors would flatter.
    pub(crate) async fn run(self, body: Body) -> Measured {
        let started = Stopwatch::start();
        let mut connections = JoinSet::new();
        for connection in 0..self.connections {
            let body = body.clone();
            connections.spawn(async move { self.one(connection, &body, started).await });
        }
        let mut latencies: Vec<Duration> = connections.join_all().await.concat();
        let elapsed = started.elapsed();
        latencies.sort_unstable();
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
        Measured {
            per_sec: latencies.len() as f64 / elapsed.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
        }
    }

    async fn one(self, connection: usize, body: &Body, started: Stopwatch) -> Vec<Duration> {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("the port is there");
        stream.set_nodelay(true).expect("a TCP socket");
        let mut latencies = Vec::new();
        let mut answer = Vec::with_capacity(256 * 1024);
        while started.elapsed() < self.run {
            let request = body.request(connection, latencies.len());
            let sent = Stopwatch::start();
            stream.write_all(&request).await.expect("the port reads");
            read_answer(&mut stream, &mut answer).await;
            latencies.push(sent.elapsed());
        }
        latencies
    }
}

async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    loop {
        let read = stream.read_buf(answer).await.expect("the port answers");
        assert!(read > 0, "the port closed the connection");
        if let Some(length) = whole(answer)
            && answer.len() >= length
        {
            break;
        }
    }
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(400)]);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{shown}");
}

/// How long the whole answer is, once its head has come.
fn whole(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&answer[..head]).expect("a head is text");
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .expect("a length");
    Some(head + 4 + length.parse::<usize>().expect("a number"))
}

impl Measured {
    /// The run with the middle throughput.
    pub(crate) fn median(mut runs: Vec<Self>) -> Self {
        runs.sort_by(|a, b| a.per_sec.total_cmp(&b.per_sec));
        runs.swap_remove(runs.len() / 2)
    }

    /// Median and 99th percentile in milliseconds.
    pub(crate) fn latency(&self) -> String {
        let millis = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        format!("{:.2} / {:.2}", millis(self.p50), millis(self.p99))
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
