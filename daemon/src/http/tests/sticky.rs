//! Once answered, a unit keeps its arm.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::CHECKOUT;
use super::site::{Port, Site};
use crate::world::snapshot;

const ASSIGN: &str = "/api/experiments/checkout/assign";

/// Assigns `unit` and gives the answer.
async fn assign(port: &Port, unit: &str) -> Value {
    let answer = port
        .client()
        .await
        .post(ASSIGN, &json!({"unit": unit}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

#[tokio::test]
async fn an_arm_that_another_daemon_has_just_added_is_served_here_too() {
    let site = Site::with(CHECKOUT).await;
    let behind = Port::open(&site.database.store).await;
    let grown = format!("{CHECKOUT}\n[[experiment.arm]]\nname = \"red\"\n");
    site.apply(&grown).await;
    let mut red = 0;
    for n in 0..30 {
        let unit = format!("u{n}");
        let there = assign(&site.port, &unit).await;
        let here = assign(&behind, &unit).await;
        assert_eq!(here["arm"], there["arm"], "{here}");
        assert_eq!(here["reason"], "sticky", "{here}");
        red += usize::from(here["arm"] == "red");
    }
    assert!(red > 0, "a third of them get it");
}

/// Units of an arm that is quarantined; the rest of the story depends on what the experiment says.
async fn quarantined(file: &str) -> (Site, Vec<Value>) {
    let site = Site::with(file).await;
    let mut on_blue = Vec::new();
    for n in 0..20 {
        let unit = json!({"unit": format!("u{n}"), "expose": false});
        let assigned = site.client().await.post(ASSIGN, &unit).await.json;
        if assigned["arm"] == "blue" {
            on_blue.push(json!(format!("u{n}")));
        }
    }
    assert!(!on_blue.is_empty(), "half of them get it");
    site.quarantine("checkout", "blue").await;
    for n in 20..40 {
        let new = assign(&site.port, &format!("u{n}")).await;
        assert_eq!(new["arm"], "green", "{new}");
        assert_eq!(new["reason"], "split", "{new}");
    }
    (site, on_blue)
}

/// What a daemon that starts without the database reads of the quarantine.
#[tokio::test]
async fn a_quarantine_is_in_the_file_that_a_daemon_starts_from_without_the_database() {
    let file = CHECKOUT.replace(
        "[[experiment]]",
        "[[experiment]]\non_quarantine = \"control\"",
    );
    let (site, _) = quarantined(&file).await;
    let world = site.port.world.load();
    let saved = snapshot::write(&world, [7; 16], chrono::DateTime::UNIX_EPOCH);
    let back = snapshot::read(&saved).unwrap().world;
    let (back, live) = (
        back.get("checkout").unwrap(),
        world.get("checkout").unwrap(),
    );
    assert_eq!(back.serving, live.serving);
    assert_eq!(back.holds, ["quarantine blue"]);
    assert!(back.serving.arms.iter().any(|arm| arm.quarantined));
}

async fn served(port: &Port, unit: &Value) -> (Value, Value) {
    let answer = assign(port, unit.as_str().unwrap()).await;
    (answer["arm"].clone(), answer["reason"].clone())
}

#[tokio::test]
async fn units_of_a_quarantined_arm_keep_it_and_nobody_new_gets_it() {
    let (site, on_blue) = quarantined(CHECKOUT).await;
    for unit in &on_blue {
        assert_eq!(
            served(&site.port, unit).await,
            (json!("blue"), json!("sticky"))
        );
    }
    site.release("checkout").await;
    let mut blue = 0;
    for n in 40..60 {
        blue += usize::from(assign(&site.port, &format!("u{n}")).await["arm"] == "blue");
    }
    assert!(blue > 0, "half of the new ones get it again");
    let store = &site.database.store;
    let report = crate::verify::verify(store, &mut crate::verify::unwatched).await;
    let report = report.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn units_of_a_quarantined_arm_get_control_where_the_file_says_so_and_are_no_trial() {
    let file = CHECKOUT.replace(
        "[[experiment]]",
        "[[experiment]]\non_quarantine = \"control\"",
    );
    let (site, on_blue) = quarantined(&file).await;
    let afresh = Port::open(&site.database.store).await;
    let landed = site.count("experiment_landing").await;
    for unit in &on_blue {
        for port in [&site.port, &afresh] {
            let there = served(port, unit).await;
            assert_eq!(there, (json!("green"), json!("arm_quarantined")));
        }
        let answer = assign(&site.port, unit.as_str().unwrap()).await;
        assert!(
            answer["lane"].is_null() && answer["assignment"].is_null(),
            "{answer}"
        );
    }
    assert_eq!(
        site.count("experiment_landing").await,
        landed,
        "nobody was exposed"
    );
    site.release("checkout").await;
    for unit in &on_blue {
        assert_eq!(
            served(&site.port, unit).await,
            (json!("blue"), json!("sticky"))
        );
    }
    let exposed = landed + on_blue.len() as i64;
    assert_eq!(site.count("experiment_landing").await, exposed);
}

#[tokio::test]
async fn two_daemons_racing_on_one_unit_give_one_answer() {
    const UNITS: usize = 100;
    let site = Site::with(CHECKOUT).await;
    let other = Port::open(&site.database.store).await;
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..UNITS {
        for port in [&site.port, &other, &site.port, &other] {
            let ingest = std::sync::Arc::clone(&port.ingest);
            asked.spawn(async move {
                let live = ingest.world().load().get("checkout").cloned().unwrap();
                let unit = ingest.unit_key(&format!("u{n}"));
                let nothing = bandit::spec::model::Attributes::new();
                let assigned = ingest.assign(&live, unit, &nothing, true).await.unwrap();
                (n, assigned)
            });
        }
    }
    let mut by_unit: HashMap<usize, Vec<crate::ingest::Assigned>> = HashMap::new();
    while let Some(answered) = asked.join_next().await {
        let (n, assigned) = answered.unwrap();
        by_unit.entry(n).or_default().push(assigned);
    }
    assert_eq!(by_unit.len(), UNITS);
    for answers in by_unit.values() {
        assert_eq!(answers.iter().filter(|answer| answer.new).count(), 1);
        assert!(
            answers
                .iter()
                .all(|answer| answer.recorded == answers[0].recorded)
        );
    }
    assert_eq!(site.count("experiment_assignments").await, UNITS as i64);
    let counted = site
        .number("select sum(assigned) from experiment_assigned_counts")
        .await;
    assert_eq!(counted, UNITS as i64);
}

#[tokio::test]
async fn less_traffic_other_targeting_and_a_pause_move_nobody_who_is_in() {
    let site = Site::with(CHECKOUT).await;
    let mut before = Vec::new();
    for n in 0..20 {
        before.push(assign(&site.port, &format!("u{n}")).await);
    }
    let changes = [
        ("traffic = 0\n", "out_of_traffic"),
        ("targeting = { country = \"SN\" }\n", "not_eligible"),
        ("state = \"paused\"\n", "not_running"),
    ];
    for (change, reason) in changes {
        let file = CHECKOUT.replace(
            "state = \"running\"
",
            change,
        );
        site.apply(&file).await;
        // Another daemon has an empty cache: what it says comes from the database.
        let fresh = Port::open(&site.database.store).await;
        for port in [&site.port, &fresh] {
            for (n, before) in before.iter().enumerate() {
                let now = assign(port, &format!("u{n}")).await;
                assert_eq!(now["arm"], before["arm"], "{change}");
                assert_eq!(now["reason"], "sticky", "{change}");
                assert_eq!(now["propensity"], before["propensity"]);
                assert_eq!(now["assignment"], before["assignment"]);
            }
            let stranger = assign(port, "stranger").await;
            assert_eq!(stranger["arm"], "green", "{change}");
            assert_eq!(stranger["reason"], reason);
            assert_eq!(stranger["new"], false);
            for unknown in ["lane", "version", "propensity", "assignment"] {
                assert_eq!(stranger[unknown], Value::Null);
            }
        }
    }
    assert_eq!(site.count("experiment_assignments").await, 20);
}

#[tokio::test]
async fn a_stopped_experiment_gives_everyone_control() {
    let site = Site::with(CHECKOUT).await;
    for n in 0..10 {
        assign(&site.port, &format!("u{n}")).await;
    }
    site.apply(&CHECKOUT.replace("running", "stopped")).await;
    for n in 0..12 {
        let answer = assign(&site.port, &format!("u{n}")).await;
        assert_eq!(answer["arm"], "green");
        assert_eq!(answer["reason"], "not_running");
        assert_eq!(answer["assignment"], Value::Null);
    }
}

#[tokio::test]
async fn an_assign_whose_caller_hangs_up_is_recorded_all_the_same() {
    let site = Site::with(CHECKOUT).await;
    let mut in_the_way = site.database.store.pool.begin().await.unwrap();
    sqlx::query("lock table experiment_assignments in share mode")
        .execute(&mut *in_the_way)
        .await
        .unwrap();
    let body = "{\"unit\":\"gone\"}";
    let length = body.len();
    let request =
        format!("POST {ASSIGN} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}");
    let mut stream = TcpStream::connect(site.port.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    site.until("select count(*) from pg_locks where not granted", 1)
        .await;
    drop(stream);
    in_the_way.rollback().await.unwrap();
    site.until("select count(*) from experiment_assignments", 1)
        .await;
    assert_eq!(assign(&site.port, "gone").await["reason"], "sticky");
}

#[tokio::test]
async fn the_world_shares_what_did_not_change() {
    let second = CHECKOUT.replace("checkout", "pricing");
    let site = Site::with(&format!("{CHECKOUT}{second}")).await;
    let before = site.port.world.load();
    site.apply(&CHECKOUT.replace("reward", "traffic = 0.5\nreward"))
        .await;
    let after = site.port.world.load();
    let same =
        |key: &str| std::sync::Arc::ptr_eq(before.get(key).unwrap(), after.get(key).unwrap());
    assert!(same("pricing"));
    assert!(!same("checkout"));
    assert!(after.revision > before.revision);
}
