//! The small columns of the campaigns, and that their judge sees what it must.

use harness::campaign::driver::fresh_visit;
use harness::campaign::runs;
use harness::campaign::site::Site;
use harness::campaign::{self, Options};
use tokio::sync::Mutex;

/// Three daemons and a database each: one at a time is enough for two cores.
static TURN: Mutex<()> = Mutex::const_new(());

/// Runs the small column of `name`.
async fn holds(name: &str) -> anyhow::Result<()> {
    let _turn = TURN.lock().await;
    let campaign = runs::find(name).expect("the campaign is in the list");
    let options = Options {
        seed: 7,
        full: false,
    };
    let (report, holds) = campaign::run(campaign, options).await?;
    assert!(holds, "{report:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn k1_daemons_are_killed_and_nothing_is_lost_or_doubled() -> anyhow::Result<()> {
    holds("k1").await
}

#[tokio::test(flavor = "multi_thread")]
async fn k2_postgresql_is_killed_and_nothing_is_lost_or_doubled() -> anyhow::Result<()> {
    holds("k2").await
}

#[tokio::test(flavor = "multi_thread")]
async fn k3_both_are_killed_and_nothing_is_lost_or_doubled() -> anyhow::Result<()> {
    holds("k3").await
}

#[tokio::test(flavor = "multi_thread")]
async fn k4_daemons_are_restarted_one_after_the_other_and_no_call_fails() -> anyhow::Result<()> {
    holds("k4").await
}

#[tokio::test(flavor = "multi_thread")]
async fn k5_a_frozen_leader_is_taken_over_from_and_comes_back_harmless() -> anyhow::Result<()> {
    holds("k5").await
}

#[tokio::test(flavor = "multi_thread")]
async fn n1_the_network_to_the_database_is_bad_and_nothing_is_lost_or_doubled() -> anyhow::Result<()>
{
    holds("n1").await
}

/// Without this the campaigns could hold because their judge is blind.
#[tokio::test(flavor = "multi_thread")]
async fn the_judge_sees_what_is_taken_away_doubled_or_made_up() -> anyhow::Result<()> {
    let _turn = TURN.lock().await;
    let site = Site::open(11, 1).await?;
    let ports = site.fleet.data_ports();
    for _ in 0..4 {
        assert!(fresh_visit(&site.oracle, &ports, 0).await);
    }
    site.settle().await?;
    let clean = site.look().await?;
    assert!(clean.is_clean(), "{clean:?}");
    assert!(clean.events.found > 10, "{clean:?}");

    let mut database = site.database.connect().await?;
    for (harm, statement) in [
        (
            "two events lost",
            "delete from experiment_events where event_id in
             (select event_id from experiment_events order by event_id desc limit 2)",
        ),
        (
            "an event doubled",
            "insert into experiment_events
             select experiment_id, gen_random_uuid(), unit_key, event, value, digest, at, received_at, outcome
             from experiment_events order by event_id limit 1",
        ),
        (
            "an event made up",
            "insert into experiment_events
             select experiment_id, gen_random_uuid(), decode(repeat('ab', 16), 'hex'), event, value, digest, at,
                    received_at, outcome
             from experiment_events limit 1",
        ),
        (
            "an assignment moved",
            "update experiment_assignments set arm = (arm + 1) % 2 where unit_key in
             (select unit_key from experiment_assignments limit 1)",
        ),
    ] {
        let done = sqlx::query(statement).execute(&mut database).await?;
        assert!(done.rows_affected() > 0, "{harm}");
    }
    let seen = site.look().await?;
    let counts = (seen.events.doubled, seen.events.lost, seen.events.strange);
    assert_eq!(counts, (1, 2, 1), "{seen:?}");
    assert_eq!(seen.assignments.lost, 1, "{seen:?}");
    assert!(!seen.is_clean());
    Ok(())
}
