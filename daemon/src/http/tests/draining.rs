//! What clients see of a daemon that stops.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::CHECKOUT;
use super::site::{Port, Site};

/// Connects and sends one request.
async fn asks(port: &Port, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The whole answer; the daemon closes the connection after it.
async fn hears(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn clients_that_came_in_time_are_answered_and_later_ones_find_nobody() {
    let site = Site::with(CHECKOUT).await;
    let (port, server) = Port::bound(&site.database.store).await;
    let list = "GET /api/experiments HTTP/1.1\r\nhost: a\r\n\r\n";
    let clients = [
        asks(&port, list).await,
        asks(&port, list).await,
        asks(&port, list).await,
    ];
    port.stop.cancel();
    let running = tokio::spawn(server.run(port.stop.clone()));
    for client in clients {
        let answer = hears(client).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    running.await.unwrap();
    assert!(TcpStream::connect(port.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_waits_for_the_database_is_finished() {
    let site = Site::with(CHECKOUT).await;
    let (port, server) = Port::bound(&site.database.store).await;
    let running = tokio::spawn(server.run(port.stop.clone()));
    let mut in_the_way = site.database.store.pool.begin().await.unwrap();
    sqlx::query("lock table experiment_landing in share row exclusive mode")
        .execute(&mut *in_the_way)
        .await
        .unwrap();
    let body = json!({"unit": "u1", "event": "purchase"}).to_string();
    let track = format!(
        "POST /api/experiments/checkout/track HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let client = asks(&port, &track).await;
    site.until("select count(*) from pg_locks where not granted", 1)
        .await;
    port.stop.cancel();
    in_the_way.rollback().await.unwrap();
    let answer = hears(client).await;
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    running.await.unwrap();
    site.until("select count(*) from experiment_landing", 1)
        .await;
}
