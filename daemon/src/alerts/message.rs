//! What is told of an alert: plain data as of when it was, and the same in words.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lifecycle::{Notice, Severity};
use crate::store::alerts::Alert;

/// An alert as it is told. What was written here is sent days later too, so fields are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Its id; one alert keeps it from firing to resolved.
    pub id: Uuid,
    /// What people type: `pitboss alerts ack 17`.
    pub number: u64,
    /// What makes two reports the same alert.
    pub identity: String,
    /// The experiment's key.
    pub experiment: Option<String>,
    /// What found it.
    pub source: String,
    /// Which arm.
    pub arm: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// In a sentence.
    pub summary: String,
    /// The figures.
    #[serde(default)]
    pub detail: serde_json::Value,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// How often in a row it came back soon after it was resolved.
    pub flaps: u32,
    /// In a digest: what would have been told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
}

/// What a notice tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// Of what kind.
    pub notice: Notice,
    /// When.
    pub at: DateTime<Utc>,
    /// About how many alerts; a digest names only some of them.
    pub count: u32,
    /// The alerts.
    pub alerts: Vec<Told>,
}

/// Bytes of figures that are told, at most: the whole message must stay below the 20 kB of Standard Webhooks.
const MAX_DETAIL: usize = 12 * 1024;

/// Characters of a sentence in a digest.
const BRIEF: usize = 160;

impl Told {
    /// `alert` as it is.
    pub fn of(alert: &Alert) -> Self {
        let small = alert.detail.to_string().len() <= MAX_DETAIL;
        Self {
            id: alert.id,
            number: alert.number,
            identity: alert.identity.clone(),
            experiment: alert.key.clone(),
            source: alert.source.clone(),
            arm: alert.arm.clone(),
            severity: alert.episode.severity,
            summary: alert.summary.clone(),
            detail: if small {
                alert.detail.clone()
            } else {
                serde_json::Value::Null
            },
            opened_at: alert.episode.opened_at,
            flaps: alert.episode.flaps,
            notice: None,
        }
    }

    /// The same for a digest.
    #[must_use]
    pub fn briefly(&self, notice: Notice) -> Self {
        Self {
            summary: self.summary.chars().take(BRIEF).collect(),
            detail: serde_json::Value::Null,
            notice: Some(notice),
            ..self.clone()
        }
    }

    /// Where it is: `checkout_button, arm blue`, or what of the platform.
    pub fn place(&self) -> String {
        match (&self.experiment, &self.arm) {
            (Some(key), Some(arm)) => format!("{key}, arm {arm}"),
            (Some(key), None) => key.clone(),
            (None, _) => self.identity.clone(),
        }
    }
}

impl Word {
    /// The worst of its alerts.
    pub fn severity(&self) -> Severity {
        let severities = self.alerts.iter().map(|told| told.severity);
        severities.max().unwrap_or(Severity::Warning)
    }

    /// In a line: `FIRING critical: checkout_button, arm blue: checkout errors are ...`.
    pub fn headline(&self) -> String {
        match (self.notice, self.alerts.first()) {
            (Notice::Digest, _) | (_, None) => {
                format!("{} more alerts changed within a minute", self.count)
            }
            (notice, Some(told)) => {
                let word = spoken(notice);
                let severity = told.severity.as_str();
                format!("{word} {severity}: {}: {}", told.place(), told.summary)
            }
        }
    }

    /// What else is to be said, a line each.
    pub fn lines(&self) -> Vec<String> {
        if self.notice != Notice::Digest {
            return self.alerts.first().map(about).unwrap_or_default();
        }
        let mut lines: Vec<String> = self.alerts.iter().map(in_digest).collect();
        let unnamed = (self.count as usize).saturating_sub(self.alerts.len());
        if unnamed > 0 {
            lines.push(format!("and {unnamed} more: pitboss alerts --all"));
        }
        lines
    }
}

fn about(told: &Told) -> Vec<String> {
    let mut lines = vec![format!(
        "alert {}, since {}",
        told.number,
        told.opened_at.format("%Y-%m-%d %H:%M:%S UTC")
    )];
    if told.flaps > 0 {
        lines.push(format!(
            "it came back soon after it was resolved, {} times in a row",
            told.flaps
        ));
    }
    let next = match &told.experiment {
        Some(key) => format!("pitboss show {key}"),
        None => "pitboss health".to_owned(),
    };
    lines.push(format!(
        "look: {next}   take it: pitboss alerts ack {} --reason ...",
        told.number
    ));
    lines
}

fn in_digest(told: &Told) -> String {
    let word = spoken(told.notice.unwrap_or(Notice::Firing));
    let severity = told.severity.as_str();
    format!(
        "{word} {severity}: {}: {} (alert {})",
        told.place(),
        told.summary,
        told.number
    )
}

fn spoken(notice: Notice) -> &'static str {
    match notice {
        Notice::Firing => "FIRING",
        Notice::Reminder => "STILL FIRING",
        Notice::Resolved => "RESOLVED",
        Notice::Digest => "DIGEST",
    }
}
