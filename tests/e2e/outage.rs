//! The database is killed under a daemon, then the daemon itself: nothing that was acknowledged is lost or
//! counted twice, and an operator can still stop the harm.

use anyhow::{Context, ensure};
use daemon::postgres::Cluster;
use daemon::testing::{database, settings};
use harness::http::Http;
use harness::installation::Installation;
use harness::wait;
use serde_json::{Value, json};

use crate::stories::QUICK;

/// What `/readyz` says, once `wanted` likes it.
async fn ready(site: &Installation, what: &str, wanted: fn(&Value) -> bool) -> Value {
    let address = site.admin_address();
    let address = address.as_str();
    wait::until(what, move || async move {
        let mut admin = Http::connect(address).await.ok()?;
        let answer = admin.get("/readyz").await.ok()?;
        (answer.status == 200 && wanted(&answer.json)).then_some(answer.json)
    })
    .await
}

async fn number(store: &daemon::store::Store, query: &'static str) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar(query).fetch_one(&store.pool).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_in_an_outage_survives_kill_9_and_counts_once() -> anyhow::Result<()>
{
    let database = database().await;
    let store = database.store.clone();
    let socket = database.data_dir().join("socket");
    let url = format!("postgres:///pitboss?host={}&user=pitboss", socket.display());
    let data = tempfile::Builder::new().prefix("pitboss-test-").tempdir()?;
    let told = vec!["--database-url".to_owned(), url];
    let mut site = Installation::start_with(data, told).await?;
    site.apply(QUICK)?;
    let mut http = site.http().await?;
    let assign = "/api/experiments/story/assign";
    let unit = json!({"unit": "ana"});
    let first = http.post(assign, &unit).await?;
    ensure!(first.json["reason"] == "split", "{}", first.text);
    let saved = site.data_dir().join("world.snapshot");
    let saved = saved.as_path();
    wait::until("the saved world has the experiment", move || async move {
        let text = std::fs::read_to_string(saved).ok()?;
        text.contains("\"story\"").then_some(())
    })
    .await;

    let directory = database.stop().await;
    let event = json!({"unit": "ana", "event": "conversion", "id": "order-1"});
    let track = "/api/experiments/story/track";
    let spooled = http.post(track, &event).await?;
    ensure!(spooled.status == 202, "{}", spooled.text);
    ensure!(spooled.json["durability"] == "spool", "{}", spooled.text);
    let kept = http.post(assign, &unit).await?;
    ensure!(kept.json["arm"] == first.json["arm"], "{}", kept.text);
    ensure!(kept.json["reason"] == "stale", "{}", kept.text);

    site.kill_daemon()?;
    site.start_daemon().await?;
    let body = ready(&site, "it serves without its database", |_| true).await;
    ensure!(body["database"]["state"] == "away", "{body}");
    ensure!(body["spool"]["records"] == 1, "{body}");
    let mut http = site.http().await?;
    let control = http.post(assign, &unit).await?;
    ensure!(control.json["reason"] == "outage", "{}", control.text);
    let again = http.post(track, &event).await?;
    ensure!(
        again.json["event_id"] == spooled.json["event_id"],
        "{}",
        again.text
    );
    let inspected = site.pitbossd(&["spool", "inspect", "--json"])?;
    let inspected: Value = serde_json::from_slice(&inspected.stdout)?;
    ensure!(
        inspected["events"] == 2 && inspected["corrupt"] == 0,
        "{inspected}"
    );

    let refused = site.pitboss(&["pause", "story", "--yes", "--reason", "a test"])?;
    ensure!(refused.status.code() == Some(4), "{refused:?}");
    let stopped = site.pitboss(&["rollback", "story", "--yes", "--reason", "it burns"])?;
    let said = String::from_utf8_lossy(&stopped.stdout);
    ensure!(
        stopped.status.success() && said.contains("on this daemon"),
        "{stopped:?}"
    );
    let nobody = http.post(assign, &json!({"unit": "bob"})).await?;
    ensure!(nobody.json["reason"] == "not_running", "{}", nobody.text);
    site.kill_daemon()?;
    site.start_daemon().await?;
    let mut http = site.http().await?;
    let nobody = http.post(assign, &json!({"unit": "bob"})).await?;
    ensure!(nobody.json["reason"] == "not_running", "{}", nobody.text);

    let cluster = Cluster::start(settings(directory.path())).await?;
    ready(&site, "the spool is empty", |body| {
        body["database"]["state"] == "there" && body["spool"]["records"] == 0
    })
    .await;
    let store = &store;
    wait::until("the event is in the ledger", || async {
        let landed = number(store, "select count(*) from experiment_landing")
            .await
            .ok()?;
        let events = number(store, "select count(*) from experiment_events")
            .await
            .ok()?;
        (landed == 0 && events > 0).then_some(())
    })
    .await;
    ensure!(number(store, "select count(*) from experiment_events").await? == 1);
    wait::until("the rollback is in the database", || async {
        let holds = "select count(*) from experiment_holds where kind = 'rollback'";
        (number(store, holds).await.ok()? == 1).then_some(())
    })
    .await;
    let audit = site.pitboss(&["audit", "--json"])?;
    ensure!(String::from_utf8_lossy(&audit.stdout).contains("it burns"));
    let verified = site.pitbossd(&["verify"])?;
    let said = String::from_utf8_lossy(&verified.stdout);
    ensure!(verified.status.success(), "{said}");
    let ended = site.stop_daemon().context("it drains")?;
    ensure!(ended.code() == Some(0), "{ended:?}: {}", site.log());
    cluster.stop().await;
    Ok(())
}
