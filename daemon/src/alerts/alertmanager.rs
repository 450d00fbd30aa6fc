//! Alertmanager, API v2: not told what happens but how things stand, again and again, as its clients are to do. Every
//! member of a cluster is told. Every daemon would say the same, to the letter of each label: figures are annotations.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::lifecycle::{Severity, State};
use super::post::{Answer, Post};
use crate::config::{Channel, Target};
use crate::store::alerts::Alert;

/// 60 s: how often clients are to repeat themselves.
const REPEAT: TimeDelta = TimeDelta::seconds(60);

/// 4 min: what is not repeated for so long is over, as from Prometheus: four repetitions.
const LASTS: TimeDelta = TimeDelta::minutes(4);

/// 5 min: for how long clients are to repeat that something is over.
pub(super) const OVER_FOR: TimeDelta = TimeDelta::minutes(5);

/// 15 min: an ack is a silence that is short, because nobody would lift it if we were gone; it is renewed.
const ACK_FOR: TimeDelta = TimeDelta::minutes(15);

/// 5 min: an ack that ends sooner is renewed.
const RENEW_ACK: TimeDelta = TimeDelta::minutes(5);

/// 4 MiB: thousands of silences.
const READ_SILENCES: usize = 4 * 1024 * 1024;

/// Bytes that are read of other answers.
const READ: usize = 300;

/// Who makes our silences.
const CREATED_BY: &str = "pitbossd";

/// A cluster.
#[derive(Debug)]
pub(super) struct Alertmanager {
    pub(super) name: String,
    least: Severity,
    environment: String,
    members: Vec<Post>,
    /// What was said last, and when. Locked while it is being said.
    said: Mutex<Option<(String, DateTime<Utc>)>>,
}

/// A silence as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Silence {
    id: String,
    created_by: String,
    comment: String,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    status: SilenceStatus,
}

#[derive(Debug, Deserialize)]
struct SilenceStatus {
    state: String,
}

impl Alertmanager {
    pub(super) fn new(channel: &Channel, environment: &str, patience: Duration) -> Option<Self> {
        let Target::Alertmanager { members } = &channel.target else {
            return None;
        };
        let member = |url| Post::new(url, channel.allow_private, patience);
        Some(Self {
            name: channel.name.clone(),
            least: channel.least,
            environment: environment.to_owned(),
            members: members.iter().map(member).collect(),
            said: Mutex::new(None),
        })
    }

    /// Says how `alerts` stand, if that is something else than before or was long ago. `None`: nothing had to be said,
    /// or it is being said.
    pub(super) async fn tell(
        &self,
        alerts: &[Alert],
        now: DateTime<Utc>,
    ) -> Option<Result<(), String>> {
        let mut said = self.said.try_lock().ok()?;
        let alerts: Vec<&Alert> = alerts
            .iter()
            .filter(|alert| alert.episode.severity >= self.least)
            .collect();
        let standing = standing(&alerts);
        if let Some((before, at)) = said.as_ref()
            && *before == standing
            && now - *at < REPEAT
        {
            return None;
        }
        if alerts.is_empty() {
            *said = Some((standing, now));
            return None;
        }
        let told = self.tell_all(&alerts, now).await;
        // What failed is said again at the next round, and not a minute later.
        *said = told.is_ok().then_some((standing, now));
        Some(told)
    }

    /// One member that listens is enough: it is told again soon, and so are the others.
    async fn tell_all(&self, alerts: &[&Alert], now: DateTime<Utc>) -> Result<(), String> {
        let body: Vec<Value> = alerts.iter().map(|alert| self.posted(alert, now)).collect();
        let body = Value::from(body).to_string().into_bytes();
        let posts = self.members.iter().map(|member| {
            let body = body.clone();
            async move {
                let answer = ask(member, Method::POST, "/api/v2/alerts", body, READ, now).await;
                answer.map(|_| ())
            }
        });
        let answers = futures::future::join_all(posts).await;
        one_of(answers)?;
        let mut silenced = Vec::new();
        for member in &self.members {
            // They tell each other of silences, not of alerts.
            let answer = self.silence(member, alerts, now).await;
            let done = answer.is_ok();
            silenced.push(answer);
            if done {
                break;
            }
        }
        one_of(silenced)
    }

    fn posted(&self, alert: &Alert, now: DateTime<Utc>) -> Value {
        let ends_at = match alert.resolved_at {
            Some(resolved_at) => resolved_at,
            None => now + LASTS,
        };
        let mut labels = json!({
            "alertname": alert_name(&alert.identity),
            "environment": self.environment,
            "identity": alert.identity,
            "severity": alert.episode.severity.as_str(),
            "source": alert.source,
        });
        for (name, value) in [("experiment", &alert.key), ("arm", &alert.arm)] {
            if let Some(value) = value {
                labels[name] = value.as_str().into();
            }
        }
        json!({
            "labels": labels,
            "annotations": {
                "summary": alert.summary,
                "figures": alert.detail.to_string(),
                "ack": format!("pitboss alerts ack {} --reason ...", alert.number),
            },
            "startsAt": alert.episode.opened_at,
            "endsAt": ends_at,
        })
    }

