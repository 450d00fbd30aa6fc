//! The database goes away under the data port.

use serde_json::json;

use super::CHECKOUT;
use super::site::Site;

#[tokio::test]
async fn without_a_database_known_units_keep_their_arm_and_nothing_is_promised() {
    const ASSIGN: &str = "/api/experiments/checkout/assign";
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let known = client.post(ASSIGN, &json!({"unit": "known"})).await;
    let Site { database, port } = site;
    drop(database);

    let kept = client.post(ASSIGN, &json!({"unit": "known"})).await;
    assert_eq!(kept.json["arm"], known.json["arm"]);
    assert_eq!(kept.json["reason"], "sticky");

    let stranger = client.post(ASSIGN, &json!({"unit": "stranger"})).await;
    assert_eq!(stranger.status, 200, "{}", stranger.text);
    assert_eq!(stranger.json["arm"], "green");
    assert_eq!(stranger.json["reason"], "outage");
    assert_eq!(stranger.json["new"], false);

    let event = json!({"unit": "known", "event": "purchase"});
    let lost = client.post("/api/experiments/checkout/track", &event).await;
    assert_eq!(lost.status, 503, "{}", lost.text);
    assert_eq!(lost.json["error"]["code"], "unavailable");
    assert_eq!(lost.headers["retry-after"], "1");
    drop(port);
}
