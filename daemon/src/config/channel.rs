//! Where alerts go, in types.

use lettre::message::Mailbox;
use reqwest::Url;

use super::typed::Secret;
use crate::alerts::lifecycle::Severity;

/// One `[[alert_channel]]`.
#[derive(Debug, Clone)]
pub struct Channel {
    /// What it is called.
    pub name: String,
    /// The least severity that goes there.
    pub least: Severity,
    /// Whether it may lead into private networks, and without TLS.
    pub allow_private: bool,
    /// Where it leads.
    pub target: Target,
}

/// Where a channel leads.
#[derive(Debug, Clone)]
pub enum Target {
    /// Somebody's program, which checks our signature.
    Webhook {
        /// Where it listens.
        url: Secret<Url>,
        /// What is signed with: several while one is replaced by another.
        secrets: Secret<Vec<String>>,
    },
    /// A channel of Slack.
    Slack {
        /// An incoming webhook.
        url: Secret<Url>,
    },
    /// A channel of Teams.
    Teams {
        /// A workflow's.
        url: Secret<Url>,
    },
    /// Every member of an Alertmanager cluster.
    Alertmanager {
        /// Where each is.
        members: Vec<Secret<Url>>,
    },
    /// Mail.
    Smtp(Box<Smtp>),
}

/// How mail is sent.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is protected.
    pub tls: SmtpTls,
    /// How we prove who we are.
    pub login: Option<(String, Secret<String>)>,
    /// Whom it is from.
    pub from: Mailbox,
    /// Whom it is for.
    pub to: Vec<Mailbox>,
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// From the first byte, as on port 465.
    Always,
    /// After STARTTLS, without which nothing is sent, as on port 587.
    StartTls,
    /// Not at all: on this machine, or in a network of one's own.
    Never,
}

impl Channel {
    /// Of what kind it is.
    pub fn kind(&self) -> &'static str {
        match &self.target {
            Target::Webhook { .. } => "webhook",
            Target::Slack { .. } => "slack",
            Target::Teams { .. } => "teams",
            Target::Alertmanager { .. } => "alertmanager",
            Target::Smtp(_) => "smtp",
        }
    }

    /// Where it leads, without what is secret.
    pub fn place(&self) -> String {
        match &self.target {
            Target::Webhook { url, .. } | Target::Slack { url } | Target::Teams { url } => {
                origin(url)
            }
            Target::Alertmanager { members } => {
                let members: Vec<String> = members.iter().map(origin).collect();
                members.join(", ")
            }
            Target::Smtp(smtp) => {
                let to: Vec<&str> = smtp.to.iter().map(|to| to.email.as_ref()).collect();
                format!("{}:{} for {}", smtp.host, smtp.port, to.join(", "))
            }
        }
    }

    /// A hash of where it leads, the same as long as that is the same. What it leads with is not in it: a password
    /// could be guessed from its hash.
    pub fn fingerprint(&self) -> String {
        let urls: Vec<&str> = match &self.target {
            Target::Webhook { url, .. } | Target::Slack { url } | Target::Teams { url } => {
                vec![url.expose().as_str()]
            }
            Target::Alertmanager { members } => {
                members.iter().map(|url| url.expose().as_str()).collect()
            }
            Target::Smtp(_) => Vec::new(),
        };
        let text = format!("{} {} {}", self.kind(), self.place(), urls.join(" "));
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }
}

/// `https://hooks.example.com`: a path or a query may be what lets one in.
fn origin(url: &Secret<Url>) -> String {
    url.expose().origin().ascii_serialization()
}
