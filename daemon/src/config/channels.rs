//! `[[alert_channel]]`: from text to types, with every problem collected. Secrets come from files and from the
//! environment, and no message about them repeats one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lettre::message::Mailbox;
use reqwest::Url;

use super::channel::{Channel, Smtp, SmtpTls, Target};
use super::error::ConfigProblem;
use super::file::WrittenChannel;
use super::layers::{Inputs, Origin};
use super::typed::Secret;
use crate::alerts::guard;
use crate::alerts::lifecycle::Severity;

/// Every key of a channel, whatever its kind.
pub(super) const KEYS: [&str; 16] = [
    "name",
    "kind",
    "severity",
    "allow_private",
    "url",
    "url_file",
    "url_env",
    "secret_file",
    "secret_env",
    "server",
    "tls",
    "username",
    "password_file",
    "password_env",
    "from",
    "to",
];

/// Those that every kind has.
const COMMON: [&str; 4] = ["name", "kind", "severity", "allow_private"];

/// Those that a kind has besides.
const OF_KIND: [(&str, &[&str]); 5] = [
    (
        "webhook",
        &["url", "url_file", "url_env", "secret_file", "secret_env"],
    ),
    ("slack", &["url_file", "url_env"]),
    ("teams", &["url_file", "url_env"]),
    ("alertmanager", &["url"]),
    (
        "smtp",
        &[
            "server",
            "tls",
            "username",
            "password_file",
            "password_env",
            "from",
            "to",
        ],
    ),
];

/// Longest name: a label of metrics and a column of screens.
const MAX_NAME: usize = 40;

/// Channels at most: each is a label of the metrics.
const MAX_CHANNELS: usize = 20;

/// Checks every channel.
pub(super) fn read(
    written: &[WrittenChannel],
    inputs: &Inputs,
) -> Result<Vec<Channel>, Vec<ConfigProblem>> {
    let mut problems = Vec::new();
    let mut channels: Vec<Channel> = Vec::new();
    for written in written {
        let mut reader = Reader {
            written,
            inputs,
            problems: Vec::new(),
        };
        let channel = reader.channel();
        if let Some(channel) = &channel
            && channels.iter().any(|other| other.name == channel.name)
        {
            reader.refuse("name", format!("there are two channels `{}`", channel.name));
        }
        if channels.len() == MAX_CHANNELS {
            reader.refuse("name", format!("{MAX_CHANNELS} channels are enough"));
        }
        problems.append(&mut reader.problems);
        channels.extend(channel);
    }
    if problems.is_empty() {
        return Ok(channels);
    }
    Err(problems)
}

struct Reader<'a> {
    written: &'a WrittenChannel,
    inputs: &'a Inputs,
    problems: Vec<ConfigProblem>,
}

