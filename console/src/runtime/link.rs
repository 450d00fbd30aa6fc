//! The link task: connect, hello, snapshot, watch; back off and try again, for ever.

mod backoff;
mod failure;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::control::{ControlClient, Cursor, Hello, MAX_WATCH_MS, PROTOCOL, Watched, Welcome};
use protocol::transport;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::msg::{LinkEvent, Msg};
use backoff::Backoff;
pub(super) use failure::LinkFailure;

/// A local daemon greets in a millisecond; after 5 s it is stuck.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// A page is 100 experiments from memory.
const PAGE_WITHIN: Duration = Duration::from_secs(10);

/// The daemon answers within its longest wait; 5 s more means that it does not. tarpc's own default of 10 s
/// would cut every quiet watch.
const WATCH_WITHIN: Duration = Duration::from_millis(MAX_WATCH_MS + 5_000);

/// 200 ms between deltas at the least: five a second are plenty for eyes, and the daemon merges meanwhile.
const BETWEEN_DELTAS: Duration = Duration::from_millis(200);

/// The way to the link task.
pub(super) struct Handle {
    retry: Arc<Notify>,
}

impl Handle {
    /// Do not wait for the next attempt.
    pub(super) fn retry_now(&self) {
        self.retry.notify_one();
    }
}

/// Start the task; it ends when `stop` says so.
pub(super) fn start(
    socket: &Path,
    messages: mpsc::Sender<Msg>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Handle {
    let retry = Arc::new(Notify::new());
    let link = Link {
        socket: socket.to_owned(),
        messages,
        retry: retry.clone(),
    };
    let stop = stop.clone();
    // Dropping the link wherever it is loses nothing: it holds a connection and a cursor.
    tasks.spawn(async move { stop.run_until_cancelled(link.keep()).await });
    Handle { retry }
}

struct Link {
    socket: PathBuf,
    messages: mpsc::Sender<Msg>,
    retry: Arc<Notify>,
}

impl Link {
    async fn keep(self) {
        let mut backoff = Backoff::default();
        loop {
            let attempt = backoff.attempt();
            self.say(LinkEvent::Connecting { attempt }).await;
            let failure = match self.watch(&mut backoff).await {
                Ok(never) => match never {},
                Err(failure) => failure,
            };
            let wait = backoff.next(failure.is_version());
            self.say(LinkEvent::Waiting {
                attempt: backoff.failed(),
                for_ms: wait.as_millis() as u64,
                failure: failure.in_words(&self.socket),
            })
            .await;
            // Cancel-safe: a timer and a notification that is kept if nobody waits.
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.retry.notified() => {}
            }
        }
    }

    async fn say(&self, event: LinkEvent) {
        // The loop is gone only when the console ends, and this task with it.
        let _ = self.messages.send(Msg::Link(Box::new(event))).await;
    }

    /// One connection's life.
    async fn watch(&self, backoff: &mut Backoff) -> Result<std::convert::Infallible, LinkFailure> {
        let (client, welcome) = connect(&self.socket).await?;
        self.say(LinkEvent::Welcome(welcome)).await;
        let mut cursor = self.snapshot(&client).await?;
        backoff.worked();
        loop {
            let context = transport::within(WATCH_WITHIN);
            match client
                .watch(context, cursor.clone(), MAX_WATCH_MS)
                .await??
            {
                Watched::Delta(delta) => {
                    cursor = delta.cursor.clone();
                    let more = delta.more;
                    self.say(LinkEvent::Delta(delta)).await;
                    if !more {
                        tokio::time::sleep(BETWEEN_DELTAS).await;
                    }
                }
                Watched::Resync => cursor = self.snapshot(&client).await?,
                Watched::Unknown => return Err(LinkFailure::NotUnderstood),
            }
        }
    }

    /// All pages; the cursor of the first, so that nothing between two pages is missed.
    async fn snapshot(&self, client: &ControlClient) -> Result<Cursor, LinkFailure> {
        let mut after = None;
        let mut cursor = None;
        loop {
            let context = transport::within(PAGE_WITHIN);
            let page = client.snapshot(context, after).await??;
            after = page.next.clone();
            let first = cursor.is_none();
            let from = cursor.get_or_insert_with(|| page.cursor.clone()).clone();
            self.say(LinkEvent::Page { first, page }).await;
            if after.is_none() {
                return Ok(from);
            }
        }
    }
}

/// Connect and say hello.
pub(super) async fn connect(socket: &Path) -> Result<(ControlClient, Welcome), LinkFailure> {
    let client = transport::connect(socket).await?;
    let hello = Hello {
        protocol: PROTOCOL,
        build: concat!("pitboss ", env!("CARGO_PKG_VERSION")).to_owned(),
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
    };
    let welcome = client
        .hello(transport::within(HELLO_WITHIN), hello)
        .await??;
    if welcome.protocol.major != PROTOCOL.major {
        return Err(LinkFailure::Version(Box::new(welcome)));
    }
    Ok((client, welcome))
}
