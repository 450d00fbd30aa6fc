//! What callers send by mistake or on purpose: told by code, never a 5xx, and never the end of the port.

use bytes::Bytes;
use hyper::{Method, Request};
use serde_json::json;

use super::CHECKOUT;
use super::site::Site;

const ASSIGN: &str = "/api/experiments/checkout/assign";
const TRACK: &str = "/api/experiments/checkout/track";

#[tokio::test]
async fn bad_bodies_are_the_callers_to_correct() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let deep = "[".repeat(10_000);
    let deep_attribute = format!(
        "{{\"unit\":\"u\",\"attributes\":{{\"a\":{}1{}}}}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    let bodies: Vec<Bytes> = vec![
        Bytes::new(),
        Bytes::from_static(b"\xff\xfe\x00"),
        Bytes::from_static(b"{\"unit\":\"\xff\"}"),
        Bytes::from_static(b"{\"unit\":\"\\ud800\"}"),
        Bytes::from_static(b"{\"unit\":NaN}"),
        Bytes::from_static(b"{\"unit\":1e400}"),
        Bytes::from_static(b"{\"unit\":{}}"),
        Bytes::from_static(b"{\"unit\":\"u\",\"unit\":\"v\"}"),
        Bytes::from_static(b"{\"unit\":\"u\"}{}"),
        Bytes::from_static(b"{\"unit\":\"u\",\"event\":3}"),
        Bytes::from_static(b"{\"unit\":\"u\",\"event\":\"\\u0000\"}"),
        Bytes::from_static(b"null"),
        Bytes::from(deep),
        Bytes::from(deep_attribute),
    ];
    for path in [
        ASSIGN,
        TRACK,
        "/api/experiments/checkout/expose",
        "/api/track",
    ] {
        for body in &bodies {
            let answer = client.post_bytes(path, body.clone()).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            assert_eq!(answer.status, 400, "{path} {shown}: {}", answer.text);
            let code = &answer.json["error"]["code"];
            assert!(
                code == "invalid" || code == "missing_unit",
                "{}",
                answer.text
            );
            assert!(answer.json["error"]["message"].is_string());
        }
    }
    assert_eq!(site.count("experiment_landing").await, 0);
    assert_eq!(site.count("experiment_assignments").await, 0);
    let still_there = client.post(ASSIGN, &json!({"unit": "u"})).await;
    assert_eq!(still_there.status, 200);
}

#[tokio::test]
async fn other_mistakes_have_codes_of_their_own() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let unit = json!({"unit": "u", "event": "e"});
    for path in ["assign", "expose", "track"] {
        let answer = client
            .post(&format!("/api/experiments/nope/{path}"), &unit)
            .await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json["error"]["code"], "unknown_experiment");
    }
    let nowhere = client.get("/nowhere").await;
    assert_eq!(
        (nowhere.status, &nowhere.json["error"]["code"]),
        (404, &json!("unknown_route"))
    );
    let wrong = client.with_method(Method::PUT, ASSIGN).await;
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.headers["allow"], "POST");
    let packed = Request::post(ASSIGN).header("content-encoding", "gzip");
    assert_eq!(
        client.send(packed, Bytes::from_static(b"x")).await.status,
        415
    );
    // A body that is refused unread may cost the connection, so each has its own.
    let huge = json!({"unit": "x".repeat(70_000)});
    let large = site.client().await.post(ASSIGN, &huge).await;
    assert_eq!(
        (large.status, &large.json["error"]["code"]),
        (413, &json!("too_large"))
    );
    let many = vec![json!({"experiment": "checkout", "unit": "u", "event": "e"}); 1_001];
    let many = site.client().await.post("/api/track", &json!(many)).await;
    assert_eq!(
        (many.status, &many.json["error"]["code"]),
        (413, &json!("too_large"))
    );
    let chunks = format!(
        "POST {ASSIGN} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{}",
        format!("4000\r\n{}\r\n", "x".repeat(0x4000)).repeat(5)
    );
    let chunked = site.port.raw(chunks.as_bytes()).await;
    assert!(chunked.starts_with("HTTP/1.1 413"), "{chunked:.60}");
}

#[tokio::test]
async fn garbage_and_slow_heads_lose_their_own_connection_only() {
    let site = Site::with(CHECKOUT).await;
    let mut patient = site.client().await;
    assert_eq!(
        patient.post(ASSIGN, &json!({"unit": "u"})).await.status,
        200
    );
    let garbage = site.port.raw(b"\x16\x03\x01 hello\r\n\r\n").await;
    assert!(garbage.starts_with("HTTP/1.1 400"), "{garbage}");
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(64 * 1024));
    let long = site.port.raw(long.as_bytes()).await;
    assert!(long.starts_with("HTTP/1.1 431"), "{long}");
    // Never finished: closed by the port, not by us.
    let slow = site
        .port
        .raw(b"POST /api/track HTTP/1.1\r\nhost: a\r\n")
        .await;
    assert!(
        slow.is_empty() || slow.starts_with("HTTP/1.1 408"),
        "{slow}"
    );
    // Idle for longer than that head was allowed to take, and still there.
    assert_eq!(
        patient.post(ASSIGN, &json!({"unit": "u"})).await.status,
        200
    );
}

#[tokio::test]
async fn an_answer_is_sent_though_half_of_the_next_request_is_there() {
    let site = Site::with(CHECKOUT).await;
    let body = r#"{"unit":"u"}"#;
    let length = body.len();
    let both = format!(
        "POST {ASSIGN} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}POST /api"
    );
    let answered = site.port.first_answer(both.as_bytes()).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
}
