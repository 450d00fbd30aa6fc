//! Exposures and events: each acknowledged one is in the database, with the id that makes it one.

use hyper::Request;
use serde_json::json;

use super::CHECKOUT;
use super::site::Site;

const ASSIGN: &str = "/api/experiments/checkout/assign";
const EXPOSE: &str = "/api/experiments/checkout/expose";
const TRACK: &str = "/api/experiments/checkout/track";

#[tokio::test]
async fn a_unit_is_exposed_once_when_it_meets_its_arm() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let open = "select count(*) from experiment_assignments where open";
    let exposures = "select count(*) from experiment_landing where kind = 1";

    client.post(ASSIGN, &json!({"unit": "at once"})).await;
    assert_eq!(site.number(open).await, 1);
    let held_back = json!({"unit": "later", "expose": false});
    client.post(ASSIGN, &held_back).await;
    client.post(ASSIGN, &held_back).await;
    assert_eq!(site.number(open).await, 1);
    assert_eq!(site.number(exposures).await, 0);

    for _ in 0..3 {
        let answer = client.post(EXPOSE, &json!({"unit": "later"})).await;
        assert_eq!(answer.json["exposed"], true, "{}", answer.text);
        client.post(EXPOSE, &json!({"unit": "at once"})).await;
    }
    assert_eq!(site.number(exposures).await, 1);

    client
        .post(ASSIGN, &json!({"unit": "third", "expose": false}))
        .await;
    client.post(ASSIGN, &json!({"unit": "third"})).await;
    client.post(ASSIGN, &json!({"unit": "third"})).await;
    assert_eq!(site.number(exposures).await, 2);

    let stranger = client.post(EXPOSE, &json!({"unit": "never seen"})).await;
    assert_eq!(
        (stranger.status, &stranger.json["exposed"]),
        (200, &json!(false))
    );
}

#[tokio::test]
async fn the_same_id_is_the_same_event_and_other_ids_are_others() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let paid = json!({"unit": "u", "event": "purchase", "value": 12.5, "id": "order-1"});
    let first = client.post(TRACK, &paid).await;
    let again = client.post(TRACK, &paid).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(first.json["durability"], "db");
    assert_eq!(first.json, again.json);
    let mut other = paid.clone();
    other["value"] = json!(99);
    client.post(TRACK, &other).await;
    client
        .post(TRACK, &json!({"unit": "u", "event": "purchase"}))
        .await;
    client
        .post(TRACK, &json!({"unit": "u", "event": "purchase"}))
        .await;

    assert_eq!(site.count("experiment_landing").await, 5);
    let ids = "select count(distinct event_id) from experiment_landing";
    assert_eq!(site.number(ids).await, 3);
    let bodies = "select count(distinct digest) from experiment_landing where value is not null";
    assert_eq!(site.number(bodies).await, 2);
}

#[tokio::test]
async fn a_batch_is_answered_item_by_item() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let good = json!({"experiment": "checkout", "unit": "u", "event": "purchase"});
    let items = json!([
        good,
        {"experiment": "nope", "unit": "u", "event": "purchase"},
        {"experiment": "checkout", "event": "purchase"},
        {"experiment": "checkout", "unit": "u", "event": "purchase", "value": "much"},
        good,
    ]);
    let answer = client.post("/api/track", &json!({"items": items})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        (&answer.json["accepted"], &answer.json["rejected"]),
        (&json!(2), &json!(3))
    );
    let results = answer.json["results"].as_array().unwrap();
    let codes: Vec<&str> = results
        .iter()
        .map(|result| result["error"]["code"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(
        codes,
        ["-", "unknown_experiment", "missing_unit", "invalid", "-"]
    );
    assert_eq!(results[0]["durability"], "db");
    assert_eq!(results[3]["error"]["field"], "value");
    assert_eq!(site.count("experiment_landing").await, 2);

    let array = client.post("/api/track", &json!([good])).await;
    assert_eq!(array.json["accepted"], 1);
    let lines = Request::post("/api/track").header("content-type", "application/x-ndjson");
    let lines = client
        .send(lines, format!("{good}\n{good}\nnot json\n").into())
        .await;
    assert_eq!(
        (&lines.json["accepted"], &lines.json["rejected"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(site.count("experiment_landing").await, 5);
}
