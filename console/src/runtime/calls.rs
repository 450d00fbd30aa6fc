//! Calls to the daemon, on a connection of their own, so that they never wait behind a watch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bandit::experiment::Verb;
use protocol::control::ControlClient;
use protocol::refusal::Refusal;
use protocol::transport;
use tarpc::client::RpcError;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::link::{LinkFailure, connect};
use crate::effect::Call;
use crate::msg::{CallFailure, Msg, Reply};

/// A plan of hundreds of experiments takes a second; a mutation may wait for the database's locks.
const CALL_WITHIN: Duration = Duration::from_secs(30);

/// The way to the daemon for calls.
pub(super) struct Handle {
    line: Arc<Line>,
    messages: mpsc::Sender<Msg>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The connection, made when it is first needed and again when it broke.
struct Line {
    socket: PathBuf,
    client: Mutex<Option<ControlClient>>,
}

/// Nothing is connected before the first call.
pub(super) fn start(
    socket: &Path,
    messages: mpsc::Sender<Msg>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Handle {
    Handle {
        line: Arc::new(Line {
            socket: socket.to_owned(),
            client: Mutex::new(None),
        }),
        messages,
        tasks: tasks.clone(),
        stop: stop.clone(),
    }
}

impl Handle {
    /// Ask; the answer comes as a message with this id.
    pub(super) fn ask(&self, id: u64, call: Call) {
        let line = self.line.clone();
        let messages = self.messages.clone();
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let reply = if call.is_mutation() {
                // Not cut when the console ends: what was asked for must reach the daemon.
                line.ask(&call).await
            } else {
                match stop.run_until_cancelled(line.ask(&call)).await {
                    Some(reply) => reply,
                    None => return,
                }
            };
            let reply = Box::new(reply);
            // The loop is gone only when the console ends; then nobody wants the answer.
            let _ = messages.send(Msg::Reply { id, reply }).await;
        });
    }
}

impl Line {
    /// A call that broke is made once more on a new connection: a read is harmless, and a mutation carries its
    /// id, so that the daemon answers a repetition with the first outcome and does nothing twice.
    async fn ask(&self, call: &Call) -> Result<Reply, CallFailure> {
        match self.ask_once(call).await {
            Err(LinkFailure::Broken(
                RpcError::Shutdown | RpcError::Channel(_) | RpcError::Send(_),
            )) => {
                *self.client.lock().await = None;
                self.ask_once(call).await
            }
            other => other,
        }
        .map_err(|failure| match failure {
            LinkFailure::Refused(refusal) => CallFailure::Refused(refusal),
            other => CallFailure::NoAnswer(other.to_string()),
        })
    }

    async fn ask_once(&self, call: &Call) -> Result<Reply, LinkFailure> {
        let client = self.client().await?;
        answer(&client, call.clone()).await
    }

    async fn client(&self) -> Result<ControlClient, LinkFailure> {
        // Held while connecting on purpose: ten calls at once make one connection, not ten.
        let mut known = self.client.lock().await;
        if let Some(client) = known.as_ref() {
            return Ok(client.clone());
        }
        let (client, _) = connect(&self.socket).await?;
        *known = Some(client.clone());
        Ok(client)
    }
}

async fn answer(client: &ControlClient, call: Call) -> Result<Reply, LinkFailure> {
    let within = transport::within(CALL_WITHIN);
    Ok(match call {
        Call::Detail { key } => Reply::Detail(Box::new(client.detail(within, key).await??)),
        Call::Plan(request) => Reply::Plan(client.plan(within, request).await??),
        Call::Apply(request) => Reply::Applied(client.apply(within, request).await??),
        Call::Audit(query) => Reply::Audit(client.audit(within, query).await??),
        Call::Alerts(query) => Reply::Alerts(client.alerts(within, query).await??),
        Call::Ack(request) => Reply::Answered(client.ack(within, request).await??),
        Call::Silence(request) => Reply::Answered(client.silence(within, request).await??),
        Call::Quarantine(request) => Reply::Done(client.quarantine(within, request).await??),
        Call::Release(request) => Reply::Done(client.release(within, request).await??),
        Call::Ship(request) => Reply::Done(client.ship(within, request).await??),
        Call::Verb { verb, request } => {
            let done: Result<_, Refusal> = match verb {
                Verb::Start => client.start(within, request).await?,
                Verb::Pause => client.pause(within, request).await?,
                Verb::Resume => client.resume(within, request).await?,
                Verb::Stop => client.stop(within, request).await?,
                Verb::Rollback => client.rollback(within, request).await?,
                Verb::Archive => client.archive(within, request).await?,
            };
            Reply::Done(done?)
        }
    })
}
