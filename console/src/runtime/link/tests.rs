//! The link against a daemon that is played: it watches, takes a fresh snapshot when told, and never gives up.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::DateTime;
use futures::StreamExt as _;
use protocol::alerts::{
    AckRequest, AlertDone, AlertsPage, AlertsQuery, ResendRequest, SilenceRequest,
};
use protocol::control::{
    ArmRequest, AuditPage, AuditQuery, Control, Delta, Done, Health, ProtocolVersion,
    ReleaseRequest, Snapshot, VerbRequest,
};
use protocol::evaluation::{WhatIf, WhatIfRequest};
use protocol::experiments::{Detail, Explanation, Insights, Results};
use protocol::guardrails::{Guardrails, OverrideRequest};
use protocol::plans::{Applied, ApplyRequest, PlanReply, PlanRequest};
use protocol::refusal::{Code, Refusal};
use tarpc::context::Context;
use tarpc::server::{BaseChannel, Channel as _};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use super::*;

/// How the played daemon answers.
#[derive(Clone)]
struct Played {
    major: u16,
    /// Watches answered so far, by all connections.
    watched: Arc<AtomicU64>,
}

fn refused<T>() -> Result<T, Refusal> {
    Err(Refusal::new(Code::Unavailable, "not played"))
}

fn cursor(seq: u64) -> Cursor {
    Cursor {
        run: "played".into(),
        seq,
    }
}

impl Control for Played {
    async fn hello(self, _: Context, _: Hello) -> Result<Welcome, Refusal> {
        Ok(Welcome {
            protocol: ProtocolVersion {
                major: self.major,
                minor: 0,
            },
            build: "pitbossd 9.9.9".into(),
            environment: "test".into(),
            production: false,
            you: "tester".into(),
            data_address: String::new(),
            now: DateTime::UNIX_EPOCH,
        })
    }

    /// Two pages.
    async fn snapshot(self, _: Context, after: Option<String>) -> Result<Snapshot, Refusal> {
        Ok(Snapshot {
            cursor: cursor(if after.is_none() { 7 } else { 8 }),
            now: DateTime::UNIX_EPOCH,
            revision: 1,
            rows: Vec::new(),
            next: after.is_none().then(|| "a".to_owned()),
        })
    }

