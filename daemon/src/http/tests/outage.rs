//! The database goes away under the data port, and comes back.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::CHECKOUT;
use super::site::{Client, Port, Site};
use crate::postgres::Cluster;
use crate::store::Store;
use crate::testing::settings;

const ASSIGN: &str = "/api/experiments/checkout/assign";
const TRACK: &str = "/api/experiments/checkout/track";

/// A site whose database is away.
struct Away {
    port: Port,
    store: Store,
    directory: TempDir,
}

impl Away {
    async fn from(site: Site) -> Self {
        let Site { database, port } = site;
        let store = database.store.clone();
        let directory = database.stop().await;
        port.outage.breaker.opened().await;
        Self {
            port,
            store,
            directory,
        }
    }

    /// The database comes back; everything spooled is in it when this returns.
    async fn back(&self) -> Cluster {
        let cluster = Cluster::start(settings(self.directory.path()));
        let cluster = cluster.await.unwrap();
        self.port.outage.breaker.is_closed().await;
        let mut usage = self.port.outage.spool.usage();
        usage.wait_for(|usage| usage.records == 0).await.unwrap();
        cluster
    }

    async fn number(&self, query: &'static str) -> i64 {
        let asked = sqlx::query_scalar(query);
        asked.fetch_one(&self.store.pool).await.unwrap()
    }
}

async fn track(client: &mut Client, event: Value) -> super::site::Answer {
    client.post(TRACK, &event).await
}

#[tokio::test]
async fn without_a_database_known_units_keep_their_arm_and_events_are_spooled() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let known = client.post(ASSIGN, &json!({"unit": "known"})).await;
    let away = Away::from(site).await;

    let kept = client.post(ASSIGN, &json!({"unit": "known"})).await;
    let mut expected = known.json.clone();
    expected["reason"] = "stale".into();
    expected["new"] = false.into();
    assert_eq!(kept.json, expected);

    let stranger = client.post(ASSIGN, &json!({"unit": "stranger"})).await;
    assert_eq!(stranger.status, 200, "{}", stranger.text);
    assert_eq!(stranger.json["arm"], "green");
    assert_eq!(stranger.json["reason"], "outage");
    assert_eq!(stranger.json["new"], false);

    let event = json!({"unit": "known", "event": "purchase", "value": 2.5, "id": "a"});
    let spooled = track(&mut client, event.clone()).await;
    assert_eq!(spooled.status, 202, "{}", spooled.text);
    assert_eq!(spooled.json["durability"], "spool");
    let again = track(&mut client, event).await;
    assert_eq!(again.json["event_id"], spooled.json["event_id"]);
    let batch = json!([
        {"experiment": "checkout", "unit": "known", "event": "purchase"},
        {"experiment": "nope", "unit": "known", "event": "purchase"},
    ]);
    let taken = client.post("/api/track", &batch).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    assert_eq!(taken.json["results"][0]["durability"], "spool");
    assert_eq!(taken.json["results"][1]["status"], "rejected");

    let cluster = away.back().await;
    let landed = "select count(distinct event_id) from experiment_landing";
    assert_eq!(away.number(landed).await, 2);
    let same = "select count(*) from experiment_landing where value = 2.5 and kind = 0";
    assert_eq!(
        away.number(same).await,
        2,
        "the fold takes the first of them"
    );
    let stranger = client.post(ASSIGN, &json!({"unit": "stranger"})).await;
    assert_eq!(stranger.json["reason"], "split");
    let event = json!({"unit": "known", "event": "purchase"});
    let landed = track(&mut client, event).await;
    assert_eq!(
        (landed.status, &landed.json["durability"]),
        (200, &"db".into())
    );
    cluster.stop().await;
}

#[tokio::test]
async fn an_exposure_that_was_held_back_is_spooled_too() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let request = json!({"unit": "u", "expose": false});
    client.post(ASSIGN, &request).await;
    let away = Away::from(site).await;
    let expose = "/api/experiments/checkout/expose";
    // The second one is known to no cache: whether it has an arm is for the database to say.
    for unit in ["u", "stranger"] {
        let exposed = client.post(expose, &json!({"unit": unit})).await;
        assert_eq!(exposed.status, 202, "{}", exposed.text);
        assert_eq!(exposed.json["exposed"], true);
        assert_eq!(exposed.json["durability"], "spool");
    }
    let unknown = "/api/experiments/nope/expose";
    let unknown = client.post(unknown, &json!({"unit": "u"})).await;
    assert_eq!(unknown.status, 404, "{}", unknown.text);
    let cluster = away.back().await;
    let landed = "select count(*) from experiment_landing where kind = 1";
    assert_eq!(away.number(landed).await, 2);
    cluster.stop().await;
}

/// As after a restart: the daemon has the experiment, and the unit's record is in the database only.
#[tokio::test]
async fn an_exposure_of_a_unit_that_the_cache_does_not_have_counts_when_the_database_is_back() {
    let site = Site::with(CHECKOUT).await;
    let other = Port::open(&site.database.store).await;
    let mut there = other.client().await;
    there
        .post(ASSIGN, &json!({"unit": "u", "expose": false}))
        .await;
    let mut client = site.client().await;
    let away = Away::from(site).await;
    let expose = "/api/experiments/checkout/expose";
    let exposed = client.post(expose, &json!({"unit": "u"})).await;
    assert_eq!(exposed.status, 202, "{}", exposed.text);
    let cluster = away.back().await;
    let same = "select count(*) from experiment_landing l
        join experiment_assignments a using (experiment_id, unit_key)
        where l.kind = 1 and a.exposed_at is null";
    assert_eq!(away.number(same).await, 1);
    cluster.stop().await;
}

