//! The data port against a real database, over real connections.

mod bad_requests;
mod contract;
mod draining;
mod outage;
mod overload;
pub(crate) mod site;
mod sticky;
mod tracking;

use serde_json::json;
use site::Site;

/// Two arms, everybody takes part.
pub(crate) const CHECKOUT: &str = r#"
[[experiment]]
key = "checkout"
state = "running"
reward = "purchase"
control = "green"

[[experiment.arm]]
name = "green"
config = { colour = "green" }

[[experiment.arm]]
name = "blue"
config = { colour = "blue", size = 2 }
"#;

#[tokio::test]
async fn an_assign_says_everything_and_says_it_again() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let first = client
        .post("/api/experiments/checkout/assign", &json!({"unit": "u1"}))
        .await;
    assert_eq!(first.status, 200, "{}", first.text);
    let arm = first.json["arm"].as_str().unwrap();
    assert!(["green", "blue"].contains(&arm));
    assert_eq!(first.json["config"]["colour"], arm);
    assert_eq!(first.json["experiment"], "checkout");
    assert_eq!(first.json["reason"], "split");
    assert_eq!(first.json["lane"], "main");
    assert_eq!(first.json["version"], 1);
    assert_eq!(first.json["propensity"], 0.5);
    assert_eq!(first.json["new"], true);
    let assignment = first.json["assignment"].as_str().unwrap();
    assert!(!assignment.contains("u1"), "the raw id is not told");

    let again = client
        .post(
            "/api/experiments/checkout/assign",
            &json!({"user_id": "u1"}),
        )
        .await;
    let mut expected = first.json.clone();
    expected["reason"] = "sticky".into();
    expected["new"] = false.into();
    assert_eq!(again.json, expected);
    assert_eq!(site.count("experiment_assignments").await, 1);
    let counted: i64 = site
        .number("select sum(assigned) from experiment_assigned_counts")
        .await;
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn the_read_only_routes_answer_what_the_contract_says() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let list = client.get("/api/experiments?status=running").await;
    assert_eq!(list.json["experiments"][0]["key"], "checkout");
    let none = client.get("/api/experiments?status=archived").await;
    assert_eq!(none.json["experiments"], json!([]));
    assert_eq!(client.get("/api/experiments?status=odd").await.status, 400);
    for path in ["", "/results", "/insights"] {
        let known = client
            .get(&format!("/api/experiments/checkout{path}"))
            .await;
        assert_eq!(known.status, 200, "{path}: {}", known.text);
        let unknown = client.get(&format!("/api/experiments/nope{path}")).await;
        assert_eq!(unknown.status, 404, "{path}");
        assert_eq!(unknown.json["error"]["code"], "unknown_experiment");
    }
    let contract = client.get("/openapi.json").await;
    assert_eq!(contract.json["openapi"], "3.1.0");
}
