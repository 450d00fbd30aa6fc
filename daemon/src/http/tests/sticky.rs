//! Once answered, a unit keeps its arm.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::CHECKOUT;
use super::site::{Port, Site};

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
