//! The connection behind a client: made when it is needed, shared by all calls, made anew when it ended.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use tarpc::Response;
use tarpc::client::{self, Channel};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use super::CallError;
use crate::codec::context_lasting;
use crate::serve::{Answered, Asked, Call, MAX_IN_FLIGHT, Reply, greet};

/// 3 s: a daemon on the same machine or in the same rack answers in milliseconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// 100 ms after a connection could not be made, nobody tries: a thousand callers that each try for
/// themselves would keep a daemon from starting.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// 100 ms on a connection to a daemon that is about to stop: where every way leads to it, as behind a balancer that has not
/// noticed yet, each call would make a connection of its own.
const STAYS: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Link {
    /// The daemons, at least one.
    addresses: Vec<String>,
    /// The one to try first.
    first: AtomicUsize,
    current: RwLock<Option<Connection>>,
    /// Held while a connection is made, so that one is; with the last failure to make one.
    connecting: Arc<Mutex<Failed>>,
}

type Failed = Option<(Instant, CallError)>;

#[derive(Debug, Clone)]
pub(super) struct Connection {
    channel: Channel<Asked, Answered>,
    /// Which of the addresses it leads to.
    to: usize,
    opened_at: Instant,
    ended: Arc<AtomicBool>,
    /// The daemon has said that it is about to stop.
    left: Arc<AtomicBool>,
}

impl Link {
    /// # Panics
    /// Without addresses.
    pub(super) fn new(addresses: Vec<String>) -> Self {
        assert!(!addresses.is_empty(), "a client needs an address");
        Self {
            addresses,
            first: AtomicUsize::new(0),
            current: RwLock::default(),
            connecting: Arc::default(),
        }
    }

    pub(super) async fn call(
        self: &Arc<Self>,
        call: Call,
        patience: Duration,
    ) -> Result<Reply, CallError> {
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
    pub(super) async fn connection(self: &Arc<Self>) -> Result<Connection, CallError> {
        if let Some(connection) = self.living() {
            return Ok(connection);
        }
        // Who is about to stop still answers: no call waits until another daemon is found.
        if let Some(leaving) = self.current(Connection::is_open) {
            self.look_elsewhere();
            return Ok(leaving);
        }
        let failed = Arc::clone(&self.connecting).lock_owned().await;
        // Somebody else has made one meanwhile.
        if let Some(connection) = self.current(Connection::is_open) {
            return Ok(connection);
        }
        match just_now(&failed) {
            Some(error) => Err(error),
            None => self.connect(failed).await,
        }
    }

    /// Makes a new connection beside the one there is, unless that is being done. It ends with the last address at the
    /// latest, some seconds after.
    fn look_elsewhere(self: &Arc<Self>) {
        if let Ok(failed) = Arc::clone(&self.connecting).try_lock_owned()
            && self.living().is_none()
            && just_now(&failed).is_none()
        {
            let link = Arc::clone(self);
            tokio::spawn(async move { link.connect(failed).await });
        }
    }

    async fn connect(&self, mut failed: OwnedMutexGuard<Failed>) -> Result<Connection, CallError> {
        let opened = self.open().await;
        match &opened {
            Ok(connection) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Some(connection.clone());
            }
            Err(error) => *failed = Some((Instant::now(), error.clone())),
        }
        opened
    }

    /// Connects to the first daemon that answers, beginning with the one after that which is left.
    async fn open(&self) -> Result<Connection, CallError> {
        let count = self.addresses.len();
        let first = match self.current(Connection::is_open) {
            Some(leaving) => leaving.to + 1,
            None => self.first.load(Ordering::Relaxed),
        };
        let mut failure = None;
        for at in (first..first + count).map(|at| at % count) {
            // A host that is off does not even refuse. When the caller's patience ends here, the next one begins behind
            // it; else nobody would ever come to the others.
            self.first.store((at + 1) % count, Ordering::Relaxed);
            match Connection::open(&self.addresses[at], at).await {
                Ok(connection) => {
                    self.first.store(at, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.expect("there is at least one address"))
    }

    pub(super) fn is_at(&self, address: &str) -> bool {
        self.living()
            .is_some_and(|connection| self.addresses[connection.to] == address)
    }

    fn living(&self) -> Option<Connection> {
        self.current(Connection::is_good)
    }

    /// The present connection, if it `is` so.
    fn current(&self, is: impl Fn(&Connection) -> bool) -> Option<Connection> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|current| is(current)).cloned()
    }
}

/// The failure that it is too early to try after.
fn just_now(failed: &Failed) -> Option<CallError> {
    let (at, error) = failed.as_ref()?;
    (at.elapsed() < AFTER_FAILURE).then(|| error.clone())
}

impl Connection {
    fn is_open(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }

    /// Whether new calls belong on it.
    fn is_good(&self) -> bool {
        let stays = || self.opened_at.elapsed() < STAYS;
        self.is_open() && (!self.left.load(Ordering::Acquire) || stays())
    }

    /// Connects to `address`, which is number `to`, and greets. The task that drives the connection ends with it, or with
    /// its last caller.
    async fn open(address: &str, to: usize) -> Result<Self, CallError> {
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
        let left = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&left);
        let frames = frames.inspect(move |frame| {
            if matches!(
                frame,
                Ok(Response {
                    message: Ok(Answered(Some(Reply::Farewell(_)))),
                    ..
                })
            ) {
                told.store(true, Ordering::Release);
            }
        });
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
            to,
            opened_at: Instant::now(),
            ended,
            left,
        })
    }
}
