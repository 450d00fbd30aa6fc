//! The data calls over tarpc beside a bare echo: the same frames, messages and client, and a service that does
//! nothing. What is left between the two is ours.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use daemon::clock::Stopwatch;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use protocol::client::Client;
use protocol::serve::{
    AssignRequest, Assigned, Batch, BatchTracked, Dispatch, Event, ExposeRequest, Exposed, Problem,
    Serve, Tracked, Unanswerable, welcome,
};
use tarpc::server::{BaseChannel, Channel, Config};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Answers an assign with as many bytes as a daemon does.
#[derive(Debug, Clone)]
struct Echo;

impl Serve for Echo {
    async fn assign(self, request: AssignRequest) -> Result<Assigned, Problem> {
        Ok(Assigned {
            experiment: request.experiment,
            arm: "green".to_owned(),
            config: r#"{"colour":"green"}"#.to_owned(),
            reason: "sticky".to_owned(),
            lane: Some("main".to_owned()),
            version: Some(1),
            propensity: Some(0.5),
            assignment: Some("1-000102030405060708090a0b0c0d0e0f".to_owned()),
            new: false,
        })
    }

    async fn expose(self, _: ExposeRequest) -> Result<Exposed, Problem> {
        Err(nothing_else())
    }

    async fn track(self, _: Event) -> Result<Tracked, Problem> {
        Err(nothing_else())
    }

    async fn track_batch(self, _: Batch) -> Result<BatchTracked, Problem> {
        Err(nothing_else())
    }

    fn refuse(&self, _: Unanswerable) -> Problem {
        nothing_else()
    }
}

fn nothing_else() -> Problem {
    Problem {
        code: "invalid".to_owned(),
        message: "an echo answers assigns and nothing else".to_owned(),
        ..Problem::default()
    }
}

/// Serves a bare echo on a port of the system's choice, for as long as the runtime lives.
pub async fn echo() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    Ok(address)
}

/// As tarpc's own examples do it, but for the frames.
async fn answer(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let frames = welcome(stream, "echo").await?;
    let channel = BaseChannel::new(Config::default(), frames);
    let mut requests = std::pin::pin!(channel.requests());
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            request = requests.next() => match request {
                Some(request) => running.push(request?.execute(Dispatch(Echo))),
                None => return Ok(()),
            },
            Some(()) = running.next(), if !running.is_empty() => {}
        }
    }
}

/// Callers that each ask again when they have their answer.
#[derive(Debug, Clone, Copy)]
pub struct RpcLoad {
    /// Whom.
    pub address: SocketAddr,
    /// On so many connections.
    pub connections: usize,
    /// All connections together.
    pub in_flight: usize,
    /// For so long.
    pub run: Duration,
}

impl RpcLoad {
    /// Assigns of `checkout` for the units that `unit` names, by caller and turn; answers a second.
    pub async fn assigns(
        self,
        unit: impl Fn(usize, usize) -> String + Clone + Send + 'static,
    ) -> Result<f64> {
        let mut clients = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            clients.push(Client::connect(self.address.to_string()).await?);
        }
        let started = Stopwatch::start();
        let mut callers = JoinSet::new();
        for caller in 0..self.in_flight {
            let client = clients[caller % clients.len()].clone();
            let unit = unit.clone();
            callers.spawn(async move {
                let clock = Stopwatch::start();
                let mut answers = 0_usize;
                while clock.elapsed() < self.run {
                    let call = client.assign("checkout", unit(caller, answers));
                    call.attribute("country", "SN").await?;
                    answers += 1;
                }
                anyhow::Ok(answers)
            });
        }
        let mut answers = 0;
        while let Some(caller) = callers.join_next().await {
            answers += caller??;
        }
        Ok(answers as f64 / started.elapsed().as_secs_f64())
    }
}
