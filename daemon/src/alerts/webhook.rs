//! A signed webhook, as Standard Webhooks 1.0.0 has it: `webhook-id` is the delivery's and the same over all attempts,
//! `webhook-timestamp` the attempt's, `webhook-signature` one for each secret there is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook as Signer,
};

use super::message::{Told, Word};
use super::post::Post;
use crate::config::Secret;
use crate::store::alerts::deliveries::{Attempt, Claimed};

/// A receiver that checks signatures.
#[derive(Debug)]
pub(super) struct Webhook {
    post: Post,
    secrets: Secret<Vec<String>>,
}

#[derive(Serialize)]
struct Payload<'a> {
    r#type: String,
    timestamp: DateTime<Utc>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    environment: &'a str,
    count: u32,
    alerts: &'a [Told],
}

impl Webhook {
    pub(super) fn new(
        url: &Secret<Url>,
        secrets: &Secret<Vec<String>>,
        allow_private: bool,
        patience: Duration,
    ) -> Self {
        Self {
            post: Post::new(url, allow_private, patience),
            secrets: secrets.clone(),
        }
    }

    pub(super) async fn send(
        &self,
        claimed: &Claimed,
        environment: &str,
        now: DateTime<Utc>,
    ) -> Attempt {
        let body = payload(&claimed.word, environment);
        let id = claimed.id.to_string();
        let headers = match signed(self.secrets.expose(), &id, now.timestamp(), &body) {
            Ok(headers) => headers,
            Err(error) => {
                return Attempt::Failed {
                    error,
                    retry_after: None,
                };
            }
        };
        self.post.deliver(headers, body, now).await
    }
}

/// The same bytes at every attempt.
fn payload(word: &Word, environment: &str) -> Vec<u8> {
    let payload = Payload {
        r#type: format!("alert.{}", word.notice.as_str()),
        timestamp: word.at,
        data: Data {
            environment,
            count: word.count,
            alerts: &word.alerts,
        },
    };
    serde_json::to_vec(&payload).expect("plain data with text keys")
}

fn signed(secrets: &[String], id: &str, at: i64, body: &[u8]) -> Result<HeaderMap, String> {
    let signatures: Result<Vec<String>, _> = secrets
        .iter()
        .map(|secret| Signer::new(secret)?.sign(id, at, body))
        .collect();
    let signatures = signatures.map_err(|error| format!("cannot be signed: {error}"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (HEADER_WEBHOOK_ID, id.to_owned()),
        (HEADER_WEBHOOK_TIMESTAMP, at.to_string()),
        (HEADER_WEBHOOK_SIGNATURE, signatures.join(" ")),
    ] {
        let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}
