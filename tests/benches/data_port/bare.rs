//! What the data port is measured against: axum handlers that parse the same bodies and answer as much JSON,
//! and do nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

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

/// Serves on a port of the system's choice, for as long as the runtime lives.
pub(crate) async fn serve() -> anyhow::Result<SocketAddr> {
    let routes = Router::new()
        .route("/api/experiments/{id}/assign", post(assign))
        .route("/api/track", post(track));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address)
}

async fn assign(Json(body): Json<Assign>) -> Json<Assigned> {
    let lane = if body.attributes.len() > 64 || body.unit.is_empty() {
        "none"
    } else {
        "main"
    };
    Json(Assigned {
        experiment: "checkout",
        arm: "green",
        config: serde_json::json!({"colour": "green"}),
        reason: "sticky",
        lane,
        version: 1,
        propensity: 0.5,
        assignment: String::from("1-000102030405060708090a0b0c0d0e0f"),
        new: false,
    })
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