    /// The first answer is a delta, the second sends the console back to a snapshot, then silence.
    async fn watch(self, _: Context, from: Cursor, _: u64) -> Result<Watched, Refusal> {
        match self.watched.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(Watched::Delta(Delta {
                cursor: cursor(from.seq + 1),
                now: DateTime::UNIX_EPOCH,
                revision: from.seq,
                rows: Vec::new(),
                gone: Vec::new(),
                coalesced: 0,
                more: true,
            })),
            1 => Ok(Watched::Resync),
            _ => std::future::pending().await,
        }
    }

    async fn detail(self, _: Context, _: String) -> Result<Detail, Refusal> {
        refused()
    }

    async fn plan(self, _: Context, _: PlanRequest) -> Result<PlanReply, Refusal> {
        refused()
    }

    async fn apply(self, _: Context, _: ApplyRequest) -> Result<Applied, Refusal> {
        refused()
    }

    async fn start(self, _: Context, _: VerbRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn pause(self, _: Context, _: VerbRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn resume(self, _: Context, _: VerbRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn stop(self, _: Context, _: VerbRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn rollback(self, _: Context, _: VerbRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn archive(self, _: Context, _: VerbRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn quarantine(self, _: Context, _: ArmRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn release(self, _: Context, _: ReleaseRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn ship(self, _: Context, _: ArmRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn results(self, _: Context, _: String) -> Result<Results, Refusal> {
        refused()
    }

    async fn insights(self, _: Context, _: String) -> Result<Insights, Refusal> {
        refused()
    }

    async fn explain(self, _: Context, _: String, _: String) -> Result<Explanation, Refusal> {
        refused()
    }

    async fn whatif(self, _: Context, _: WhatIfRequest) -> Result<WhatIf, Refusal> {
        refused()
    }

    async fn guardrails(self, _: Context, _: String) -> Result<Guardrails, Refusal> {
        refused()
    }

    async fn override_guardrail(self, _: Context, _: OverrideRequest) -> Result<Done, Refusal> {
        refused()
    }

    async fn audit(self, _: Context, _: AuditQuery) -> Result<AuditPage, Refusal> {
        refused()
    }

    async fn alerts(self, _: Context, _: AlertsQuery) -> Result<AlertsPage, Refusal> {
        refused()
    }

    async fn ack(self, _: Context, _: AckRequest) -> Result<AlertDone, Refusal> {
        refused()
    }

    async fn silence(self, _: Context, _: SilenceRequest) -> Result<AlertDone, Refusal> {
        refused()
    }

    async fn resend(self, _: Context, _: ResendRequest) -> Result<AlertDone, Refusal> {
        refused()
    }

    async fn health(self, _: Context) -> Result<Health, Refusal> {
        refused()
    }
}

/// Serve one connection after the other until the task is aborted.
fn serve(socket: &Path, major: u16) -> JoinHandle<()> {
    let listener = UnixListener::bind(socket).expect("a free socket");
    let played = Played {
        major,
        watched: Arc::default(),
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let channel = BaseChannel::with_defaults(transport::server_frames(stream));
            let answers = channel.execute(played.clone().serve());
            answers.for_each_concurrent(4, |answer| answer).await;
        }
    })
}

/// A running link and what it says.
struct Running {
    messages: mpsc::Receiver<Msg>,
    handle: Handle,
    stop: CancellationToken,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("control.sock");
        let (sender, messages) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let handle = start(&socket, sender, &TaskTracker::new(), &stop);
        Self {
            messages,
            handle,
            stop,
            socket,
            _folder: folder,
        }
    }

    async fn next(&mut self) -> LinkEvent {
        match self.messages.recv().await {
            Some(Msg::Link(event)) => *event,
            other => panic!("not from the link: {other:?}"),
        }
    }

    /// Events until one is as wanted; attempts that fail are hurried along.
    async fn until(&mut self, wanted: impl Fn(&LinkEvent) -> bool) -> LinkEvent {
        loop {
            let event = self.next().await;
            if wanted(&event) {
                return event;
            }
            if matches!(event, LinkEvent::Waiting { .. }) {
                self.handle.retry_now();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn it_waits_for_a_daemon_and_watches_from_the_first_pages_cursor() {
    let mut link = Running::start();
    let waiting = |event: &LinkEvent| matches!(event, LinkEvent::Waiting { .. });
    let LinkEvent::Waiting { failure, .. } = link.until(waiting).await else {
        unreachable!("it was waiting");
    };
    assert!(
        failure.sentence.contains("no control socket"),
        "{failure:?}"
    );
    assert!(failure.advice.iter().any(|line| line.contains("--socket")));

    let daemon = serve(&link.socket, PROTOCOL.major);
    link.handle.retry_now();
    let delta = link
        .until(|event| matches!(event, LinkEvent::Delta(_)))
        .await;
    let LinkEvent::Delta(delta) = delta else {
        unreachable!("it was a delta");
    };
    assert_eq!(
        delta.revision, 7,
        "the cursor of the first page, not of the last"
    );
    daemon.abort();
}

#[tokio::test]
async fn a_resync_takes_a_fresh_snapshot() {
    let mut link = Running::start();
    let daemon = serve(&link.socket, PROTOCOL.major);
    link.until(|event| matches!(event, LinkEvent::Delta(_)))
        .await;
    let first = |event: &LinkEvent| matches!(event, LinkEvent::Page { first: true, .. });
    link.until(first).await;
    daemon.abort();
}

#[tokio::test]
async fn a_daemon_that_goes_is_waited_for_and_found_again() {
    let mut link = Running::start();
    let daemon = serve(&link.socket, PROTOCOL.major);
    link.until(|event| matches!(event, LinkEvent::Delta(_)))
        .await;
    daemon.abort();
    assert!(daemon.await.expect_err("aborted").is_cancelled());
    std::fs::remove_file(&link.socket).expect("the socket file");
    link.until(|event| matches!(event, LinkEvent::Waiting { .. }))
        .await;

    let daemon = serve(&link.socket, PROTOCOL.major);
    link.handle.retry_now();
    link.until(|event| matches!(event, LinkEvent::Delta(_)))
        .await;
    daemon.abort();
}

#[tokio::test]
async fn another_version_is_a_sentence_with_both() {
    let mut link = Running::start();
    let daemon = serve(&link.socket, PROTOCOL.major + 1);
    link.handle.retry_now();
    let version = |event: &LinkEvent| match event {
        LinkEvent::Waiting { failure, .. } => failure.sentence.contains("pitbossd 9.9.9"),
        _ => false,
    };
    let LinkEvent::Waiting { failure, .. } = link.until(version).await else {
        unreachable!("it was waiting");
    };
    let theirs = format!("speaks {}.0", PROTOCOL.major + 1);
    assert!(failure.sentence.contains(&theirs), "{failure:?}");
    daemon.abort();
}
