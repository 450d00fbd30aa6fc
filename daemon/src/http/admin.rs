//! The admin port: health, readiness and metrics, for machines that watch. Loopback only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Router, body::Body};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use sqlx::PgPool;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ingest::Standing;
use crate::postgres::ClusterState;
use crate::sticky::Sticky;
use crate::telemetry::metrics::Metrics;

/// A watcher that does not finish its header in this time is cut off.
const HEADER_WITHIN: Duration = Duration::from_secs(5);

/// A few scrapers and probes; whoever comes beyond waits in the kernel's queue.
const MOST_CONNECTIONS: usize = 64;

/// Where the daemon is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not built yet.
    Starting,
    /// Taking traffic.
    Ready,
    /// Finishing what it has.
    Draining,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// What the admin port shows.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The daemon's phase.
    pub phase: watch::Receiver<Phase>,
    /// The private cluster, once there is one.
    pub cluster: Arc<OnceCell<watch::Receiver<ClusterState>>>,
    /// The data path, once there is one.
    pub standing: Arc<OnceCell<Standing>>,
    /// The pool, once there is one.
    pub pool: Arc<OnceCell<PgPool>>,
    /// The cache of assignments, once there is one.
    pub sticky: Arc<OnceCell<Arc<Sticky>>>,
    /// The recorder.
    pub metrics: Metrics,
}

/// Serves until `stop`, then lets open answers finish.
pub async fn serve(listener: TcpListener, watched: Watched, stop: CancellationToken) {
    let service = TowerToHyperService::new(router(watched));
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        // Both arms are cancel-safe.
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, permit)) = accepted else {
            continue;
        };
        let serving = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_WITHIN)
            .serve_connection(TokioIo::new(stream), service.clone());
        let stop = stop.clone();
        connections.spawn(async move {
            let mut serving = std::pin::pin!(serving);
            tokio::select! {
                _ = &mut serving => {}
                () = stop.cancelled() => {
                    serving.as_mut().graceful_shutdown();
                    let _ = serving.await;
                }
            }
            drop(permit);
        });
    }
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            // Out of descriptors, mostly: accepting again at once would spin.
            tracing::warn!(%error, "the admin port cannot accept");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn router(watched: Watched) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .with_state(watched)
}

/// The loop turns; nothing else is asked, because a restart cures nothing else.
async fn alive() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

/// Whether to send traffic. A database that is away does not make the daemon unready: all daemons would
/// leave the balancer together, and sticky units are served from memory.
async fn ready(State(watched): State<Watched>) -> Response {
    let phase = *watched.phase.borrow();
    let status = match phase {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = json!({
        "ready": phase == Phase::Ready,
        "phase": phase.as_str(),
        "private_postgres": cluster_word(&watched),
        "database": database(&watched),
        "spool": spool(&watched),
    });
    (status, Json(body)).into_response()
}

async fn metrics(State(watched): State<Watched>) -> impl IntoResponse {
    let ready = *watched.phase.borrow() == Phase::Ready;
    ::metrics::gauge!("pitboss_ready").set(if ready { 1.0 } else { 0.0 });
    if let Some(cluster) = watched.cluster.get() {
        let up = matches!(*cluster.borrow(), ClusterState::Ready { .. });
        ::metrics::gauge!("pitboss_postgres_up").set(if up { 1.0 } else { 0.0 });
    }
    if let Some(sticky) = watched.sticky.get() {
        sticky.publish();
    }
    let text = watched.metrics.render(watched.pool.get());
    let format = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (format, Body::from(text))
}

async fn version() -> Json<serde_json::Value> {
    Json(json!({"name": "pitbossd", "version": env!("CARGO_PKG_VERSION")}))
}

/// `None` where somebody else runs PostgreSQL.
fn cluster_word(watched: &Watched) -> Option<&'static str> {
    let state = *watched.cluster.get()?.borrow();
    Some(match state {
        ClusterState::Ready { .. } => "ready",
        ClusterState::Starting => "starting",
        ClusterState::Down | ClusterState::Stopped => "down",
    })
}

/// `None` before the data path is there.
fn database(watched: &Watched) -> Option<serde_json::Value> {
    let since = watched.standing.get()?.away_since();
    let word = if since.is_some() { "away" } else { "there" };
    Some(json!({"state": word, "away_since": since}))
}

fn spool(watched: &Watched) -> Option<serde_json::Value> {
    let usage = watched.standing.get()?.spool();
    Some(json!({
        "records": usage.records,
        "bytes": usage.bytes,
        "oldest": usage.oldest(),
        "damaged": usage.found.damaged + usage.found.unreadable,
        "failed_writes": usage.found.failed,
    }))
}

/// Asks the admin port at `address` for `path`: status and body. For `pitbossd health`.
pub async fn ask(address: SocketAddr, path: &str) -> Result<(u16, String), AskError> {
    let asking = tokio::time::timeout(HEADER_WITHIN, get_once(address, path));
    asking.await.map_err(|_| AskError::Silent(address))?
}

/// An admin port that does not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("nothing answers at {0}")]
    Unreachable(SocketAddr, #[source] std::io::Error),
    /// Somebody listens and is silent.
    #[error("{0} does not answer in time")]
    Silent(SocketAddr),
    /// Somebody else listens.
    #[error("{0} does not speak HTTP as pitbossd does")]
    Foreign(SocketAddr, #[source] hyper::Error),
}

async fn get_once(address: SocketAddr, path: &str) -> Result<(u16, String), AskError> {
    use http_body_util::{BodyExt, Empty};

    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| AskError::Unreachable(address, error))?;
    let foreign = |error| AskError::Foreign(address, error);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(foreign)?;
    let driver = tokio::spawn(connection);
    let request = hyper::Request::get(path)
        .header(header::HOST, address.to_string())
        .body(Empty::<bytes::Bytes>::new())
        .expect("a path of ours and an address make a request");
    let answer = sender.send_request(request).await.map_err(foreign)?;
    let status = answer.status().as_u16();
    let body = answer.collect().await.map_err(foreign)?.to_bytes();
    driver.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
