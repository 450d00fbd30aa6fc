//! Mail over SMTP. What is told of one alert is one thread; receivers know a repetition by its Message-ID.

use std::fmt::Write as _;
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::config::{Smtp, SmtpTls};
use crate::store::alerts::deliveries::{Attempt, Claimed};
use crate::workers::runner::chain;

/// Characters of a subject: what lists of mails show.
const MAX_SUBJECT: usize = 150;

/// A mail server.
pub(super) struct Mail {
    smtp: Smtp,
    /// How long an attempt may take: the transport's own limit is for the connection only, and a server that takes it and
    /// then says nothing would hold up the channel for good.
    patience: Duration,
    /// Or why there is none.
    transport: Result<AsyncSmtpTransport<Tokio1Executor>, String>,
}

impl std::fmt::Debug for Mail {
    /// The transport would show its password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("smtp", &self.smtp)
            .finish_non_exhaustive()
    }
}

impl Mail {
    pub(super) fn new(smtp: &Smtp, patience: Duration) -> Self {
        Self {
            smtp: smtp.clone(),
            patience,
            transport: transport(smtp, patience),
        }
    }

    pub(super) async fn send(&self, claimed: &Claimed, environment: &str) -> Attempt {
        match self.try_send(claimed, environment).await {
            Ok(()) => Attempt::Delivered,
            Err(error) => Attempt::Failed {
                error,
                retry_after: None,
            },
        }
    }

    async fn try_send(&self, claimed: &Claimed, environment: &str) -> Result<(), String> {
        let transport = self.transport.as_ref().map_err(Clone::clone)?;
        let message = message(&self.smtp, claimed, environment).map_err(|error| chain(&error))?;
        match tokio::time::timeout(self.patience, transport.send(message)).await {
            Ok(sent) => sent.map(|_| ()).map_err(|error| chain(&error)),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

fn transport(
    smtp: &Smtp,
    patience: Duration,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parameters = || TlsParameters::new(smtp.host.clone()).map_err(|error| chain(&error));
    let tls = match smtp.tls {
        SmtpTls::Always => Tls::Wrapper(parameters()?),
        SmtpTls::StartTls => Tls::Required(parameters()?),
        SmtpTls::Never => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host.as_str())
        .port(smtp.port)
        .tls(tls)
        .timeout(Some(patience))
        .hello_name(ClientId::Domain(smtp.from.email.domain().to_owned()));
    if let Some((user, password)) = &smtp.login {
        let credentials = Credentials::new(user.clone(), password.expose().clone());
        transport = transport.credentials(credentials);
    }
    Ok(transport.build())
}

/// The mail of a delivery, the same at every attempt.
pub(super) fn message(
    smtp: &Smtp,
    claimed: &Claimed,
    environment: &str,
) -> Result<Message, lettre::error::Error> {
    let domain = smtp.from.email.domain();
    let word = &claimed.word;
    let headline = word.headline();
    let subject: String = format!("[{environment}] {headline}")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_SUBJECT)
        .collect();
    let mut builder = Message::builder()
        .from(smtp.from.clone())
        .subject(subject)
        .date(word.at.into())
        .message_id(Some(format!("<{}@{domain}>", claimed.id)))
        .raw_header(header("List-Id", format!("<alerts.pitboss.{domain}>")))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN);
    if let [told] = word.alerts.as_slice() {
        let thread = format!("<alert-{}@{domain}>", told.id);
        builder = builder.in_reply_to(thread.clone()).references(thread);
    }
    for to in &smtp.to {
        builder = builder.to(to.clone());
    }
    let mut text = format!("{headline}\n\n{}\n", word.lines().join("\n"));
    if let [told] = word.alerts.as_slice()
        && let Some(figures) = told
            .detail
            .as_object()
            .filter(|figures| !figures.is_empty())
    {
        text.push('\n');
        for (name, value) in figures {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    builder.body(text)
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}
