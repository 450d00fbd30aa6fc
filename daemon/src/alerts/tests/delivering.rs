//! At least once under one id, in order, on schedule, to receivers that do not behave.

use chrono::TimeDelta;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use standardwebhooks::Webhook;

use super::sink::{Does, Got, Sink};
use super::site::{SECRET, Site, webhook};
use crate::store::alerts::Severity::{Critical, Warning};
use crate::workers::runner::Work as _;

const ERRORS: &str = "guardrail/checkout/errors/blue";

fn headers(got: &Got) -> HeaderMap {
    got.headers
        .iter()
        .filter_map(|(name, value)| {
            let name: HeaderName = name.parse().ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        })
        .collect()
}

/// What each told, such as `alert.firing`.
fn types(got: &[Got]) -> Vec<String> {
    got.iter()
        .map(|got| {
            let body: Value = serde_json::from_str(&got.body).unwrap();
            body["type"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn an_alert_is_told_once_signed_and_its_end_after_it() {
    let sink = Sink::start([]).await;
    let mut site = Site::start([webhook("oncall", &sink)]).await;
    for _ in 0..5 {
        site.report(ERRORS, Critical, "errors are 3.0 % of blue")
            .await;
        site.round().await;
    }
    site.resolve(ERRORS).await;
    site.resolve(ERRORS).await;
    site.round().await;
    let got = sink.got();
    assert_eq!(types(&got), ["alert.firing", "alert.resolved"]);
    let signer = Webhook::new(SECRET).unwrap();
    for got in &got {
        signer
            .verify(got.body.as_bytes(), &headers(got))
            .expect("it is signed");
        let forged = got.body.replace("blue", "green");
        assert!(signer.verify(forged.as_bytes(), &headers(got)).is_err());
    }
    let body: Value = serde_json::from_str(&got[0].body).unwrap();
    let alert = &body["data"]["alerts"][0];
    assert_eq!(alert["identity"], ERRORS);
    assert_eq!(alert["severity"], "critical");
    assert_eq!(alert["detail"]["rate"], 0.03);
    assert_eq!(body["data"]["environment"], "test");
    let page = site.page().await;
    assert_eq!(page.alerts.len(), 1);
    assert_eq!(page.alerts[0].state, "resolved");
    let states: Vec<&str> = page.alerts[0]
        .deliveries
        .iter()
        .map(|delivery| delivery.state.as_str())
        .collect();
    assert_eq!(states, ["delivered", "delivered"]);
}

#[tokio::test]
async fn a_receiver_that_fails_in_every_way_gets_each_thing_once_in_order_on_schedule() {
    let sink = Sink::start([
        Does::Answers(500, ""),
        Does::Answers(429, "retry-after: 600\r\n"),
        Does::Hangs,
        Does::Resets,
        Does::Answers(503, ""),
        Does::Answers(302, "location: http://127.0.0.1:1/\r\n"),
    ])
    .await;
    let mut site = Site::start([webhook("oncall", &sink)]).await;
    site.report(ERRORS, Critical, "errors").await;
    site.round().await;
    site.resolve(ERRORS).await;
    // The waits after each attempt; the second receiver asked for ten minutes instead of five.
    let waits = [5, 600, 1_800, 7_200, 18_000, 36_000];
    for (failed, wait) in waits.into_iter().enumerate() {
        assert_eq!(sink.got().len(), failed + 1);
        site.later(TimeDelta::seconds(wait - 1)).await;
        assert_eq!(sink.got().len(), failed + 1, "not before its time");
        site.later(TimeDelta::seconds(1)).await;
    }
    let got = sink.got();
    assert_eq!(got.len(), 8, "the end followed at once");
    let signer = Webhook::new(SECRET).unwrap();
    for attempt in &got {
        let at = attempt.headers["webhook-timestamp"].parse().unwrap();
        let id = &attempt.headers["webhook-id"];
        let signature = signer.sign(id, at, attempt.body.as_bytes()).unwrap();
        assert_eq!(attempt.headers["webhook-signature"], signature);
    }
    let first = &got[0];
    for attempt in &got[1..7] {
        assert_eq!(attempt.headers["webhook-id"], first.headers["webhook-id"]);
        assert_eq!(attempt.body, first.body, "the same at every attempt");
    }
    assert_eq!(
        types(&sink.kept()),
        ["alert.firing", "alert.resolved"],
        "once for whoever drops repetitions, the beginning before the end"
    );
    let page = site.page().await;
    assert_eq!(page.alerts[0].deliveries[0].attempts, 7);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_repeated_under_the_same_id() {
    let sink = Sink::start([]).await;
    let mut site = Site::start([webhook("oncall", &sink)]).await;
    site.report(ERRORS, Critical, "errors").await;
    site.round().await;
    // As if the sender had died between the answer and its note of it: the claim ends after a minute.
    super::site::execute(
        &site.database.store,
        "update alert_deliveries set delivered_at = null, claimed_until = tried_at + interval '60 seconds'",
    )
    .await
    .unwrap();
    site.later(TimeDelta::seconds(59)).await;
    assert_eq!(sink.got().len(), 1, "somebody else may still be sending it");
    site.later(TimeDelta::seconds(2)).await;
    assert_eq!(sink.got().len(), 2);
    assert_eq!(sink.kept().len(), 1);
}

#[tokio::test]
async fn ten_attempts_are_enough_and_then_it_is_dead_visible_and_an_alert_itself() {
    let refusals = vec![Does::Answers(500, ""); 10];
    let broken = Sink::start(refusals).await;
    let well = Sink::start([]).await;
    let mut site = Site::start([webhook("broken", &broken), webhook("well", &well)]).await;
    site.report(ERRORS, Critical, "errors").await;
    site.round().await;
    // Nobody is reminded of it meanwhile.
    site.resolve(ERRORS).await;
    for hours in [1, 1, 3, 5, 10, 14, 20, 24, 24] {
        site.later(TimeDelta::hours(hours)).await;
    }
    assert_eq!(broken.got().len(), 10);
    let page = site.page().await;
    let about = page.alerts.iter().find(|alert| alert.identity == ERRORS);
    let delivery = &about.unwrap().deliveries[0];
    assert_eq!((delivery.state.as_str(), delivery.attempts), ("dead", 10));
    assert!(delivery.error.contains("500"), "{}", delivery.error);
    assert_eq!(page.dead, 1);
    let channel = page
        .alerts
        .iter()
        .find(|alert| alert.identity == "platform/alert_channel/broken");
    assert_eq!(channel.unwrap().severity, "critical");

    // The next round tells of that, on both, and the broken one works again.
    site.round().await;
    let told = types(&well.kept());
    assert_eq!(
        told,
        ["alert.firing", "alert.resolved", "alert.firing"],
        "the other channel knows"
    );
    let page = site.page().await;
    let broken = page
        .alerts
        .iter()
        .find(|alert| alert.identity == "platform/alert_channel/broken");
    assert_eq!(broken.unwrap().state, "resolved");
}

#[tokio::test]
async fn one_that_is_gone_is_left_alone_until_something_is_sent_again_by_hand() {
    let sink = Sink::start([Does::Answers(410, "")]).await;
    let mut site = Site::start([webhook("oncall", &sink)]).await;
    site.report(ERRORS, Warning, "errors").await;
    site.report("platform/worker/fold", Warning, "the fold fails")
        .await;
    site.round().await;
    site.later(TimeDelta::days(2)).await;
    assert_eq!(sink.got().len(), 1);
    let page = site.page().await;
    assert!(page.channels[0].disabled_at.is_some());
    let deliveries: Vec<_> = page.alerts.iter().flat_map(|it| &it.deliveries).collect();
    assert!(deliveries.len() >= 3, "{deliveries:?}");
    assert!(deliveries.iter().all(|it| it.state == "dead"));
    assert!(deliveries[0].error.contains("410"));

    let first = deliveries.iter().map(|it| it.number).min().unwrap();
    let now = site.now();
    let revived = site.database.store.run_tx("test", |tx| {
        crate::store::TxFuture::new(async move {
            use crate::store::alerts::{channels, deliveries};
            let found = deliveries::find(tx, first).await?.expect("it is there");
            deliveries::revive(tx, &found, now).await?;
            channels::enable(tx, &found.channel).await
        })
    });
    revived.await.unwrap();
    site.round().await;
    let got = sink.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
    let page = site.page().await;
    assert_eq!(page.channels[0].disabled_at, None);
}

#[tokio::test]
async fn a_gone_channel_that_leads_elsewhere_is_not_gone() {
    let gone = Sink::start([Does::Answers(410, "")]).await;
    let mut site = Site::start([webhook("oncall", &gone)]).await;
    site.report(ERRORS, Warning, "errors").await;
    site.round().await;
    let new = Sink::start([]).await;
    site.configured
        .send_replace([webhook("oncall", &new)].into());
    site.report("decision/checkout", Warning, "ship it").await;
    site.round().await;
    let kept = types(&new.kept());
    assert!(kept.contains(&"alert.firing".to_owned()), "{kept:?}");
    assert_eq!(gone.got().len(), 1);
}

#[tokio::test]
async fn a_storm_is_twenty_messages_and_one_digest() {
    let sink = Sink::start([]).await;
    let mut site = Site::start([webhook("oncall", &sink)]).await;
    for number in 0..200 {
        let severity = if number == 150 { Critical } else { Warning };
        let identity = format!("guardrail/checkout_{number}/errors/*");
        site.report(&identity, severity, "errors").await;
    }
    site.round().await;
    assert_eq!(sink.got().len(), 20);
    site.later(TimeDelta::seconds(59)).await;
    assert_eq!(sink.got().len(), 20);
    site.later(TimeDelta::seconds(1)).await;
    let got = sink.got();
    assert_eq!(got.len(), 21);
    assert!(got[20].body.len() < 20_000, "{}", got[20].body.len());
    let digest: Value = serde_json::from_str(&got[20].body).unwrap();
    assert_eq!(digest["type"], "alert.digest");
    assert_eq!(digest["data"]["count"], 180);
    let alerts = digest["data"]["alerts"].as_array().unwrap();
    assert_eq!(alerts[0]["severity"], "critical", "the worst is named");
    site.report("platform/worker/fold", Warning, "calm again")
        .await;
    site.later(TimeDelta::seconds(61)).await;
    assert_eq!(sink.got().len(), 22);
}

#[tokio::test]
async fn a_slow_receiver_holds_up_nobody_else() {
    let slow = Sink::start([Does::Hangs]).await;
    let well = Sink::start([]).await;
    let mut site = Site::start([webhook("slow", &slow), webhook("well", &well)]).await;
    site.report(ERRORS, Warning, "errors").await;
    let lease = site.lease("a").await.unwrap();
    site.alerts.run(&lease).await.unwrap();
    while well.got().is_empty() {
        tokio::task::yield_now().await;
    }
    site.alerts.settle().await;
    assert_eq!(slow.got().len(), 1);
}

#[tokio::test]
async fn two_senders_at_once_send_each_thing_once() {
    let sink = Sink::start([]).await;
    let mut site = Site::start([webhook("oncall", &sink)]).await;
    for number in 0..15 {
        let identity = format!("guardrail/checkout_{number}/errors/*");
        site.report(&identity, Warning, "errors").await;
    }
    let lease = site.lease("a").await.unwrap();
    let mut other = site.another();
    // As if the one that leads had been stopped in the middle: both believe that they lead, in the same term.
    let (one, two) = tokio::join!(site.alerts.run(&lease), other.run(&lease));
    one.unwrap();
    two.unwrap();
    tokio::join!(site.alerts.settle(), other.settle());
    assert_eq!(sink.got().len(), 15);
}

#[tokio::test]
async fn a_deposed_leader_sends_nothing() {
    let sink = Sink::start([]).await;
    let mut site = Site::start([webhook("oncall", &sink)]).await;
    let old = site.lease("a").await.unwrap();
    site.database.store.release_lease(&old).await.unwrap();
    let new = site.lease("b").await.unwrap();
    site.report(ERRORS, Warning, "errors").await;
    let refused = site.alerts.run(&old).await;
    assert!(refused.is_err());
    site.alerts.settle().await;
    assert_eq!(sink.got().len(), 0);
    let mut other = site.another();
    other.run(&new).await.unwrap();
    other.settle().await;
    assert_eq!(sink.got().len(), 1);
}

#[tokio::test]
async fn what_nobody_could_be_told_for_a_day_is_no_news() {
    let mut site = Site::start([]).await;
    site.report(ERRORS, Warning, "errors").await;
    site.round().await;
    let sink = Sink::start([]).await;
    site.configured
        .send_replace([webhook("oncall", &sink)].into());
    site.clock.advance(TimeDelta::hours(25));
    site.report("decision/checkout", Warning, "ship it").await;
    site.round().await;
    let kept = sink.kept();
    let about: Vec<String> = kept
        .iter()
        .map(|got| {
            let body: Value = serde_json::from_str(&got.body).unwrap();
            let alert = &body["data"]["alerts"][0];
            format!("{} {}", body["type"], alert["identity"])
        })
        .collect();
    assert_eq!(
        about,
        [
            "\"alert.firing\" \"decision/checkout\"",
            "\"alert.reminder\" \"guardrail/checkout/errors/blue\"",
        ],
        "that it still fires is told, that it began yesterday is not"
    );
}