impl Reader<'_> {
    /// `None` only if something was refused.
    fn channel(&mut self) -> Option<Channel> {
        let name = self.name();
        let kind = self.kind();
        let least = self.severity();
        let allow_private = self.switch("allow_private")?;
        let kind = kind?;
        self.only_keys_of(kind);
        let target = match kind {
            "webhook" => self.webhook(allow_private),
            "slack" => self.chat(allow_private).map(|url| Target::Slack { url }),
            "teams" => self.chat(allow_private).map(|url| Target::Teams { url }),
            "alertmanager" => self.alertmanager(allow_private),
            _ => self.smtp(allow_private),
        };
        Some(Channel {
            name: name?,
            least: least?,
            allow_private,
            target: target?,
        })
    }

    fn values(&self, key: &'static str) -> &[String] {
        self.written
            .values
            .get(key)
            .map_or(&[], |(values, _)| values.as_slice())
    }

    /// The one value of `key`.
    fn text(&mut self, key: &'static str) -> Option<String> {
        match self.values(key) {
            [] => None,
            [value] => Some(value.clone()),
            [_, ..] => {
                self.refuse(key, "one text goes here, not several".to_owned());
                None
            }
        }
    }

    fn needed(&mut self, key: &'static str, why: &str) -> Option<String> {
        let text = self.text(key);
        if text.is_none() && !self.written.values.contains_key(key) {
            self.refuse(key, why.to_owned());
        }
        text
    }

    fn refuse(&mut self, key: &'static str, message: String) {
        let written = self.written.values.get(key);
        let origin = written.map_or(&self.written.origin, |(_, origin)| origin);
        self.problems.push(ConfigProblem::BadValue {
            origin: origin.clone(),
            key,
            message,
        });
    }

    fn name(&mut self) -> Option<String> {
        let name = self.needed(
            "name",
            "the channel needs a name, such as name = \"oncall\"",
        )?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if (1..=MAX_NAME).contains(&name.len()) && name.chars().all(plain) {
            return Some(name);
        }
        let message = format!("use 1 to {MAX_NAME} letters, digits, -, _ and .");
        self.refuse("name", message);
        None
    }

    fn kind(&mut self) -> Option<&'static str> {
        let kinds = OF_KIND.map(|(kind, _)| kind).join(", ");
        let kind = self.needed("kind", &format!("the channel needs a kind: one of {kinds}"))?;
        let found = OF_KIND.iter().find(|(known, _)| *known == kind);
        if found.is_none() {
            self.refuse("kind", format!("`{kind}` is none of {kinds}"));
        }
        found.map(|(kind, _)| *kind)
    }

    fn only_keys_of(&mut self, kind: &'static str) {
        let own = OF_KIND.iter().find(|(known, _)| *known == kind);
        let own = own.map_or(&[][..], |(_, keys)| *keys);
        for key in self.written.values.keys() {
            if !COMMON.contains(key) && !own.contains(key) {
                let message = format!("a channel of kind {kind} has {}, not this", own.join(", "));
                self.refuse(key, message);
            }
        }
    }

    fn severity(&mut self) -> Option<Severity> {
        let Some(text) = self.text("severity") else {
            return Some(Severity::Warning);
        };
        let severity = Severity::named(&text);
        if severity.is_none() {
            let message = format!("`{text}` is neither warning (both go there) nor critical");
            self.refuse("severity", message);
        }
        severity
    }

    fn switch(&mut self, key: &'static str) -> Option<bool> {
        match self.text(key).as_deref() {
            None | Some("false") => Some(false),
            Some("true") => Some(true),
            Some(_) => {
                self.refuse(key, "neither true nor false".to_owned());
                None
            }
        }
    }

    /// What stands in the file that `file` names, or in the variable that `variable` names.
    fn secret(&mut self, file: &'static str, variable: &'static str) -> Option<String> {
        match (self.text(file), self.text(variable)) {
            (Some(path), None) => self.secret_in_file(file, &path),
            (None, Some(name)) => {
                let value = self.inputs.variable(&name).and_then(|value| value.to_str());
                if value.is_none() {
                    self.refuse(variable, format!("the variable {name} is not set"));
                }
                value.map(|value| value.trim().to_owned())
            }
            (Some(_), Some(_)) => {
                self.refuse(file, format!("either this or {variable}, not both"));
                None
            }
            (None, None) => None,
        }
    }

    fn secret_in_file(&mut self, key: &'static str, path: &str) -> Option<String> {
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            let message = format!("{} is not an absolute path", path.display());
            self.refuse(key, message);
            return None;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                self.refuse(key, format!("{}: {error}", path.display()));
                None
            }
        }
    }

    fn url(&mut self, key: &'static str, text: &str, allow_private: bool) -> Option<Secret<Url>> {
        // What the parser says may quote the URL, and with it what lets one in.
        let Ok(url) = Url::parse(text) else {
            self.refuse(key, "not a URL; it begins with https://".to_owned());
            return None;
        };
        match guard::check(&url, allow_private) {
            Ok(()) => Some(Secret::new(url)),
            Err(forbidden) => {
                self.refuse(key, forbidden.to_string());
                None
            }
        }
    }

    fn webhook(&mut self, allow_private: bool) -> Option<Target> {
        let url = match self.text("url") {
            Some(url) => self.url("url", &url, allow_private),
            None => self.secret_url(allow_private),
        };
        let secrets = self.signing_secrets();
        Some(Target::Webhook {
            url: url?,
            secrets: Secret::new(secrets?),
        })
    }

    fn secret_url(&mut self, allow_private: bool) -> Option<Secret<Url>> {
        let before = self.problems.len();
        let Some(text) = self.secret("url_file", "url_env") else {
            if self.problems.len() == before {
                let message = "where does it lead? The URL is in the file that this names, or in the variable that url_env names";
                self.refuse("url_file", message.to_owned());
            }
            return None;
        };
        let key = self.said("url_file", "url_env");
        self.url(key, &text, allow_private)
    }

    /// Which of two keys there is.
    fn said(&self, first: &'static str, second: &'static str) -> &'static str {
        if self.written.values.contains_key(first) {
            first
        } else {
            second
        }
    }

    fn signing_secrets(&mut self) -> Option<Vec<String>> {
        let before = self.problems.len();
        let Some(text) = self.secret("secret_file", "secret_env") else {
            if self.problems.len() == before {
                let message = "what is signed with? whsec_ and base64 of 24 to 64 bytes, in the file that this names, or in the variable that secret_env names; make one with:  echo whsec_$(openssl rand -base64 32)";
                self.refuse("secret_file", message.to_owned());
            }
            return None;
        };
        let secrets: Vec<String> = text.split_whitespace().map(ToOwned::to_owned).collect();
        if !secrets.is_empty() && secrets.iter().all(|secret| is_signing_secret(secret)) {
            return Some(secrets);
        }
        let key = self.said("secret_file", "secret_env");
        self.refuse(
            key,
            "each secret is whsec_ and base64 of 24 to 64 bytes".to_owned(),
        );
        None
    }

    fn chat(&mut self, allow_private: bool) -> Option<Secret<Url>> {
        self.secret_url(allow_private)
    }

    fn alertmanager(&mut self, allow_private: bool) -> Option<Target> {
        let members = self.values("url").to_vec();
        if members.is_empty() {
            let message = "name every member of the cluster: url = [\"https://am-1:9093\", \"https://am-2:9093\"]";
            self.refuse("url", message.to_owned());
            return None;
        }
        let members: Option<Vec<Secret<Url>>> = members
            .iter()
            .map(|text| self.url("url", text, allow_private))
            .collect();
        Some(Target::Alertmanager { members: members? })
    }

    fn smtp(&mut self, allow_private: bool) -> Option<Target> {
        let tls = self.smtp_tls(allow_private);
        let server = self.needed(
            "server",
            "which mail server? server = \"smtp.example.com:587\"",
        );
        let from = self.needed(
            "from",
            "whom is the mail from? from = \"pitboss@example.com\"",
        );
        let from = from.and_then(|from| self.mailbox("from", &from));
        let to = self.recipients();
        let login = self.login()?;
        let tls = tls?;
        let (host, port) = self.host_and_port(&server?, tls)?;
        Some(Target::Smtp(Box::new(Smtp {
            host,
            port,
            tls,
            login,
            from: from?,
            to: to?,
        })))
    }

    fn smtp_tls(&mut self, allow_private: bool) -> Option<SmtpTls> {
        match self.text("tls").as_deref() {
            None | Some("starttls") => Some(SmtpTls::StartTls),
            Some("always") => Some(SmtpTls::Always),
            Some("never") if allow_private => Some(SmtpTls::Never),
            Some("never") => {
                let message =
                    "mail in the clear stays in your own network: say allow_private = true as well";
                self.refuse("tls", message.to_owned());
                None
            }
            Some(other) => {
                let message = format!("`{other}` is none of starttls, always, never");
                self.refuse("tls", message);
                None
            }
        }
    }

    fn host_and_port(&mut self, server: &str, tls: SmtpTls) -> Option<(String, u16)> {
        let usual = match tls {
            SmtpTls::Always => 465,
            SmtpTls::StartTls => 587,
            SmtpTls::Never => 25,
        };
        // A host as in a URL: brackets around an IPv6 address.
        let url = Url::parse(&format!("smtp://{server}")).ok();
        let host = url
            .as_ref()
            .and_then(Url::host_str)
            .filter(|host| !host.is_empty());
        let bare = url.as_ref().is_some_and(|url| {
            url.path().is_empty() && url.username().is_empty() && url.query().is_none()
        });
        if let Some(host) = host
            && bare
        {
            let host = host.trim_matches(['[', ']']).to_owned();
            let port = url.as_ref().and_then(Url::port).unwrap_or(usual);
            return Some((host, port));
        }
        self.refuse("server", format!("`{server}` is not HOST:PORT"));
        None
    }

    fn mailbox(&mut self, key: &'static str, text: &str) -> Option<Mailbox> {
        let mailbox = text.parse().ok();
        if mailbox.is_none() {
            let message = format!("`{text}` is not an address, such as ana@example.com");
            self.refuse(key, message);
        }
        mailbox
    }

    fn recipients(&mut self) -> Option<Vec<Mailbox>> {
        let to = self.values("to").to_vec();
        if to.is_empty() {
            self.refuse(
                "to",
                "whom is the mail for? to = [\"oncall@example.com\"]".to_owned(),
            );
            return None;
        }
        to.iter().map(|text| self.mailbox("to", text)).collect()
    }

    /// The outer `None` is a refusal.
    #[expect(clippy::option_option, reason = "no login is a login of its own kind")]
    fn login(&mut self) -> Option<Option<(String, Secret<String>)>> {
        let before = self.problems.len();
        let username = self.text("username");
        let password = self.secret("password_file", "password_env");
        if self.problems.len() > before {
            return None;
        }
        match (username, password) {
            (None, None) => Some(None),
            (Some(username), Some(password)) => Some(Some((username, Secret::new(password)))),
            (Some(_), None) => {
                let message = "it needs a password: in the file that password_file names, or in the variable that password_env names";
                self.refuse("username", message.to_owned());
                None
            }
            (None, Some(_)) => {
                let key = self.said("password_file", "password_env");
                self.refuse(key, "it needs a username".to_owned());
                None
            }
        }
    }
}

/// Standard Webhooks 1.0.0: 24 to 64 bytes, in base64.
fn is_signing_secret(secret: &str) -> bool {
    let Some(encoded) = secret.strip_prefix("whsec_") else {
        return false;
    };
    let bytes = encoded.trim_end_matches('=').len() * 3 / 4;
    (24..=64).contains(&bytes) && standardwebhooks::Webhook::new(secret).is_ok()
}

/// The values of a channel as they were written, by key, each with its line.
pub(super) type Values = BTreeMap<&'static str, (Vec<String>, Origin)>;
