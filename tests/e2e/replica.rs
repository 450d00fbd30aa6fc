//! Figures from a streaming replica, labelled; from the primary while it is away.

use harness::fleet::{Fleet, url};
use harness::installation::Installation;
use harness::replica::Replica;
use harness::wait;
use serde_json::{Value, json};

use crate::stories::QUICK;

/// The label of the results once it is `wanted`, and the results.
async fn labelled(daemon: &Installation, wanted: &str) -> anyhow::Result<Value> {
    let what = format!("results from the {wanted}");
    let of_database = |results: &Value| {
        let found = results["source"]["database"] == wanted;
        found.then(|| results.clone())
    };
    daemon.results_until("story", &what, of_database).await
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_from_the_replica_and_from_the_primary_while_it_is_away() -> anyhow::Result<()>
{
    let mut fleet = Fleet::without_daemons().await?;
    let replica = Replica::of(&fleet.database).await?;
    let replica_url = url(replica.socket_dir(), 5432);
    let told = ["--replica-url", &replica_url, "--replica-max-lag", "2s"];
    fleet.add(&told).await?;
    let daemon = &fleet.daemons[0];
    daemon.apply(QUICK)?;
    let mut http = daemon.http().await?;
    for number in 0..10 {
        let unit = json!({ "unit": number.to_string() });
        let answer = http.post("/api/experiments/story/assign", &unit).await?;
        assert_eq!(answer.json["new"], true, "{}", answer.text);
    }
    let told = daemon.results_until("story", "the replica to have it", |results| {
        let here = results["source"]["database"] == "replica" && results["assignments"] == 10;
        here.then(|| results["source"].clone())
    });
    let source = told.await?;
    let lag = source["replica_lag_seconds"].as_f64();
    assert!(lag.is_some_and(|lag| lag <= 2.0), "{source}");
    let closed = daemon.results_until("story", "a window to have closed", |results| {
        let here = results["source"]["database"] == "replica";
        (here && results["rewards"].as_u64() > Some(0)).then_some(())
    });
    closed.await?;
    for words in [
        &["results", "story"][..],
        &["insights", "story"],
        &["whatif", "story", "--policy", "arm:old"],
    ] {
        let said = daemon.pitboss(words)?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains("from a replica, "), "{said}");
    }

    // What has not been replayed is not in the figures, and the lag says so.
    replica.pause().await?;
    let unit = json!({ "unit": "late" });
    http.post("/api/experiments/story/assign", &unit).await?;
    let behind = labelled(daemon, "primary").await?;
    let note = behind["source"]["note"].as_str().unwrap_or_default();
    assert!(note.contains("over its limit of 2 s"), "{behind}");
    assert_eq!(behind["assignments"], 11, "{behind}");
    replica.resume().await?;
    labelled(daemon, "replica").await?;

    replica.stop().await;
    let away = labelled(daemon, "primary").await?;
    assert_eq!(away["assignments"], 11, "{away}");
    let metrics = wait::until("the fallback to be counted", || async {
        let mut admin = harness::http::Http::connect(&daemon.admin_address())
            .await
            .ok()?;
        let text = admin.get("/metrics").await.ok()?.text;
        text.contains("pitboss_replica_fallbacks_total")
            .then_some(text)
    });
    assert!(metrics.await.contains("pitboss_replica_lag_seconds"));
    Ok(())
}
