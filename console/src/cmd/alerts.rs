//! `pitboss alerts`: what is wrong, who looks after it, who was told; and what is done about one.

use protocol::alerts::{
    AckRequest, Alert, AlertDone, AlertsPage, AlertsQuery, Channel, Delivery, ResendRequest,
    SilenceRequest,
};
use uuid::Uuid;

use super::confirm;
use super::daemon::Daemon;
use super::format::{age, clock, instant};
use super::{Exit, Failure, show};
use crate::cli::{AlertsArgs, AlertsCommand};
use crate::output::{Align, Answer, Role, Span, Table, Text, plain, versioned};

pub(super) async fn run(daemon: &Daemon, args: AlertsArgs) -> Result<Exit, Failure> {
    let Some(action) = args.action else {
        let query = AlertsQuery {
            all: args.all,
            limit: args.limit,
        };
        let page = daemon.client.alerts(Daemon::patience(), query).await??;
        let answer = Answer {
            text: text(&page),
            json: versioned(&page),
        };
        return show(&answer, args.reading.json);
    };
    let (done, json) = match action {
        AlertsCommand::Ack(args) => {
            let request = AckRequest {
                alert: args.alert,
                reason: reason(args.acting.reason.as_deref(), "ack", args.acting.yes)?,
                request_id: Uuid::now_v7(),
            };
            let ask = |client: protocol::control::ControlClient| {
                let request = request.clone();
                async move { client.ack(Daemon::patience(), request).await }
            };
            (daemon.insist(ask).await?, args.json)
        }
        AlertsCommand::Silence(args) => {
            let request = SilenceRequest {
                alert: args.alert,
                for_ms: args.for_.0,
                reason: reason(args.acting.reason.as_deref(), "silence", args.acting.yes)?,
                request_id: Uuid::now_v7(),
            };
            let ask = |client: protocol::control::ControlClient| {
                let request = request.clone();
                async move { client.silence(Daemon::patience(), request).await }
            };
            (daemon.insist(ask).await?, args.json)
        }
        AlertsCommand::Resend(args) => {
            let request = ResendRequest {
                delivery: args.delivery,
                reason: reason(args.acting.reason.as_deref(), "resend", args.acting.yes)?,
                request_id: Uuid::now_v7(),
            };
            let ask = |client: protocol::control::ControlClient| {
                let request = request.clone();
                async move { client.resend(Daemon::patience(), request).await }
            };
            (daemon.insist(ask).await?, args.json)
        }
    };
    let answer = Answer {
        text: done_text(&done),
        json: versioned(&done),
    };
    show(&answer, json)
}

fn reason(given: Option<&str>, action: &str, yes: bool) -> Result<String, Failure> {
    confirm::reason(given, &format!("{action} from the command line"), yes)
}

fn done_text(done: &AlertDone) -> Text {
    let repeated = if done.repeated {
        " (it had been carried out before the connection broke)"
    } else {
        ""
    };
    let mut text = Text::new();
    text.line([
        Span::new(Role::Good, "done"),
        plain(format!(": {}{repeated}", done.outcome)),
    ]);
    text
}

pub(super) fn text(page: &AlertsPage) -> Text {
    let mut text = Text::new();
    for alert in &page.alerts {
        about(&mut text, page, alert);
    }
    if page.alerts.is_empty() {
        text.say("Nothing is wrong that the daemon knows of.");
    }
    if !page.digests.is_empty() {
        text.line([Span::new(Role::Strong, "Digests of many alerts")]);
        text.append(deliveries(page, &page.digests));
    }
    if page.channels.is_empty() {
        let words =
            "No channel is configured: nobody is told. See [[alert_channel]] in the README.";
        text.line([Span::new(Role::Warn, words)]);
    } else {
        text.line([Span::new(Role::Strong, "Channels")]);
        text.append(channels(page));
    }
    if page.dead > 0 {
        let given_up = match page.dead {
            1 => "1 delivery was".to_owned(),
            dead => format!("{dead} deliveries were"),
        };
        let words = format!(
            "{given_up} given up: pitboss alerts --all shows them, pitboss alerts resend DELIVERY sends one again"
        );
        text.line([Span::new(Role::Bad, words)]);
    }
    text
}