#[tokio::test]
async fn without_a_database_the_reads_show_what_is_known_or_say_that_it_is_away() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let (list, show) = ("/api/experiments", "/api/experiments/checkout");
    let known = client.get(show).await;
    assert!(known.json["stale"].is_null(), "{}", known.text);
    let other = Port::open(&site.database.store).await;
    let mut never_asked = other.client().await;
    let away = Away::from(site).await;
    other.outage.breaker.opened().await;

    let stale = client.get(show).await;
    assert_eq!(stale.status, 200, "{}", stale.text);
    assert_eq!(stale.json["stale"]["figures"], true);
    assert_eq!(stale.json["arms"], known.json["arms"]);
    let all = client.get(list).await;
    assert_eq!(all.json["experiments"][0], stale.json);
    // Nobody has looked at the figures since this one was started.
    let stale = never_asked.get(show).await;
    assert_eq!(stale.json["stale"]["figures"], false, "{}", stale.text);
    assert_eq!(stale.json["state"], "running");
    for path in ["results", "insights"] {
        let refused = client.get(&format!("{show}/{path}")).await;
        assert_eq!(refused.status, 503, "{}", refused.text);
        assert_eq!(refused.headers["retry-after"], "1");
    }

    let cluster = away.back().await;
    let fresh = client.get(show).await;
    assert!(fresh.json["stale"].is_null(), "{}", fresh.text);
    cluster.stop().await;
}

#[tokio::test]
async fn a_full_spool_says_so_and_takes_again() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let away = Away::from(site).await;
    let item = json!({"experiment": "checkout", "unit": "u", "event": "purchase"});
    let batch = Value::Array(vec![item; 1_000]);
    let mut taken = 0;
    let refused = loop {
        let answer = client.post("/api/track", &batch).await;
        match answer.status {
            202 => taken += 1,
            _ => break answer,
        }
        assert!(taken < 100, "the spool has 1 MiB");
    };
    assert!(taken > 0);
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert_eq!(refused.json["error"]["code"], "unavailable");
    assert_eq!(refused.headers["retry-after"], "1");
    let message = refused.json["error"]["message"].as_str().unwrap();
    assert!(message.contains("spool"), "{message}");

    let cluster = away.back().await;
    let landed = "select count(*) from experiment_landing";
    assert_eq!(away.number(landed).await, taken * 1_000);
    let answer = client.post("/api/track", &batch).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    cluster.stop().await;
}

/// Its rows are with the writer and in the spool, under one id.
#[tokio::test]
async fn an_event_whose_commit_is_not_known_is_spooled_as_well() {
    let site = Site::with(CHECKOUT).await;
    let mut client = site.client().await;
    let mut lock = site.database.store.pool.begin().await.unwrap();
    sqlx::query("lock table experiment_landing in exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let breaker = site.port.outage.breaker.clone();
    let event = json!({"unit": "u", "event": "purchase"});
    let tracked = tokio::spawn(async move { track(&mut client, event).await });
    site.until(
        "select count(*) from pg_locks where relation = 'experiment_landing'::regclass and not granted",
        1,
    )
    .await;
    breaker.open();
    let answer = tracked.await.unwrap();
    assert_eq!(answer.json["durability"], "spool", "{}", answer.text);
    lock.rollback().await.unwrap();
    site.until("select count(*) from experiment_landing", 2)
        .await;
    let ids = "select count(distinct event_id) from experiment_landing";
    assert_eq!(site.number(ids).await, 1);
}

const FROZEN: &str = r#"
[[experiment]]
key = "checkout"
state = "running"
reward = "purchase"
arms = ["green", "blue"]
control = "green"
on_outage = "frozen"
"#;

#[tokio::test]
async fn where_the_experiment_says_frozen_new_units_are_drawn_and_recorded_later() {
    let site = Site::with(FROZEN).await;
    let mut client = site.client().await;
    let away = Away::from(site).await;
    let mut arms = Vec::new();
    for n in 0..20 {
        let unit = json!({"unit": format!("u{n}")});
        let drawn = client.post(ASSIGN, &unit).await;
        assert_eq!(drawn.json["reason"], "frozen", "{}", drawn.text);
        assert_eq!(drawn.json["propensity"], 0.5);
        assert_eq!(drawn.json["version"], 1);
        assert_eq!(drawn.json["new"], true);
        let again = client.post(ASSIGN, &unit).await;
        assert_eq!(again.json["reason"], "stale");
        assert_eq!(again.json["arm"], drawn.json["arm"]);
        arms.push(drawn.json["arm"].clone());
    }
    assert!(arms.contains(&"green".into()) && arms.contains(&"blue".into()));

    let cluster = away.back().await;
    let recorded = "select count(*) from experiment_assignments where version = 1";
    assert_eq!(away.number(recorded).await, 20);
    let exposures = "select count(*) from experiment_landing where kind = 1";
    assert_eq!(away.number(exposures).await, 20);
    // As the database has it, and not as the cache of the daemon that drew it.
    let other = Port::open(&away.store).await;
    let mut client = other.client().await;
    for (n, arm) in arms.iter().enumerate() {
        let kept = client.post(ASSIGN, &json!({"unit": format!("u{n}")})).await;
        assert_eq!(&kept.json["arm"], arm);
        assert_eq!(kept.json["reason"], "sticky");
    }
    cluster.stop().await;
}
