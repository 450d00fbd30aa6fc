//! What is asked over tarpc is answered as over HTTP, word for word.

use protocol::client::CallError;
use protocol::serve::{Assigned, AttributeValue, Event, Problem, Tracked};
use serde_json::{Value, json};

use super::*;
use crate::http::tests::site::Answer;

const TARGETED: &str = r#"
[[experiment]]
key = "pricing"
state = "running"
reward = "purchase"
arms = ["low", "high"]
control = "low"
targeting = { country = "SN" }
"#;

/// The HTTP answer that says the same.
fn as_http(assigned: &Assigned) -> Value {
    let config: Value = serde_json::from_str(&assigned.config).unwrap();
    json!({
        "experiment": assigned.experiment,
        "arm": assigned.arm,
        "config": config,
        "reason": assigned.reason,
        "lane": assigned.lane,
        "version": assigned.version,
        "propensity": assigned.propensity,
        "assignment": assigned.assignment,
        "new": assigned.new,
    })
}

fn problem_as_http(problem: &Problem) -> Value {
    let mut error = json!({"code": problem.code, "message": problem.message});
    if let Some(field) = &problem.field {
        error["field"] = json!(field);
    }
    error
}

#[track_caller]
fn assert_same_refusal<T>(over_rpc: Result<T, CallError>, over_http: &Answer) {
    let Err(CallError::Refused(problem)) = over_rpc else {
        panic!("over HTTP it is refused: {}", over_http.text);
    };
    assert_eq!(over_http.json["error"], problem_as_http(&problem));
    let retry_after = over_http.headers.get("retry-after");
    let retry_after = retry_after.map(|secs| secs.to_str().unwrap().parse().unwrap());
    assert_eq!(retry_after, problem.retry_after_secs, "{problem}");
}

#[tokio::test]
async fn assigns_are_answered_alike() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    doors.site.apply(&format!("{CHECKOUT}{TARGETED}")).await;
    let (mut http, rpc) = (doors.site.client().await, doors.client().await);

    let first = as_http(&rpc.assign("checkout", "u1").await.unwrap());
    assert_eq!(first["reason"], "split");
    assert_eq!(first["new"], true);
    let body = json!({"unit": "u1"});
    let over_http = http.post("/api/experiments/checkout/assign", &body).await;
    let again = as_http(&rpc.assign("checkout", "u1").await.unwrap());
    assert_eq!(over_http.json, again);
    assert_eq!(again["reason"], "sticky");
    assert_eq!(again["assignment"], first["assignment"]);

    let elsewhere = rpc.assign("pricing", "u2").attribute("country", "FR").await;
    let body = json!({"unit": "u2", "attributes": {"country": "FR"}});
    let over_http = http.post("/api/experiments/pricing/assign", &body).await;
    assert_eq!(over_http.json, as_http(&elsewhere.unwrap()));
    assert_eq!(over_http.json["reason"], "not_eligible");

    let here = rpc.assign("pricing", "u2").attribute("country", "SN").await;
    assert_eq!(here.unwrap().reason, "split");

    doors
        .site
        .apply(&CHECKOUT.replace("running", "stopped"))
        .await;
    let body = json!({"unit": "u1"});
    let over_http = http.post("/api/experiments/checkout/assign", &body).await;
    let stopped = as_http(&rpc.assign("checkout", "u1").await.unwrap());
    assert_eq!(over_http.json, stopped);
    assert_eq!(stopped["reason"], "not_running");
}

/// An assign over HTTP and over tarpc, which must be refused alike.
async fn refused_alike(
    doors: &Doors,
    experiment: &str,
    unit: &str,
    attributes: &[(&str, AttributeValue, Value)],
) {
    let rpc = doors.client().await;
    let mut call = rpc.assign(experiment, unit);
    let mut json = serde_json::Map::new();
    for (name, over_rpc, over_http) in attributes {
        call = call.attribute(*name, over_rpc.clone());
        json.insert((*name).to_owned(), over_http.clone());
    }
    let body = json!({"unit": unit, "attributes": json});
    let path = format!("/api/experiments/{experiment}/assign");
    let over_http = doors.site.client().await.post(&path, &body).await;
    assert_same_refusal(call.await, &over_http);
}

#[tokio::test]
async fn refusals_of_assigns_have_the_same_words() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let long = "x".repeat(1_025);
    let names: Vec<String> = (0..65).map(|n| format!("a{n}")).collect();
    let many: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), AttributeValue::from(1), json!(1)))
        .collect();
    refused_alike(&doors, "nope", "u", &[]).await;
    refused_alike(&doors, "nope", "", &[]).await;
    refused_alike(&doors, "checkout", "", &[]).await;
    refused_alike(&doors, "checkout", &"u".repeat(513), &[]).await;
    refused_alike(&doors, "checkout", "u", &many).await;
    let text = AttributeValue::from(long.as_str());
    refused_alike(&doors, "checkout", "u", &[("a", text, json!(long))]).await;
    refused_alike(&doors, "checkout", "u", &[(&long, 1.into(), json!(1))]).await;
    let list = vec![1; 65];
    let values = AttributeValue::from(list.clone());
    refused_alike(&doors, "checkout", "u", &[("a", values, json!(list))]).await;
    assert_eq!(doors.site.count("experiment_assignments").await, 0);
}

