//! More than the data port takes.

use serde_json::json;

use tokio::net::TcpStream;

use super::CHECKOUT;
use super::site::{Port, Site};
use crate::calls::Kind;
use crate::testing::database;

#[tokio::test]
async fn a_full_door_refuses_politely_and_leaves_connections_and_other_doors_open() {
    const TRACK: &str = "/api/experiments/checkout/track";
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let mut taken = Vec::new();
    while let Ok(place) = site.port.calls.admit(Kind::Track) {
        taken.push(place);
    }

    let event = json!({"unit": "u1", "event": "purchase", "id": "order-1"});
    // More than the kernel's buffers hold: who stops reading here resets the connection, and the answer is lost.
    let large = format!("[{}]", " ".repeat(1024 * 1024 - 2));
    for _ in 0..3 {
        let one = client.post(TRACK, &event).await;
        let many = client.post_bytes("/api/track", large.clone()).await;
        for refused in [one, many] {
            assert_eq!(refused.status, 503, "{}", refused.text);
            assert_eq!(refused.json["error"]["code"], "overloaded");
            assert_eq!(refused.headers["retry-after"], "1");
        }
    }
    let assign = json!({"unit": "u1"});
    let assigned = client
        .post("/api/experiments/checkout/assign", &assign)
        .await;
    assert_eq!(assigned.json["new"], true, "{}", assigned.text);

    drop(taken);
    let again = client.post(TRACK, &event).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(site.count("experiment_landing").await, 1);
}

#[tokio::test]
async fn while_the_fold_is_behind_events_are_refused_unread_until_the_next_look() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let backlog = site.port.ingest.backlog();
    let item = json!({"experiment": "checkout", "unit": "u1", "event": "purchase"});
    let one = json!([item]);
    backlog.set_room(1);
    let many = client.post("/api/track", &json!([item, item])).await;
    assert_eq!(many.status, 503, "{}", many.text);
    // Not even what is no JSON is told so: nobody has looked.
    for unread in ["]", &one.to_string()] {
        let refused = client.post_bytes("/api/track", unread.to_owned()).await;
        assert_eq!(refused.status, 503, "{}", refused.text);
        assert_eq!(refused.json["error"]["code"], "overloaded");
        assert_eq!(refused.headers["retry-after"], "1");
    }
    backlog.set_room(1);
    assert_eq!(client.post_bytes("/api/track", "]").await.status, 400);
    let taken = client.post("/api/track", &one).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
}

#[tokio::test]
async fn hundreds_may_connect_before_one_is_accepted() {
    let database = database().await;
    let (port, server) = Port::bound(&database.store).await;
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let allowed: usize = allowed.trim().parse().unwrap();
    let connects = (0..allowed.min(500)).map(|_| TcpStream::connect(port.address));
    let connected = futures::future::try_join_all(connects).await.unwrap();
    drop(connected);
    drop(server);
}
