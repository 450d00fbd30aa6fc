//! The words of each kind of channel, and what must not get into them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::sink::Sink;
use super::site::{Site, report};
use crate::alerts::lifecycle::Notice;
use crate::alerts::message::{Told, Word};
use crate::alerts::{mail, slack, teams};
use crate::config::{Channel, Secret, Smtp, SmtpTls, Target};
use crate::store::alerts::Severity;
use crate::store::alerts::deliveries::{Attempt, Claimed};

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn claimed(summary: &str) -> Claimed {
    Claimed {
        id: Uuid::from_u128(7),
        attempt: 1,
        word: Word {
            notice: Notice::Firing,
            at: at(),
            count: 1,
            alerts: vec![Told {
                id: Uuid::from_u128(8),
                number: 17,
                identity: "guardrail/checkout/errors/blue".to_owned(),
                experiment: Some("checkout".to_owned()),
                source: "errors".to_owned(),
                arm: Some("blue".to_owned()),
                severity: Severity::Critical,
                summary: summary.to_owned(),
                detail: json!({ "rate": 0.03 }),
                opened_at: at(),
                flaps: 0,
                notice: None,
            }],
        },
    }
}

fn smtp() -> Smtp {
    Smtp {
        host: "127.0.0.1".to_owned(),
        port: 1,
        tls: SmtpTls::Never,
        login: None,
        from: "Pitboss <pitboss@example.com>".parse().unwrap(),
        to: vec![
            "ana@example.com".parse().unwrap(),
            "bo@example.com".parse().unwrap(),
        ],
    }
}

/// The transport's own limit is for the connection: a server that takes it and says nothing must not hold up the channel.
#[tokio::test]
async fn a_mail_server_that_says_nothing_is_a_failed_attempt() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let smtp = Smtp {
        port: silent.local_addr().unwrap().port(),
        ..smtp()
    };
    let sending = mail::Mail::new(&smtp, std::time::Duration::from_millis(50));
    let attempt = sending.send(&claimed("errors"), "test").await;
    let failed = Attempt::Failed {
        error: "no answer in time".to_owned(),
        retry_after: None,
    };
    assert_eq!(attempt, failed);
}

#[test]
fn a_mail_has_its_id_its_thread_and_no_header_that_came_from_outside() {
    for summary in [
        "errors",
        "errors\r\nBcc: eve@example.com",
        "errors\nBcc: eve@example.com\n\nbody",
        "errors\r\n\r\n.\r\nMAIL FROM:<eve@example.com>",
        "fehler über 3 % \u{2028}Bcc: eve@example.com",
        &"long ".repeat(500),
    ] {
        let mail = mail::message(&smtp(), &claimed(summary), "prod\r\nX-Evil: 1").unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let names: Vec<&str> = head
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| Some(line.split_once(':')?.0))
            .collect();
        assert_eq!(
            names,
            [
                "From",
                "Subject",
                "Date",
                "Message-ID",
                "List-Id",
                "Auto-Submitted",
                "Content-Type",
                "In-Reply-To",
                "References",
                "To",
                "Content-Transfer-Encoding",
            ],
            "{head}"
        );
        let line = |name: &str| head.lines().find(|line| line.starts_with(name)).unwrap();
        assert_eq!(
            line("Message-ID"),
            "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>"
        );
        assert_eq!(
            line("References"),
            "References: <alert-00000000-0000-0000-0000-000000000008@example.com>"
        );
        let recipients: Vec<String> = mail
            .envelope()
            .to()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(recipients, ["ana@example.com", "bo@example.com"]);
        assert!(!body.is_empty());
    }
}

#[test]
fn chats_get_text_and_no_markup_of_somebody_else() {
    let evil = claimed("<!channel> errors & <https://evil.example|click> *bold*");
    let slack = slack::body(&evil.word, "prod").to_string();
    assert!(
        slack.contains("&lt;!channel&gt; errors &amp; &lt;https"),
        "{slack}"
    );
    assert!(!slack.contains("<!channel>"));
    let long = claimed(&"x<".repeat(3_000));
    let slack = slack::body(&long.word, "prod");
    for block in slack["blocks"].as_array().unwrap() {
        let text = block["text"]["text"].as_str().unwrap();
        assert!(text.chars().count() <= 3_000, "{}", text.len());
    }
    let teams = teams::body(&evil.word, "prod");
    let card = &teams["attachments"][0]["content"];
    assert_eq!(card["type"], "AdaptiveCard");
    let first = &card["body"][0]["inlines"][0];
    assert_eq!(first["color"], "Attention");
    assert!(
        first["text"]
            .as_str()
            .unwrap()
            .starts_with("[prod] FIRING critical: checkout, arm blue: ")
    );
    assert!(
        !teams.to_string().contains("TextBlock\",\"text"),
        "no Markdown"
    );
}

#[tokio::test]
async fn a_channel_takes_what_is_bad_enough_for_it() {
    let (all, worst) = (Sink::start([]).await, Sink::start([]).await);
    let chat = |name: &str, sink: &Sink, least| Channel {
        name: name.to_owned(),
        least,
        allow_private: true,
        target: Target::Slack {
            url: Secret::new(sink.url().parse().unwrap()),
        },
    };
    let mut site = Site::start([
        chat("all", &all, Severity::Warning),
        chat("worst", &worst, Severity::Critical),
    ])
    .await;
    for (identity, severity) in [
        ("decision/checkout", Severity::Warning),
        ("guardrail/checkout/errors/blue", Severity::Critical),
    ] {
        let report = report(identity, severity, "said", site.now());
        site.report_this(&report).await;
    }
    site.round().await;
    assert_eq!(all.got().len(), 2);
    assert_eq!(worst.got().len(), 1);
    assert!(worst.got()[0].body.contains("FIRING critical"));
}

#[tokio::test]
async fn where_it_leads_is_never_said() {
    let channel = Channel {
        name: "chat".to_owned(),
        least: Severity::Warning,
        allow_private: true,
        target: Target::Slack {
            // Nobody listens on port 1.
            url: Secret::new("http://127.0.0.1:1/services/canary-5b2".parse().unwrap()),
        },
    };
    let shown = format!("{channel:?} {} {}", channel.place(), channel.fingerprint());
    assert!(!shown.contains("canary-5b2"), "{shown}");
    let mut site = Site::start([channel]).await;
    site.report("decision/checkout", Severity::Warning, "ship it")
        .await;
    site.round().await;
    let page = serde_json::to_string(&site.page().await).unwrap();
    assert!(page.contains("no connection"), "{page}");
    assert!(page.contains("http://127.0.0.1:1"), "{page}");
    assert!(!page.contains("canary-5b2"), "{page}");
}
