//! The daemon, as one command sees it: connect, say hello, ask.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::control::{ControlClient, Hello, PROTOCOL, Welcome};
use protocol::experiments::Row;
use protocol::refusal::Refusal;
use protocol::transport;
use tarpc::client::RpcError;
use tarpc::context::Context;

use super::Failure;

/// A local daemon greets in a millisecond; after 5 s it is stuck or starved.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// A plan of hundreds of experiments takes a second; a mutation may wait for the database's locks.
const CALL_WITHIN: Duration = Duration::from_secs(30);

/// An open, greeted connection.
#[derive(Debug)]
pub struct Daemon {
    socket: PathBuf,
    /// The calls.
    pub client: ControlClient,
    /// How the daemon introduced itself.
    pub welcome: Welcome,
}

impl Daemon {
    /// Connect to `socket` and say hello.
    pub async fn connect(socket: &Path) -> Result<Self, Failure> {
        let client = transport::connect(socket).await?;
        let welcome = client
            .hello(transport::within(HELLO_WITHIN), hello())
            .await??;
        Ok(Self {
            socket: socket.to_owned(),
            client,
            welcome,
        })
    }

    /// The context of an ordinary call.
    pub fn patience() -> Context {
        transport::within(CALL_WITHIN)
    }

    /// Ask for a change. If the connection breaks before the answer, ask once more on a new one: the request
    /// carries its id, so the daemon answers a repetition with the first outcome and does nothing twice.
    pub async fn insist<T, F>(&self, call: impl Fn(ControlClient) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<Result<T, Refusal>, RpcError>>,
    {
        match call(self.client.clone()).await {
            Ok(answer) => Ok(answer?),
            Err(RpcError::Shutdown | RpcError::Channel(_) | RpcError::Send(_)) => {
                let again = Self::connect(&self.socket).await?;
                Ok(call(again.client.clone()).await??)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Every experiment, in key order, with the revision they were read at.
    pub async fn rows(&self) -> Result<(u64, Vec<Row>), Failure> {
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = self.client.snapshot(Self::patience(), after).await??;
            rows.extend(page.rows);
            after = page.next;
            if after.is_none() {
                return Ok((page.revision, rows));
            }
        }
    }
}

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        build: concat!("pitboss-cli ", env!("CARGO_PKG_VERSION")).to_owned(),
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
    }
}
