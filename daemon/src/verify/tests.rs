//! Every kind of tampering is found and named; nothing else is.

use std::collections::BTreeSet;

use crate::store::{StoreError, TxFuture};
use crate::workers::fixture::{CHECKOUT, Event, Fixture, hours};
use crate::workers::publish;

use super::{Pace, PageSize, Step, unwatched, verify, verify_at};

/// 250 units over two versions, with events of every standing, some windows open, some closed.
async fn eventful() -> Fixture {
    let fixture = Fixture::start(CHECKOUT).await;
    let first: Vec<u32> = (0..200).collect();
    fixture.assign_all(&first, fixture.start, true).await;
    let event = |unit: u32, name, after| Event {
        unit,
        name,
        value: None,
        id: u128::from(unit) * 100 + after as u128,
        at: fixture.start + hours(after),
    };
    let bought: Vec<Event> = (0..60).map(|unit| event(unit, "purchase", 1)).collect();
    fixture.land(&bought).await;
    fixture.fold(fixture.start + hours(1)).await;
    let mut events: Vec<Event> = (0..20).map(|unit| event(unit, "refund", 2)).collect();
    events.extend((40..50).map(|unit| event(unit, "page_view", 3)));
    events.extend((100..110).map(|unit| event(unit, "purchase", 25)));
    events.extend((500..505).map(|unit| event(unit, "purchase", 1)));
    fixture.land(&events).await;
    fixture.fold(fixture.start + hours(2)).await;
    fixture.fold(fixture.start + hours(26)).await;
    let ids = BTreeSet::from([fixture.id]);
    let (ids, now) = (&ids, fixture.start + hours(26));
    let published = fixture
        .store()
        .run_tx("publish", |tx| {
            TxFuture::new(async move {
                let published = publish::round(tx, ids, now).await;
                published.map_err(|error| StoreError::unreadable("publication", error))
            })
        })
        .await
        .unwrap();
    assert_eq!(published.versions.len(), 1, "{published:?}");
    let second: Vec<u32> = (200..250).collect();
    fixture.assign_all(&second, now, true).await;
    let late: Vec<Event> = (200..210).map(|unit| event(unit, "purchase", 27)).collect();
    fixture.land(&late).await;
    fixture.fold(now + hours(1)).await;
    // Acknowledged, not yet counted: no difference.
    fixture.assign_all(&[300, 301], now, true).await;
    fixture
}

#[tokio::test]
async fn nothing_differs_in_what_the_workers_wrote() {
    let fixture = eventful().await;
    let report = verify(fixture.store(), &mut unwatched).await.unwrap();
    assert!(report.is_clean(), "{report}");
    let one = &report.experiments[0];
    assert_eq!(
        (one.assignments, one.exposures, one.uncounted),
        (252, 252, 2)
    );
    assert_eq!(one.events, 60 + 20 + 10 + 10 + 5 + 10);
    assert_eq!(one.versions, 3);
}

/// So little at once that everything has many pages.
const SMALL: Pace = Pace {
    page: PageSize {
        units: 7,
        events: 3,
    },
    blocks: 1,
};

#[tokio::test]
async fn how_much_is_read_at_once_changes_nothing() {
    let fixture = eventful().await;
    // Somebody else's events, more than a page of them and no assignment.
    let strangers: Vec<Event> = (600..640)
        .map(|unit| Event {
            unit,
            name: "purchase",
            value: None,
            id: u128::from(unit),
            at: fixture.start + hours(2),
        })
        .collect();
    fixture.land(&strangers).await;
    fixture.fold(fixture.start + hours(28)).await;
    let mut steps = Vec::new();
    let mut watch = |step: Step<'_>| steps.push(step.to_string());
    let paged = verify_at(fixture.store(), SMALL, &mut watch).await.unwrap();
    assert_eq!(
        paged,
        verify(fixture.store(), &mut unwatched).await.unwrap()
    );
    assert!(paged.is_clean(), "{paged}");
    assert!(
        steps.contains(&"events ledger: 100 %".to_owned()),
        "{steps:?}"
    );
    let units = steps.iter().filter(|step| step.starts_with("checkout: "));
    assert!(units.count() > 252 / 7, "{steps:?}");

    for tampering in [
        "update experiment_event_counts set count = count + 1 where event = 'page_view'",
        "delete from experiment_events where event_id = (select max(event_id::text)::uuid from experiment_events)",
    ] {
        assert_eq!(fixture.execute(tampering).await, 1, "{tampering}");
    }
    let paged = verify_at(fixture.store(), SMALL, &mut unwatched)
        .await
        .unwrap();
    assert_eq!(
        paged,
        verify(fixture.store(), &mut unwatched).await.unwrap()
    );
    assert!(paged.to_string().contains("count of events"), "{paged}");
}