    /// Makes the silences of `member` what they should be for `alerts`. Those of others, and of alerts that are not
    /// among them, are left alone.
    async fn silence(
        &self,
        member: &Post,
        alerts: &[&Alert],
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        let path = "/api/v2/silences";
        let answer = ask(member, Method::GET, path, Vec::new(), READ_SILENCES, now).await?;
        let there: Vec<Silence> = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("the list of silences cannot be read: {error}"))?;
        for alert in alerts {
            let tag = tag(alert.id);
            let ours = there.iter().find(|silence| {
                silence.created_by == CREATED_BY
                    && silence.comment.ends_with(&tag)
                    && silence.status.state != "expired"
            });
            match (wanted(alert, now), ours) {
                (None, None) => {}
                (None, Some(ours)) => {
                    let path = format!("/api/v2/silence/{}", ours.id);
                    ask(member, Method::DELETE, &path, Vec::new(), READ, now).await?;
                }
                (Some((until, _)), Some(ours)) if is_as_wanted(alert, until, ours, now) => {}
                (Some((until, why)), ours) => {
                    let mut body = json!({
                        "matchers": [
                            matcher("identity", &alert.identity),
                            matcher("environment", &self.environment),
                        ],
                        // With another beginning it would be another silence, and the old one would stay for days.
                        "startsAt": ours.map_or(now, |ours| ours.starts_at),
                        "endsAt": until,
                        "createdBy": CREATED_BY,
                        "comment": format!("{why} {tag}"),
                    });
                    if let Some(ours) = ours {
                        body["id"] = ours.id.as_str().into();
                    }
                    let body = body.to_string().into_bytes();
                    ask(member, Method::POST, path, body, READ, now).await?;
                }
            }
        }
        Ok(())
    }
}

async fn ask(
    member: &Post,
    method: Method,
    path: &str,
    body: Vec<u8>,
    read: usize,
    now: DateTime<Utc>,
) -> Result<Answer, String> {
    let sent = member.send(method, path, HeaderMap::new(), body, read, now);
    let answer = sent.await?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(answer.refusal())
}

/// Done if one of them did it.
fn one_of(answers: Vec<Result<(), String>>) -> Result<(), String> {
    if answers.is_empty() || answers.iter().any(Result::is_ok) {
        return Ok(());
    }
    let errors: Vec<String> = answers.into_iter().filter_map(Result::err).collect();
    Err(errors.join("; "))
}

/// What makes it worth saying at once: which alerts there are and where each is in its life; not the figures.
fn standing(alerts: &[&Alert]) -> String {
    let each = alerts.iter().map(|alert| {
        let until = match alert.episode.state {
            State::Silenced { until } => until.timestamp(),
            _ => 0,
        };
        let state = alert.episode.state.as_str();
        let severity = alert.episode.severity.as_str();
        format!("{} {state} {until} {severity}\n", alert.id)
    });
    each.collect()
}

/// Until when it should be silent there, and why.
fn wanted(alert: &Alert, now: DateTime<Utc>) -> Option<(DateTime<Utc>, String)> {
    let said = |word: &str, why: &Option<String>, by: &Option<String>| {
        let why = why.as_deref().unwrap_or("no reason");
        let by = by.as_deref().unwrap_or("somebody");
        format!("{word}: {why} ({by})")
    };
    match alert.episode.state {
        State::Acked => {
            let why = said("ack", &alert.ack_reason, &alert.acked_by);
            Some((now + ACK_FOR, why))
        }
        State::Silenced { until } if until > now => {
            let why = said("silence", &alert.silence_reason, &alert.silenced_by);
            Some((until, why))
        }
        State::Silenced { .. } | State::Pending | State::Firing | State::Resolved => None,
    }
}

fn is_as_wanted(
    alert: &Alert,
    until: DateTime<Utc>,
    silence: &Silence,
    now: DateTime<Utc>,
) -> bool {
    if alert.episode.state == State::Acked {
        return silence.ends_at - now >= RENEW_ACK && silence.ends_at <= until;
    }
    (silence.ends_at - until).abs() < TimeDelta::seconds(1)
}

fn matcher(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value, "isRegex": false, "isEqual": true })
}

/// By which we know a silence again.
fn tag(alert: Uuid) -> String {
    format!("[pitboss alert {alert}]")
}

fn alert_name(identity: &str) -> &'static str {
    match identity.split('/').next() {
        Some("guardrail") => "PitbossGuardrail",
        Some("decision") => "PitbossDecision",
        Some("schedule") => "PitbossSchedule",
        _ => "PitbossPlatform",
    }
}
