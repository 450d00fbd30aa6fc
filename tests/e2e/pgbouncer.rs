//! Daemons behind `PgBouncer` in transaction mode.

use harness::fleet::Fleet;
use harness::pgbouncer::PgBouncer;
use serde_json::json;

use crate::fleet::says;
use crate::learning::share_of_new_above_nine_tenths;
use crate::stories::QUICK;

#[tokio::test(flavor = "multi_thread")]
async fn daemons_behind_a_pooler_assign_track_fold_publish_and_verify() -> anyhow::Result<()> {
    let mut fleet = Fleet::without_daemons().await?;
    let Some(pooler) = PgBouncer::start(fleet.database.cluster().socket_dir()).await? else {
        println!("skipped: pgbouncer is not installed (apt-get install pgbouncer)");
        return Ok(());
    };
    let pooled = ["--database-pooler", "transaction"];
    for _ in 0..2 {
        fleet.add_on(&pooler.url(), &pooled).await?;
    }
    let [first, second] = &fleet.daemons[..] else {
        unreachable!("two were added")
    };
    first.apply(QUICK)?;
    says(second, "sticky").await?;
    let mut http = first.http().await?;
    let mut other = second.http().await?;
    for number in 0..200 {
        let unit = format!("unit-{number}");
        let assign = "/api/experiments/story/assign";
        let answer = http.post(assign, &json!({ "unit": unit })).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json["reason"], "split", "{}", answer.text);
        if answer.json["arm"] == "new" && number % 2 == 0 {
            let event = json!({ "unit": unit, "event": "conversion" });
            let answer = other.post("/api/experiments/story/track", &event).await?;
            assert!(answer.status.is_success(), "{}", answer.text);
        }
    }
    let moved = second.results_until(
        "story",
        "the allocation to move",
        share_of_new_above_nine_tenths,
    );
    moved.await?;
    for verb in ["pause", "resume", "stop"] {
        let done = second.pitboss(&[verb, "story", "--yes", "--reason", "a drill"])?;
        assert!(done.status.success(), "{verb}: {done:?}");
    }
    let verified = first.pitbossd(&["verify"])?;
    assert!(verified.status.success(), "{verified:?}");
    Ok(())
}
