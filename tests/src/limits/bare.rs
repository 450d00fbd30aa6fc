//! What the data port is measured against: handlers on axum and on hyper alone that parse the same bodies and answer
//! as much JSON, and do nothing else.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;

use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// Where they listen, for as long as the runtime lives.
pub(super) struct Bare {
    pub(super) axum: SocketAddr,
    pub(super) hyper: SocketAddr,
}

#[derive(Deserialize)]
struct Assign {
    unit: String,
    #[serde(default)]
    attributes: BTreeMap<String, serde_json::Value>,
}

#[derive(Serialize)]
struct Assigned {
    experiment: &'static str,
    arm: &'static str,
    config: serde_json::Value,
    reason: &'static str,
    lane: &'static str,
    version: u32,
    propensity: f64,
    assignment: String,
    new: bool,
}

#[derive(Deserialize)]
struct Item {
    experiment: String,
    unit: String,
    event: String,
    value: Option<f64>,
    id: Option<String>,
}

#[derive(Serialize)]
struct Tracked {
    accepted: usize,
    rejected: usize,
    results: Vec<Accepted>,
}

#[derive(Serialize)]
struct Accepted {
    status: &'static str,
    experiment: String,
    event_id: &'static str,
    durability: &'static str,
}

/// Serves both on ports of the system's choice.
pub(super) async fn serve() -> anyhow::Result<Bare> {
    Ok(Bare {
        axum: serve_axum().await?,
        hyper: serve_hyper().await?,
    })
}

async fn serve_axum() -> anyhow::Result<SocketAddr> {
    let routes = Router::new()
        .route(
            "/api/experiments/{id}/assign",
            post(|Json(body)| async move { Json(assign(&body)) }),
        )
        .route("/api/track", post(track));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address)
}

async fn serve_hyper() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(assign_on_hyper));
            tokio::spawn(connection);
        }
    });
    Ok(address)
}

async fn assign_on_hyper(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await;
    let body = body.expect("the benchmark sends whole bodies").to_bytes();
    let body = serde_json::from_slice(&body).expect("the benchmark sends assigns");
    let answer = serde_json::to_vec(&assign(&body)).expect("plain data");
    let mut response = Response::new(Full::new(answer.into()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

fn assign(body: &Assign) -> Assigned {
    let lane = if body.attributes.len() > 64 || body.unit.is_empty() {
        "none"
    } else {
        "main"
    };
    Assigned {
        experiment: "checkout",
        arm: "green",
        config: serde_json::json!({"colour": "green"}),
        reason: "sticky",
        lane,
        version: 1,
        propensity: 0.5,
        assignment: String::from("1-000102030405060708090a0b0c0d0e0f"),
        new: false,
    }
}

async fn track(Json(items): Json<Vec<Item>>) -> Json<Tracked> {
    let accepted = items
        .iter()
        .filter(|item| {
            !item.unit.is_empty()
                && !item.event.is_empty()
                && item.value.is_some()
                && item.id.is_some()
        })
        .count();
    let rejected = items.len() - accepted;
    let results = items
        .into_iter()
        .map(|item| Accepted {
            status: "accepted",
            experiment: item.experiment,
            event_id: "01234567-89ab-8def-8123-456789abcdef",
            durability: "db",
        })
        .collect();
    Json(Tracked {
        accepted,
        rejected,
        results,
    })
}
