//! The fault proxy: a TCP port in front of PostgreSQL's socket, with a network as bad as one likes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UnixStream, tcp};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the network does to connections, those that are there and those that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Nothing.
    Fair,
    /// Connections are reset, new ones at once.
    Cut,
    /// Nothing gets through in either direction, and nobody is told: connections are accepted and starve.
    HalfOpen,
    /// Every piece takes so long, each way.
    Slow(Duration),
    /// One byte a second, each way.
    Trickle,
    /// What the client says reaches the server, and the connection is reset when that has answered: a commit whose
    /// outcome nobody knows.
    AnswerLost,
}

impl Weather {
    /// What it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fair => "fair",
            Self::Cut => "network_cut",
            Self::HalfOpen => "network_half_open",
            Self::Slow(_) => "network_slow",
            Self::Trickle => "network_trickle",
            Self::AnswerLost => "network_answer_lost",
        }
    }
}

/// The proxy; gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// A port that leads to the Unix socket `upstream`.
    pub async fn to(upstream: PathBuf) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, upstream, weather.subscribe()));
        Ok(Self {
            address,
            weather,
            _serving: serving,
        })
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn serve(listener: TcpListener, upstream: PathBuf, weather: watch::Receiver<Weather>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let carried = carry(client, upstream.clone(), weather.clone());
                connections.spawn(async move {
                    // Either end may hang up at any time: that is what proxies see all day.
                    let _ = carried.await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(
    client: TcpStream,
    upstream: PathBuf,
    weather: watch::Receiver<Weather>,
) -> std::io::Result<()> {
    // A reset, not a goodbye: what a dead host or a firewall looks like.
    client.set_zero_linger()?;
    client.set_nodelay(true)?;
    if *weather.borrow() == Weather::Cut {
        return Ok(());
    }
    let server = UnixStream::connect(upstream).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut changes = weather.clone();
    tokio::select! {
        ended = ask(from_client, to_server, weather.clone()) => ended,
        ended = answer(from_server, to_client, weather) => ended,
        _ = changes.wait_for(|weather| *weather == Weather::Cut) => Ok(()),
    }
}

async fn ask(
    mut from: tcp::OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        pass(&bytes[..count], &mut to, &mut weather).await?;
    }
}

async fn answer(
    mut from: OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        if *weather.borrow() == Weather::AnswerLost {
            return Ok(());
        }
        pass(&bytes[..count], &mut to, &mut weather).await?;
    }
}

/// Passes `bytes` on as the weather allows, also when it changes on the way.
async fn pass(
    mut bytes: &[u8],
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    weather: &mut watch::Receiver<Weather>,
) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let now = *weather.borrow_and_update();
        let (count, wait) = match now {
            Weather::Fair | Weather::AnswerLost => (bytes.len(), Duration::ZERO),
            Weather::Slow(by) => (bytes.len(), by),
            Weather::Trickle => (1, Duration::from_secs(1)),
            Weather::Cut => return Ok(()),
            Weather::HalfOpen => {
                if weather.changed().await.is_err() {
                    return Ok(());
                }
                continue;
            }
        };
        if !wait.is_zero() {
            // A change of weather is felt at once.
            let _ = tokio::time::timeout(wait, weather.changed()).await;
        }
        to.write_all(&bytes[..count]).await?;
        bytes = &bytes[count..];
    }
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    /// A server that says back what it hears, and a connection to it through the proxy.
    async fn echo() -> (tempfile::TempDir, Proxy, TcpStream) {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("echo");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from, &mut to).await });
            }
        });
        let proxy = Proxy::to(socket).await.unwrap();
        let client = TcpStream::connect(proxy.address).await.unwrap();
        (directory, proxy, client)
    }

    async fn says(client: &mut TcpStream) -> std::io::Result<u8> {
        client.write_u8(7).await?;
        client.read_u8().await
    }

    #[tokio::test]
    async fn fair_weather_carries_and_a_cut_resets_what_is_and_what_comes() {
        let (_home, proxy, mut client) = echo().await;
        assert_eq!(says(&mut client).await.unwrap(), 7);
        proxy.set(Weather::Cut);
        assert!(client.read_u8().await.is_err());
        let mut late = TcpStream::connect(proxy.address).await.unwrap();
        assert!(late.read_u8().await.is_err());
        proxy.set(Weather::Fair);
        let mut again = TcpStream::connect(proxy.address).await.unwrap();
        assert_eq!(says(&mut again).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn half_open_keeps_everything_until_the_weather_is_fair_again() {
        let (_home, proxy, mut client) = echo().await;
        assert_eq!(says(&mut client).await.unwrap(), 7);
        proxy.set(Weather::HalfOpen);
        client.write_u8(8).await.unwrap();
        let silent = tokio::time::timeout(Duration::from_millis(50), client.read_u8()).await;
        assert!(silent.is_err(), "{silent:?}");
        proxy.set(Weather::Fair);
        assert_eq!(client.read_u8().await.unwrap(), 8);
    }

    #[tokio::test]
    async fn an_answer_is_lost_although_the_server_has_heard_the_question() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("server");
        let listener = UnixListener::bind(&socket).unwrap();
        let proxy = Proxy::to(socket).await.unwrap();
        let mut client = TcpStream::connect(proxy.address).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        proxy.set(Weather::AnswerLost);
        client.write_u8(9).await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), 9);
        server.write_u8(10).await.unwrap();
        assert!(client.read_u8().await.is_err());
    }
}
