//! What an Alertmanager is told, again and again.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::sink::{Does, Sink};
use super::site::Site;
use crate::alerts::lifecycle::Happening;
use crate::config::{Channel, Secret, Target};
use crate::store::TxFuture;
use crate::store::alerts::{self, Severity};
use crate::workers::runner::Work as _;

const ERRORS: &str = "guardrail/checkout/errors/blue";

fn cluster(members: &[&Sink]) -> Channel {
    let url = |sink: &&Sink| {
        let url = format!("http://{}/am/", sink.address);
        Secret::new(url.parse().unwrap())
    };
    Channel {
        name: "am".to_owned(),
        least: Severity::Warning,
        allow_private: true,
        target: Target::Alertmanager {
            members: members.iter().map(url).collect(),
        },
    }
}

async fn member(script: impl IntoIterator<Item = Does>) -> Sink {
    let sink = Sink::start(script).await;
    sink.answers_with("GET /am/api/v2/silences", "[]".to_owned());
    sink
}

/// The alerts of each post.
fn posts(sink: &Sink) -> Vec<Value> {
    sink.got()
        .iter()
        .filter(|got| got.line == "POST /am/api/v2/alerts HTTP/1.1")
        .map(|got| serde_json::from_str(&got.body).unwrap())
        .collect()
}

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_member_is_told_every_minute_and_for_five_minutes_that_it_is_over() {
    let (one, two) = (member([]).await, member([]).await);
    let mut site = Site::start([cluster(&[&one, &two])]).await;
    site.round().await;
    assert!(one.got().is_empty(), "there is nothing to say");
    site.report(ERRORS, Severity::Critical, "errors are 3.0 %")
        .await;
    site.round().await;
    site.report(ERRORS, Severity::Critical, "errors are 3.1 %")
        .await;
    site.later(TimeDelta::seconds(30)).await;
    assert_eq!(posts(&one).len(), 1, "figures alone are not worth a post");
    site.later(TimeDelta::seconds(30)).await;
    let said = posts(&one);
    assert_eq!(said.len(), 2);
    assert_eq!(posts(&two), said, "all members are told the same");
    assert_eq!(said[0][0]["labels"], said[1][0]["labels"]);
    assert_eq!(
        said[0][0]["labels"],
        json!({
            "alertname": "PitbossGuardrail", "environment": "test", "identity": ERRORS,
            "severity": "critical", "source": "errors", "experiment": "checkout", "arm": "blue",
        })
    );
    assert_eq!(said[1][0]["annotations"]["summary"], "errors are 3.1 %");
    let until = instant(&said[1][0]["endsAt"]) - site.now();
    assert_eq!(until, TimeDelta::minutes(4));

    site.resolve(ERRORS).await;
    let resolved_at = site.now();
    site.round().await;
    for _ in 0..10 {
        site.later(TimeDelta::seconds(60)).await;
    }
    let said = posts(&one);
    assert_eq!(said.len(), 2 + 5, "five times within five minutes");
    for over in &said[2..] {
        assert!((instant(&over[0]["endsAt"]) - resolved_at).abs() < TimeDelta::milliseconds(1));
    }
}

#[tokio::test]
async fn daemons_say_the_same_to_the_letter_of_each_label() {
    let sink = member([]).await;
    let mut site = Site::start([cluster(&[&sink])]).await;
    site.report(ERRORS, Severity::Warning, "errors").await;
    site.round().await;
    let mut other = site.another();
    let lease = site.lease("a").await.unwrap();
    other.run(&lease).await.unwrap();
    other.settle().await;
    let said = posts(&sink);
    assert_eq!(said.len(), 2);
    assert_eq!(said[0][0]["labels"], said[1][0]["labels"]);
    assert_eq!(said[0][0]["startsAt"], said[1][0]["startsAt"]);
}

#[tokio::test]
async fn one_member_that_listens_is_enough_and_none_is_tried_again_at_once() {
    let (broken, well) = (
        member(vec![Does::Answers(500, ""); 9]).await,
        member([]).await,
    );
    let mut site = Site::start([cluster(&[&broken, &well])]).await;
    site.report(ERRORS, Severity::Warning, "errors").await;
    site.round().await;
    assert_eq!((posts(&broken).len(), posts(&well).len()), (1, 1));
    let page = site.page().await;
    assert!(page.channels[0].delivered_at.is_some());

    site.configured.send_replace([cluster(&[&broken])].into());
    site.round().await;
    let page = site.page().await;
    assert!(page.channels[0].error.contains("500"), "{page:?}");
    site.later(TimeDelta::seconds(2)).await;
    assert_eq!(posts(&broken).len(), 3, "not a minute later");
}

#[tokio::test]
async fn an_ack_is_a_short_silence_and_is_lifted_with_the_alert() {
    let sink = member([]).await;
    let mut site = Site::start([cluster(&[&sink])]).await;
    site.report(ERRORS, Severity::Warning, "errors").await;
    let now = site.now();
    let acked = site.database.store.run_tx("test", |tx| {
        TxFuture::new(async move {
            let alert = alerts::find(tx, 1).await?.expect("it is the first");
            let _ = alerts::step(tx, &alert, Happening::Acked, now).await?;
            alerts::put_ack(tx, &alert, "ana", "I look", now).await
        })
    });
    acked.await.unwrap();
    site.round().await;
    let silences: Vec<Value> = sink
        .got()
        .iter()
        .filter(|got| got.line.starts_with("POST /am/api/v2/silences"))
        .map(|got| serde_json::from_str(&got.body).unwrap())
        .collect();
    assert_eq!(silences.len(), 1);
    let silence = &silences[0];
    assert_eq!(instant(&silence["endsAt"]) - now, TimeDelta::minutes(15));
    assert_eq!(silence["matchers"][0]["value"], ERRORS);
    let comment = silence["comment"].as_str().unwrap();
    assert!(comment.starts_with("ack: I look (ana) "), "{comment}");

    // Alertmanager has it now, and somebody else's.
    let there = json!([
        { "id": "theirs", "createdBy": "bo", "comment": comment,
          "startsAt": silence["startsAt"], "endsAt": silence["endsAt"],
          "status": { "state": "active" } },
        { "id": "ours", "createdBy": "pitbossd", "comment": comment,
          "startsAt": silence["startsAt"], "endsAt": silence["endsAt"],
          "status": { "state": "active" } },
    ]);
    sink.answers_with("GET /am/api/v2/silences", there.to_string());
    let lifted = |sink: &Sink| {
        let got = sink.got();
        let lines = got.iter().map(|got| got.line.clone());
        lines
            .filter(|line| {
                line.starts_with("DELETE")
                    || line.contains("/silences HTTP") && line.starts_with("POST")
            })
            .skip(1)
            .collect::<Vec<_>>()
    };
    site.later(TimeDelta::seconds(60)).await;
    assert!(lifted(&sink).is_empty(), "it is as it should be");
    site.later(TimeDelta::minutes(10)).await;
    assert_eq!(
        lifted(&sink),
        ["POST /am/api/v2/silences HTTP/1.1"],
        "renewed in time"
    );
    site.resolve(ERRORS).await;
    site.later(TimeDelta::seconds(1)).await;
    assert_eq!(
        lifted(&sink)[1..],
        ["DELETE /am/api/v2/silence/ours HTTP/1.1"]
    );
}
