//! What is answered is what `openapi.json` says, of every answer of every test, and how to come back is said everywhere.

use hyper::{HeaderMap, Method};
use serde_json::{Value, json};

use super::CHECKOUT;
use super::site::Site;
use crate::calls::Kind;
use crate::http::OPENAPI;

fn contract() -> Value {
    serde_json::from_str(OPENAPI).expect("the contract is JSON")
}

/// Holds an answer to the contract, if that has the route: its status must be listed, with every header that is listed
/// there.
pub(crate) fn hold(method: &Method, path: &str, status: u16, headers: &HeaderMap) {
    let contract = contract();
    let paths = contract["paths"].as_object().expect("it has paths");
    let path = path.split('?').next().unwrap_or_default();
    let Some((_, methods)) = paths.iter().find(|(template, _)| fits(template, path)) else {
        return;
    };
    let operation = &methods[method.as_str().to_lowercase()];
    if operation.is_null() {
        return;
    }
    let listed = &operation["responses"][status.to_string()];
    assert!(
        !listed.is_null(),
        "{method} {path} answers {status}, which the contract does not list"
    );
    for header in listed["headers"]
        .as_object()
        .into_iter()
        .flat_map(|it| it.keys())
    {
        let given = headers.contains_key(header.to_lowercase());
        assert!(given, "{method} {path} answers {status} without {header}");
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (wanted, given) = (template.split('/'), path.split('/'));
    wanted.clone().count() == given.clone().count()
        && wanted
            .zip(given)
            .all(|(wanted, given)| wanted == given || (wanted == "{id}" && !given.is_empty()))
}

#[tokio::test]
async fn every_path_that_is_too_busy_says_when_to_come_back() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let mut places = Vec::new();
    for kind in [Kind::Unit, Kind::Track, Kind::Read] {
        while let Ok(place) = site.port.calls.admit(kind) {
            places.push(place);
        }
    }
    let mut asked = 0;
    for (template, methods) in contract()["paths"].as_object().unwrap() {
        let path = template.replace("{id}", "checkout");
        for (method, operation) in methods.as_object().unwrap() {
            let answer = match method.as_str() {
                "get" => client.get(&path).await,
                _ => client.post(&path, &json!({"unit": "u"})).await,
            };
            assert_eq!(answer.status, 503, "{method} {path}: {}", answer.text);
            let seconds = answer.headers["retry-after"].to_str().unwrap();
            assert!(seconds.parse::<u32>().is_ok(), "{seconds}");
            let listed = &operation["responses"]["503"]["headers"]["Retry-After"];
            assert!(listed.is_object(), "{method} {path} does not list it");
            asked += 1;
        }
    }
    assert!(asked >= 9, "{asked}");
}