#[tokio::test]
async fn exposures_are_answered_alike() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let (mut http, rpc) = (doors.site.client().await, doors.client().await);
    let path = "/api/experiments/checkout/expose";
    let body = json!({"unit": "u1"});
    assert!(!rpc.expose("checkout", "u1").await.unwrap());
    assert_eq!(http.post(path, &body).await.json["exposed"], false);
    rpc.assign("checkout", "u1").hold_exposure().await.unwrap();
    assert_eq!(doors.site.count("experiment_landing").await, 0);
    assert!(rpc.expose("checkout", "u1").await.unwrap());
    assert_eq!(http.post(path, &body).await.json["exposed"], true);
    // The second one knew that it was exposed already.
    assert_eq!(doors.site.count("experiment_landing").await, 1);

    for (experiment, unit) in [("nope", "u1"), ("checkout", "")] {
        let path = format!("/api/experiments/{experiment}/expose");
        let over_http = http.post(&path, &json!({"unit": unit})).await;
        assert_same_refusal(rpc.expose(experiment, unit).await, &over_http);
    }
}

fn tracked_as_http(tracked: &Tracked) -> Value {
    json!({
        "experiment": tracked.experiment,
        "event_id": tracked.event_id,
        "durability": tracked.durability,
    })
}

#[tokio::test]
async fn events_are_answered_alike() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let (mut http, rpc) = (doors.site.client().await, doors.client().await);
    let path = "/api/experiments/checkout/track";
    let at = chrono::DateTime::from_timestamp(1_769_860_800, 0).unwrap();
    let event = Event::new("checkout", "u1", "purchase")
        .with_value(49.9)
        .with_id("order-1")
        .happened_at(at);
    let body = json!({
        "unit": "u1", "event": "purchase", "value": 49.9, "id": "order-1",
        "at": "2026-01-31T12:00:00Z",
    });
    let mut over_http = http.post(path, &body).await.json;
    over_http.as_object_mut().unwrap().remove("event");
    assert_eq!(over_http, tracked_as_http(&rpc.track(event).await.unwrap()));
    // The same event, in everything by which the ledger tells two apart.
    let same = "select count(distinct (event_id, digest, value)) from experiment_landing";
    assert_eq!(doors.site.count("experiment_landing").await, 2);
    assert_eq!(doors.site.number(same).await, 1);

    let long = "x".repeat(129);
    let bad = [
        (
            "nope",
            Event::new("", "u", "purchase"),
            json!({"unit": "u", "event": "purchase"}),
        ),
        (
            "checkout",
            Event::new("", "", "purchase"),
            json!({"unit": "", "event": "purchase"}),
        ),
        (
            "checkout",
            Event::new("", "u", ""),
            json!({"unit": "u", "event": ""}),
        ),
        (
            "checkout",
            Event::new("", "u", "a\u{0}"),
            json!({"unit": "u", "event": "a\u{0}"}),
        ),
        (
            "checkout",
            Event::new("", "u", "$reward"),
            json!({"unit": "u", "event": "$reward"}),
        ),
        (
            "checkout",
            Event::new("", "u", long.as_str()),
            json!({"unit": "u", "event": long}),
        ),
        (
            "checkout",
            Event::new("", "u", "c").with_id(long.as_str()),
            json!({"unit": "u", "event": "c", "id": long}),
        ),
        (
            "checkout",
            Event::new("", "u", "c").with_id(""),
            json!({"unit": "u", "event": "c", "id": ""}),
        ),
    ];
    for (experiment, mut event, body) in bad {
        event.experiment = experiment.to_owned();
        let path = format!("/api/experiments/{experiment}/track");
        let over_http = http.post(&path, &body).await;
        assert_same_refusal(rpc.track(event).await, &over_http);
    }
    let not_a_number = Event::new("checkout", "u", "c").with_value(f64::NAN);
    let Err(CallError::Refused(problem)) = rpc.track(not_a_number).await else {
        panic!("no JSON text says NaN, and nothing else may");
    };
    assert_eq!(
        (problem.code.as_str(), problem.field.as_deref()),
        ("invalid", Some("value"))
    );
    assert_eq!(doors.site.count("experiment_landing").await, 2);
}

#[tokio::test]
async fn batches_are_answered_alike() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let (mut http, rpc) = (doors.site.client().await, doors.client().await);
    let items = [
        ("checkout", "u", "c", "1"),
        ("nope", "u", "c", "2"),
        ("", "u", "c", "3"),
        ("checkout", "", "c", "4"),
        ("checkout", "u", "$c", "5"),
        ("checkout", "u", "c", "6"),
    ];
    let body: Vec<Value> = items
        .iter()
        .map(|(experiment, unit, event, id)| {
            let mut item = json!({"unit": unit, "event": event, "id": id});
            if !experiment.is_empty() {
                item["experiment"] = json!(experiment);
            }
            item
        })
        .collect();
    let events: Vec<Event> = items
        .iter()
        .map(|&(experiment, unit, event, id)| Event::new(experiment, unit, event).with_id(id))
        .collect();
    let over_http = http.post("/api/track", &json!(body)).await.json;
    let over_rpc = rpc.track_batch(&events).await.unwrap();
    let results: Vec<Value> = over_rpc
        .iter()
        .map(|result| match result {
            Ok(tracked) => {
                let mut accepted = tracked_as_http(tracked);
                accepted["status"] = json!("accepted");
                accepted
            }
            Err(problem) => json!({"status": "rejected", "error": problem_as_http(problem)}),
        })
        .collect();
    assert_eq!(over_http["results"], json!(results));
    assert_eq!(over_http["accepted"], 2);
    assert_eq!(doors.site.count("experiment_landing").await, 4);

    assert_eq!(rpc.track_batch(&[]).await.unwrap(), []);
    let too_many = vec![Event::new("checkout", "u", "c"); 1_001];
    let refused = rpc.track_batch(&too_many).await;
    assert!(
        matches!(refused, Err(CallError::TooLarge(_))),
        "{refused:?}"
    );
}
