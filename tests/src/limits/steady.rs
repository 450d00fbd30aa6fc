//! Latency at half of the maximum load, in an open loop: requests are due when the schedule says, and a late answer
//! to one does not put off the next. An answer's time runs from when its request was due.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daemon::clock::Stopwatch;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::bench::Bench;
use super::body::Body;
use super::load::Connection;
use super::sticky;
use super::table::{Goal, Row, Table};

/// As many as the maximum is measured with.
const CONNECTIONS: usize = 64;

/// LIMITS section 1.
const GOAL: Goal = Goal::AtMost(2.0);

/// The shares of answers that are at most so late.
const SHARES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// An open loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steady {
    pub(super) address: SocketAddr,
    pub(super) connections: usize,
    /// Requests a second.
    pub(super) rate: f64,
    pub(super) run: Duration,
}

/// One answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) retry_after: Option<u32>,
    /// Since it was due.
    pub(super) late: Duration,
    /// Since it was sent.
    pub(super) took: Duration,
}

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let known = sticky::known(bench)?;
    let maximum = bench.load(bench.site.address, CONNECTIONS, &known).per_sec;
    let (mut ours, mut bare) = (vec![], vec![]);
    bench.turns(|_| {
        ours.push(millis(bench, bench.site.address, maximum / 2.0, &known));
        bare.push(millis(bench, bench.bare.axum, maximum / 2.0, &known));
        Ok(())
    })?;
    let part = "sticky assign at half of the maximum";
    for (at, (name, _)) in SHARES.into_iter().enumerate() {
        let of = |runs: &[[f64; 3]]| runs.iter().map(|run| run[at]).collect();
        let row = Row::beside(part, name, "ms", of(&ours), ("bare axum", of(&bare)));
        table.add(if name == "p99" { row.goal(GOAL) } else { row });
    }
    let new = |run: &str| Body::assigns(&format!("steady-{run}"), None);
    durable(bench, "new assign at half of the maximum", new, table)?;
    let events = |run: &str| Body::events(&format!("steady-{run}"), 100);
    durable(bench, "100 events at half of the maximum", events, table)
}

/// What ends in the database at half of its maximum: held against nothing, because a bare handler flushes no disk.
fn durable(
    bench: &Bench,
    part: &'static str,
    body: impl Fn(&str) -> Body,
    table: &mut Table,
) -> anyhow::Result<()> {
    let most = body("maximum");
    let load = bench.load(bench.site.address, CONNECTIONS, &most);
    let maximum = load.per_sec / most.items() as f64;
    let ours = bench.turns(|turn| {
        let body = body(&turn.to_string());
        Ok(millis(bench, bench.site.address, maximum / 2.0, &body))
    })?;
    for (at, (name, _)) in SHARES.into_iter().enumerate() {
        let of = ours.iter().map(|run| run[at]).collect();
        table.add(Row::alone(part, name, "ms", of));
    }
    Ok(())
}

fn millis(bench: &Bench, address: SocketAddr, rate: f64, body: &Body) -> [f64; 3] {
    let steady = Steady {
        address,
        connections: CONNECTIONS,
        rate,
        run: bench.options.run() * 2,
    };
    let answered = bench.client.block_on(steady.run(body));
    bench.site.tidy();
    let mut late: Vec<Duration> = answered
        .iter()
        .map(|answer| {
            assert!(answer.status == 200, "answered with {}", answer.status);
            answer.late
        })
        .collect();
    late.sort_unstable();
    SHARES
        .map(|(_, share)| late[((late.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0)
}

impl Steady {
    /// Runs it, and gives every answer.
    pub(super) async fn run(self, body: &Body) -> Vec<Answered> {
        // Connections first: a schedule that runs while they are made begins with a heap of late requests.
        let mut opened = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            opened.push(Connection::open(self.address).await);
        }
        let started = Stopwatch::start();
        let (due, asked) = unbounded_channel();
        let clock = std::thread::spawn(move || self.schedule(&due, started));
        let asked = Arc::new(Mutex::new(asked));
        let mut tasks = JoinSet::new();
        for (number, connection) in opened.into_iter().enumerate() {
            let (asked, body) = (Arc::clone(&asked), body.clone());
            tasks.spawn(async move { one(number, connection, &body, &asked, started).await });
        }
        let answered = tasks.join_all().await.concat();
        clock.join().expect("the schedule does not panic");
        answered
    }

    /// Tells when each request is due. A thread of its own: the runtime's timers know no less than a millisecond.
    fn schedule(self, due: &UnboundedSender<Duration>, started: Stopwatch) {
        /// As often as it looks; the kernel adds about as much.
        const TICK: Duration = Duration::from_micros(50);
        let count = (self.rate * self.run.as_secs_f64()) as u32;
        let mut sent = 0;
        while sent < count {
            let elapsed = started.elapsed();
            while sent < count {
                let at = Duration::from_secs_f64(f64::from(sent) / self.rate);
                if at > elapsed || due.send(at).is_err() {
                    break;
                }
                sent += 1;
            }
            std::thread::sleep(TICK);
        }
    }
}

async fn one(
    number: usize,
    mut connection: Connection,
    body: &Body,
    asked: &Mutex<UnboundedReceiver<Duration>>,
    started: Stopwatch,
) -> Vec<Answered> {
    let mut answers = Vec::new();
    let mut request = String::new();
    loop {
        let Some(due) = asked.lock().await.recv().await else {
            return answers;
        };
        body.write(number, answers.len(), &mut request);
        let sent = Stopwatch::start();
        let answer = connection.send(&request).await;
        answers.push(Answered {
            status: answer.status,
            retry_after: answer.retry_after,
            late: started.elapsed().saturating_sub(due),
            took: sent.elapsed(),
        });
    }
}