/// A statement that tampers, and words that the report must have.
const TAMPERING: [(&str, &str); 18] = [
    (
        "update experiment_bandit_state set resolved = resolved + 1 where lane = 1 and arm = 0 and version = 1",
        "state of lane 1",
    ),
    (
        "update experiment_bandit_state set reward_sum_micro = reward_sum_micro - 1 where lane = 1 and version = 1",
        "state of lane 1",
    ),
    (
        "delete from experiment_bandit_state where lane = 0",
        "state of lane 0",
    ),
    (
        "insert into experiment_bandit_state (experiment_id, lane, arm, version, assigned) values (1, 1, 0, 9, 1)",
        "version 9",
    ),
    (
        "update experiment_assigned_counts set assigned = assigned + 1",
        "assigned",
    ),
    (
        "delete from experiment_rewards where (unit_key, entry) in (select unit_key, entry from experiment_rewards where kind = 2 limit 1)",
        "reward",
    ),
    (
        "update experiment_rewards set reward_micro = 500000 where kind = 2 and unit_key = (select unit_key from experiment_rewards order by unit_key limit 1)",
        "reward of unit",
    ),
    (
        "update experiment_rewards set kind = 0 where kind = 1",
        "reward entry",
    ),
    (
        "update experiment_rewards set arm = 1 - arm where kind = 0",
        "reward entry",
    ),
    (
        "delete from experiment_events where (experiment_id, event_id) in (select experiment_id, event_id from experiment_events e where event = 'refund' limit 1)",
        "reward of unit",
    ),
    (
        "update experiment_events set outcome = 3 where event = 'page_view'",
        "standing of event",
    ),
    (
        "update experiment_events set at = at - interval '2 days' where event = 'purchase' and outcome = 0",
        "reward of unit",
    ),
    (
        "update experiment_policy_versions set allocation = array[allocation[2], allocation[1]] where lane = 1 and version = 2",
        "allocation of version 2 of lane 1",
    ),
    (
        "update experiment_policy_versions set resolved = array[resolved[1] + 1, resolved[2]] where lane = 1 and version = 2",
        "what version 2 of lane 1 learned of arm 0",
    ),
    (
        "update experiment_policy_versions set learned_n = array[learned_n[1] + 0.5, learned_n[2]] where lane = 1 and version = 2",
        "allocation of version 2 of lane 1",
    ),
    (
        "update experiment_policy_versions set burn_in = null where lane = 1 and version = 1",
        "burn-in of version 1 of lane 1",
    ),
    (
        "update experiment_assignments set arm = 1 - arm where unit_key = (select unit_key from experiment_assignments order by unit_key limit 1)",
        "draw of unit",
    ),
    (
        "update experiment_assignments set open = true where not open",
        "reward entry",
    ),
];

const LEDGERS: [&str; 6] = [
    "experiment_bandit_state",
    "experiment_assigned_counts",
    "experiment_rewards",
    "experiment_events",
    "experiment_policy_versions",
    "experiment_assignments",
];

#[tokio::test]
async fn every_kind_of_tampering_is_found_and_named() {
    let fixture = eventful().await;
    for table in LEDGERS {
        let sql = format!("create table kept_{table} as select * from {table}");
        run(&fixture, sql).await;
    }
    for (tampering, words) in TAMPERING {
        assert!(
            fixture.execute(tampering).await > 0,
            "no effect: {tampering}"
        );
        let report = verify(fixture.store(), &mut unwatched).await.unwrap();
        assert!(!report.is_clean(), "not found: {tampering}");
        assert!(report.to_string().contains(words), "{tampering}:\n{report}");
        for table in LEDGERS {
            run(&fixture, format!("truncate {table}")).await;
            // The identity column of the counts takes its own numbers.
            let columns = if table == "experiment_assigned_counts" {
                "experiment_id, lane, arm, version, assigned, exposed, at"
            } else {
                "*"
            };
            let target = if columns == "*" {
                String::new()
            } else {
                format!(" ({columns})")
            };
            run(
                &fixture,
                format!("insert into {table}{target} select {columns} from kept_{table}"),
            )
            .await;
        }
    }
    let report = verify(fixture.store(), &mut unwatched).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_version_of_before_the_learned_sums_were_stored_is_no_difference() {
    let fixture = eventful().await;
    fixture
        .execute(
            "update experiment_policy_versions
             set learned_n = '{}', learned_sum = '{}', learned_sum_sq = '{}', edition = 0",
        )
        .await;
    let report = verify(fixture.store(), &mut unwatched).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_missing_version_is_named() {
    let fixture = eventful().await;
    fixture
        .execute("delete from experiment_policy_versions where lane = 1 and version = 1")
        .await;
    let report = verify(fixture.store(), &mut unwatched).await.unwrap();
    assert!(
        report.to_string().contains("version 1 of lane 1"),
        "{report}"
    );
}

async fn run(fixture: &Fixture, sql: String) {
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .execute(&fixture.store().pool)
        .await
        .unwrap();
}
