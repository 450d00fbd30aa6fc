//! From a conversion to a changed allocation, and every posterior recomputed from the ledgers.

use harness::installation::Installation;
use harness::wait;
use serde_json::{Value, json};

use crate::stories::QUICK;

#[tokio::test(flavor = "multi_thread")]
async fn traffic_moves_to_the_arm_that_converts_and_everything_verifies() -> anyhow::Result<()> {
    let installation = Installation::start().await?;
    installation.apply(QUICK)?;
    let mut http = installation.http().await?;
    for number in 0..200 {
        let unit = format!("unit-{number}");
        let answer = http
            .post("/api/experiments/story/assign", &json!({ "unit": unit }))
            .await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        if answer.json["arm"] == "new" && number % 2 == 0 {
            let event = json!({ "unit": unit, "event": "conversion" });
            let answer = http.post("/api/experiments/story/track", &event).await?;
            assert!(answer.status.is_success(), "{}", answer.text);
        }
    }
    let share = share_of_new_above(&installation, 0.9).await;
    assert!(
        share <= 0.95 + 1e-9,
        "the floor of 5 % holds, but the share is {share}"
    );

    let explained = installation.pitboss(&["explain", "story", "unit-7", "--json"])?;
    let explained: Value = serde_json::from_slice(&explained.stdout)?;
    assert_eq!(explained["agrees"], true, "{explained}");

    let verified = installation.pitbossd(&["verify"])?;
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
    Ok(())
}

/// Waits until new units get `new` with more than `wanted`, and gives that probability.
async fn share_of_new_above(installation: &Installation, wanted: f64) -> f64 {
    let client = tokio::sync::Mutex::new(installation.http().await.expect("the daemon is up"));
    let client = &client;
    wait::until("the allocation to move", move || async move {
        let results = client
            .lock()
            .await
            .get("/api/experiments/story/results")
            .await
            .ok()?
            .json;
        let main = results["lanes"]
            .as_array()?
            .iter()
            .find(|lane| lane["lane"] == "main")?;
        let new = main["arms"]
            .as_array()?
            .iter()
            .find(|arm| arm["name"] == "new")?;
        new["share"].as_f64().filter(|share| *share > wanted)
    })
    .await
}