/// One alert with what was told of it.
fn about(text: &mut Text, page: &AlertsPage, alert: &Alert) {
    let role = match (alert.state.as_str(), alert.severity.as_str()) {
        ("firing", "critical") => Role::Bad,
        ("firing", _) => Role::Warn,
        _ => Role::Dim,
    };
    let flaps = if alert.flaps > 0 {
        format!(", came back {} times", alert.flaps)
    } else {
        String::new()
    };
    let since = match alert.resolved_at {
        Some(over) => format!("  {} to {}{flaps}", instant(alert.opened_at), instant(over)),
        None => format!("  for {}{flaps}", age(page.now, alert.opened_at)),
    };
    text.line([
        Span::new(Role::Strong, format!("{:<4} ", alert.number)),
        Span::new(role, format!("{} {}", alert.state, alert.severity)),
        plain(format!("  {}", alert.identity)),
        Span::new(Role::Dim, since),
    ]);
    text.line([plain(format!("     {}", alert.summary))]);
    let open = alert.resolved_at.is_none();
    if let Some(by) = alert.acked_by.as_ref().filter(|_| open) {
        let why = alert.ack_reason.as_deref().unwrap_or_default();
        text.line([plain(format!("     acked by {by}: {why}"))]);
    }
    if let (Some(by), Some(until)) = (&alert.silenced_by, alert.silenced_until) {
        let why = alert.silence_reason.as_deref().unwrap_or_default();
        let until = instant(until);
        text.line([plain(format!("     silent until {until} by {by}: {why}"))]);
    }
    text.append(deliveries(page, &alert.deliveries));
}

fn deliveries(page: &AlertsPage, deliveries: &[Delivery]) -> Text {
    use Align::{Left, Right};
    let mut table =
        Table::new(&[("", Right), ("", Left), ("", Left), ("", Left), ("", Left)]).indented(5);
    for delivery in deliveries {
        let role = match delivery.state.as_str() {
            "delivered" => Role::Good,
            "dead" => Role::Bad,
            _ => Role::Warn,
        };
        table.row([
            plain(delivery.number.to_string()),
            plain(&delivery.channel),
            plain(&delivery.notice),
            Span::new(role, &delivery.state),
            plain(progress(page, delivery)),
        ]);
    }
    table.text()
}

fn progress(page: &AlertsPage, delivery: &Delivery) -> String {
    let attempts = match delivery.attempts {
        1 => "1 attempt".to_owned(),
        many => format!("{many} attempts"),
    };
    match (delivery.delivered_at, delivery.state.as_str()) {
        (Some(at), _) => format!("{} ago, {attempts}", age(page.now, at)),
        (None, "dead") => format!("{attempts}: {}", delivery.error),
        (None, _) if delivery.attempts == 0 => "not tried yet".to_owned(),
        (None, _) => {
            let due = clock(delivery.due_at);
            format!("{attempts}, again at {due}: {}", delivery.error)
        }
    }
}

fn channels(page: &AlertsPage) -> Text {
    use Align::Left;
    let mut table = Table::new(&[
        ("NAME", Left),
        ("KIND", Left),
        ("LEADS TO", Left),
        ("", Left),
    ])
    .indented(5);
    for channel in &page.channels {
        let (role, how) = standing(page, channel);
        table.row([
            plain(&channel.name),
            plain(&channel.kind),
            plain(&channel.target),
            Span::new(role, how),
        ]);
    }
    table.text()
}

fn standing(page: &AlertsPage, channel: &Channel) -> (Role, String) {
    if channel.disabled_at.is_some() {
        return (Role::Bad, format!("DISABLED: {}", channel.error));
    }
    if !channel.error.is_empty() {
        return (Role::Bad, format!("fails: {}", channel.error));
    }
    match channel.delivered_at {
        Some(at) => (
            Role::Good,
            format!("took something {} ago", age(page.now, at)),
        ),
        None => (Role::Plain, "nothing was sent yet".to_owned()),
    }
}
