//! Several daemons on one database: one answer for a unit, one effect for an event, one truth about an experiment.

use harness::fleet::Fleet;
use harness::http::Http;
use harness::installation::Installation;
use harness::wait;
use serde_json::{Value, json};

use crate::stories::QUICK;

const ASSIGN: &str = "/api/experiments/story/assign";

/// What `daemon` says about a unit that nobody has seen, once that is `reason`.
pub(crate) async fn says(daemon: &Installation, reason: &str) -> anyhow::Result<()> {
    let http = tokio::sync::Mutex::new(daemon.http().await?);
    let http = &http;
    let what = format!("a daemon to answer {reason:?}");
    wait::until(&what, || async move {
        let unit = json!({ "unit": "somebody" });
        let answer = http.lock().await.post(ASSIGN, &unit).await.ok()?;
        (answer.json["reason"] == reason).then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_daemon_is_told_all_obey() -> anyhow::Result<()> {
    let fleet = Fleet::start(3).await?;
    let (asked, others) = fleet.daemons.split_first().expect("there are three");
    asked.apply(QUICK)?;
    for daemon in others {
        says(daemon, "sticky").await?;
    }
    for (verb, reason) in [
        ("rollback", "not_running"),
        ("resume", "sticky"),
        ("stop", "not_running"),
    ] {
        let done = asked.pitboss(&[verb, "story", "--yes", "--reason", "a drill"])?;
        assert!(done.status.success(), "{verb}: {done:?}");
        let unit = json!({ "unit": "somebody" });
        let at_once = asked.http().await?.post(ASSIGN, &unit).await?;
        assert_eq!(at_once.json["reason"], reason, "{}", at_once.text);
        for daemon in others {
            says(daemon, reason).await?;
        }
    }
    Ok(())
}

/// How `daemon` shows an arm of the story.
fn arm_at(daemon: &Installation, name: &str) -> Option<Value> {
    let shown = daemon.pitboss(&["show", "story", "--json"]).ok()?;
    let shown: Value = serde_json::from_slice(&shown.stdout).ok()?;
    let arms = shown["row"]["arms"].as_array()?;
    arms.iter().find(|arm| arm["name"] == name).cloned()
}

/// Waits until `daemon` shows an arm as closed, or as open again.
async fn quarantined_is(daemon: &Installation, name: &str, wanted: bool) {
    let what = format!("{name} to be quarantined: {wanted}");
    wait::until(&what, || async move {
        let arm = arm_at(daemon, name)?;
        let open = arm["share"].as_f64()? > 0.0;
        (arm["quarantined"] == wanted && open != wanted).then_some(())
    })
    .await;
}

/// What 40 units that nobody has seen draw.
async fn drawn(daemon: &Installation, who: &str) -> anyhow::Result<Vec<String>> {
    let mut http = daemon.http().await?;
    let mut arms = Vec::new();
    for number in 0..40 {
        let unit = json!({ "unit": format!("{who}-{number}") });
        let answer = http.post(ASSIGN, &unit).await?;
        let arm = answer.json["arm"].as_str().unwrap_or_default().to_owned();
        arms.push(arm);
    }
    Ok(arms)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_that_one_daemon_is_told_to_close_is_closed_at_all() -> anyhow::Result<()> {
    let fleet = Fleet::start(2).await?;
    let [asked, other] = &fleet.daemons[..] else {
        unreachable!("there are two")
    };
    asked.apply(QUICK)?;
    quarantined_is(other, "new", false).await;
    assert!(drawn(other, "before").await?.contains(&"new".to_owned()));
    let closed = asked.pitboss(&["quarantine", "story", "new", "--reason", "a drill"])?;
    assert!(closed.status.success(), "{closed:?}");
    assert!(!drawn(asked, "at-once").await?.contains(&"new".to_owned()));
    quarantined_is(other, "new", true).await;
    assert!(!drawn(other, "after").await?.contains(&"new".to_owned()));

    asked.apply(QUICK)?;
    quarantined_is(asked, "new", true).await;
    let opened = other.pitboss(&[
        "release",
        "story",
        "new",
        "--yes",
        "--reason",
        "it was a drill",
    ]);
    let opened = opened?;
    assert!(opened.status.success(), "{opened:?}");
    quarantined_is(asked, "new", false).await;
    assert!(drawn(asked, "again").await?.contains(&"new".to_owned()));

    let shipped = other.pitboss(&["ship", "story", "new", "--yes", "--reason", "it won"])?;
    assert!(shipped.status.success(), "{shipped:?}");
    says(asked, "shipped").await?;
    assert_eq!(drawn(asked, "for-all").await?, vec!["new"; 40]);
    let verified = asked.pitbossd(&["verify"])?;
    assert!(verified.status.success(), "{verified:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_that_race_on_a_unit_give_one_answer_and_an_event_has_one_effect()
-> anyhow::Result<()> {
    let fleet = Fleet::start(2).await?;
    let [first, second] = &fleet.daemons[..] else {
        unreachable!("there are two")
    };
    first.apply(QUICK)?;
    says(second, "sticky").await?;
    let (mut a, mut b) = (first.http().await?, second.http().await?);
    for number in 0..100 {
        let unit = json!({ "unit": format!("unit-{number}"), "expose": number % 2 == 0 });
        let (one, two) = tokio::try_join!(a.post(ASSIGN, &unit), b.post(ASSIGN, &unit))?;
        assert_eq!(
            one.json["arm"], two.json["arm"],
            "{} {}",
            one.text, two.text
        );
        let news = [&one, &two].map(|answer| answer.json["new"] == true);
        assert!(news[0] != news[1], "{} {}", one.text, two.text);
        expose_through(number, &mut a, &mut b).await?;
        let event =
            json!({ "unit": unit["unit"], "event": "conversion", "id": number.to_string() });
        let track = "/api/experiments/story/track";
        let (one, two) = tokio::try_join!(a.post(track, &event), b.post(track, &event))?;
        assert_eq!(one.json["event_id"], two.json["event_id"]);
    }
    let figure = |results: &Value, of: &str| results[of].as_u64().unwrap_or_default();
    let folded = second.results_until("story", "every window to close", |results| {
        (figure(results, "rewards") == 101).then(|| results.clone())
    });
    let results = folded.await?;
    let of = ["assignments", "exposures", "events", "duplicates"];
    let figures = of.map(|of| figure(&results, of));
    assert_eq!(figures, [101, 101, 100, 100], "{results}");
    let verified = first.pitbossd(&["verify"])?;
    assert!(verified.status.success(), "{verified:?}");
    Ok(())
}

/// Units that were not exposed when they were assigned are exposed through one daemon; the other, which has them in its
/// memory as not exposed, is asked again.
async fn expose_through(number: usize, a: &mut Http, b: &mut Http) -> anyhow::Result<()> {
    let unit = json!({ "unit": format!("unit-{number}") });
    if number % 2 == 1 {
        let exposed = b.post("/api/experiments/story/expose", &unit).await?;
        assert_eq!(exposed.json["exposed"], true, "{}", exposed.text);
    }
    let again = a.post(ASSIGN, &unit).await?.json;
    assert_eq!(again["new"], false, "{again}");
    Ok(())
}
