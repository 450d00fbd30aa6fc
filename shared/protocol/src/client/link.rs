//! The connection behind a client: made when it is needed, shared by all calls, made anew when it ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tarpc::client::{self, Channel};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::CallError;
use crate::codec::context_lasting;
use crate::serve::{Answered, Asked, Call, MAX_IN_FLIGHT, Reply, greet};

/// 3 s: a daemon on the same machine or in the same rack answers in milliseconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// 100 ms after a connection could not be made, nobody tries: a thousand callers that each try for
/// themselves would keep a daemon from starting.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Link {
    address: String,
    current: RwLock<Option<Connection>>,
    /// Held while a connection is made, so that one is; with the last failure to make one.
    connecting: Mutex<Option<(Instant, CallError)>>,
}

#[derive(Debug, Clone)]
pub(super) struct Connection {
    channel: Channel<Asked, Answered>,
    ended: Arc<AtomicBool>,
}

impl Link {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            current: RwLock::default(),
            connecting: Mutex::default(),
        }
    }

    pub(super) async fn call(&self, call: Call, patience: Duration) -> Result<Reply, CallError> {
        let connection = timeout(patience, self.connection())
            .await
            .unwrap_or(Err(CallError::TimedOut(patience)))?;
        connection
            .channel
            .call(context_lasting(patience), call.into())
            .await
            .map_err(|error| CallError::of(error, patience))?
            .0
            .ok_or(CallError::UnknownAnswer)
    }

    /// The connection there is, or a new one.
    pub(super) async fn connection(&self) -> Result<Connection, CallError> {
        if let Some(connection) = self.living() {
            return Ok(connection);
        }
        let mut failed = self.connecting.lock().await;
        if let Some(connection) = self.living() {
            return Ok(connection);
        }
        if let Some((at, error)) = &*failed
            && at.elapsed() < AFTER_FAILURE
        {
            return Err(error.clone());
        }
        match Connection::open(&self.address).await {
            Ok(connection) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Some(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                *failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn living(&self) -> Option<Connection> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current
            .as_ref()
            .filter(|connection| !connection.ended.load(Ordering::Acquire))
            .cloned()
    }
}

impl Connection {
    /// Connects and greets. The task that drives the connection ends with it, or with its last caller.
    async fn open(address: &str) -> Result<Self, CallError> {
        let stream = timeout(CONNECT_WITHIN, TcpStream::connect(address))
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(|source| CallError::Unreachable {
                address: address.to_owned(),
                source: Arc::new(source),
            })?;
        // A call is one packet; waiting for more to send would cost 40 ms each.
        let _ = stream.set_nodelay(true);
        let (frames, _) = greet(stream)
            .await
            .map_err(|source| CallError::NoGreeting {
                address: address.to_owned(),
                source: Arc::new(source),
            })?;
        let mut config = client::Config::default();
        config.max_in_flight_requests = MAX_IN_FLIGHT;
        let new = client::new(config, frames);
        let ended = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&ended);
        tokio::spawn(async move {
            // How it ended is told to the calls in flight.
            let _ = new.dispatch.await;
            tell.store(true, Ordering::Release);
        });
        Ok(Self {
            channel: new.client,
            ended,
        })
    }
}
