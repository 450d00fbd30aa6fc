//! A channel that can be sent to: the words of its kind, and the way there.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::lifecycle::Severity;
use super::mail::Mail;
use super::message::Word;
use super::post::Post;
use super::webhook::Webhook;
use super::{slack, teams};
use crate::config::{Channel, Target};
use crate::store::alerts::deliveries::{Attempt, Claimed};

/// A channel that takes notices one by one.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) name: String,
    pub(super) least: Severity,
    environment: String,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Webhook(Webhook),
    /// One URL, and the message as its owner wants it.
    Chat(Post, fn(&Word, &str) -> Value),
    Mail(Box<Mail>),
}

impl Sender {
    /// The way to `channel`; `None` for an Alertmanager, which is told how things stand instead.
    pub(super) fn new(channel: &Channel, environment: &str, patience: Duration) -> Option<Self> {
        let private = channel.allow_private;
        let way = match &channel.target {
            Target::Webhook { url, secrets } => {
                Way::Webhook(Webhook::new(url, secrets, private, patience))
            }
            Target::Slack { url } => Way::Chat(Post::new(url, private, patience), slack::body),
            Target::Teams { url } => Way::Chat(Post::new(url, private, patience), teams::body),
            Target::Smtp(smtp) => Way::Mail(Box::new(Mail::new(smtp, patience))),
            Target::Alertmanager { .. } => return None,
        };
        Some(Self {
            name: channel.name.clone(),
            least: channel.least,
            environment: environment.to_owned(),
            way,
        })
    }

    /// Makes one attempt.
    pub(super) async fn send(&self, claimed: &Claimed, now: DateTime<Utc>) -> Attempt {
        let environment = &self.environment;
        match &self.way {
            Way::Webhook(webhook) => webhook.send(claimed, environment, now).await,
            Way::Mail(mail) => mail.send(claimed, environment).await,
            Way::Chat(post, body) => {
                let body = body(&claimed.word, environment).to_string();
                post.deliver(HeaderMap::new(), body.into_bytes(), now).await
            }
        }
    }
}
