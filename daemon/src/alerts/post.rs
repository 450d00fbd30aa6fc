//! One HTTP request to somebody else's server, which is not trusted: no redirects, little is read of what it says, and
//! what is said of a failure does not repeat the URL.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};

use super::guard::Guarded;
use crate::config::Secret;
use crate::store::alerts::deliveries::Attempt;

/// 20 s: within the 15 to 30 s of Standard Webhooks; who needs longer should answer first and work then.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of an answer that are kept of a failure, for people.
const TOLD: usize = 300;

/// Where requests go.
#[derive(Debug)]
pub(super) struct Post {
    url: Secret<Url>,
    /// Or why there is none: a system without root certificates, say.
    client: Result<Client, String>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// As much of it as was asked for.
    pub(super) body: Vec<u8>,
}

impl Post {
    pub(super) fn new(url: &Secret<Url>, allow_private: bool, patience: Duration) -> Self {
        let mut client = Client::builder()
            .user_agent(concat!("pitboss/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            // A proxy would resolve the name again, and elsewhere.
            .no_proxy()
            .timeout(patience);
        if !allow_private {
            client = client.https_only(true).dns_resolver(Guarded::shared());
        }
        if url.expose().scheme() == "http" {
            // Nobody is asked for a certificate, so a system that knows no authorities is as good.
            client = client.tls_certs_only([]);
        }
        Self {
            url: url.clone(),
            client: client.build().map_err(|error| told(&error)),
        }
    }

    /// Posts `body`, and says what that means for a delivery.
    pub(super) async fn deliver(
        &self,
        headers: HeaderMap,
        body: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Attempt {
        let sent = self.send(Method::POST, "", headers, body, TOLD, now).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => {
                return Attempt::Failed {
                    error,
                    retry_after: None,
                };
            }
        };
        if answer.status.is_success() {
            return Attempt::Delivered;
        }
        let error = answer.refusal_without(self.url.expose());
        if answer.status == StatusCode::GONE {
            return Attempt::Gone { error };
        }
        Attempt::Failed {
            error,
            retry_after: answer.retry_after,
        }
    }

    /// Sends JSON to `path` below the URL, and reads at most `read` bytes of the answer.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Vec<u8>,
        read: usize,
        now: DateTime<Utc>,
    ) -> Result<Answer, String> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let mut url = self.url.expose().clone();
        if !path.is_empty() {
            let base = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("{base}{path}"));
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = client.request(method, url).headers(headers).body(body);
        let mut response = request.send().await.map_err(|error| told(&error))?;
        let status = response.status();
        let retry_after = retry_after(response.headers(), now);
        Ok(Answer {
            status,
            retry_after,
            body: beginning(&mut response, read).await,
        })
    }
}

impl Answer {
    /// What it said, for people.
    pub(super) fn refusal(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(TOLD)]);
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        match line.trim() {
            "" => format!("the receiver answered {}", self.status),
            line => format!("the receiver answered {}: {line}", self.status),
        }
    }
}

impl Answer {
    /// The same without what it said, if that repeats a part of the URL: who has that can write there.
    fn refusal_without(&self, url: &Url) -> String {
        let said = String::from_utf8_lossy(&self.body);
        if is_in(url, &said) {
            return format!(
                "the receiver answered {}, and repeated the address",
                self.status
            );
        }
        self.refusal()
    }
}

/// So much of a secret is one: an answer may be cut off in its middle.
const TELLING: usize = 6;

/// Whether a text has the beginning of any part of a URL that may be secret.
fn is_in(url: &Url, text: &str) -> bool {
    let path = url.path_segments().into_iter().flatten().map(str::to_owned);
    let query = url.query_pairs().map(|(_, value)| value.into_owned());
    let login = [
        url.username().to_owned(),
        url.password().unwrap_or("").to_owned(),
    ];
    path.chain(query).chain(login).any(|part| {
        let beginning: String = part.chars().take(TELLING).collect();
        beginning.chars().count() == TELLING && text.contains(&beginning)
    })
}

/// An error that breaks off the answer is not worth losing its status for.
async fn beginning(response: &mut Response, bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < bytes
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(bytes);
    body
}

/// In seconds, or until when.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    (until.to_utc() - now).to_std().ok()
}

/// The error with its causes, without the URL, which may be what lets one in.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut text = if error.is_connect() {
        "no connection".to_owned()
    } else if error.is_builder() {
        "cannot be asked".to_owned()
    } else {
        "the connection broke".to_owned()
    };
    // Of the chain only the causes: the first one names the URL.
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn an_answer_that_repeats_the_address_is_not_told() {
        let url =
            Url::parse("https://hooks.example.com/services/T0B0/s3cr3tKey?sig=abcdefgh").unwrap();
        let of = |body: &str| {
            let answer = Answer {
                status: StatusCode::NOT_FOUND,
                retry_after: None,
                body: body.as_bytes().to_vec(),
            };
            answer.refusal_without(&url)
        };
        assert_eq!(
            of("no such team"),
            "the receiver answered 404 Not Found: no such team"
        );
        for echo in [
            "Cannot POST /services/T0B0/s3cr3tKey",
            "no s3cr3t",
            "?sig=abcdef..",
        ] {
            let told = of(echo);
            assert_eq!(
                told,
                "the receiver answered 404 Not Found, and repeated the address"
            );
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(9_075);
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_mins(2)));
        assert_eq!(
            read("Sun, 06 Nov 1994 00:02:00 GMT"),
            Some(Duration::from_mins(2))
        );
        assert_eq!(read("Sat, 05 Nov 1994 00:02:00 GMT"), None, "it is over");
        assert_eq!(read("soon"), None);
    }
}
