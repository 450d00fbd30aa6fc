//! From a conversion to a changed allocation, and every posterior recomputed from the ledgers.

use harness::installation::Installation;
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
    let share = installation
        .results_until(
            "story",
            "the allocation to move",
            share_of_new_above_nine_tenths,
        )
        .await?;
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

/// The probability with which new units get `new`, once it is above 0.9.
pub(crate) fn share_of_new_above_nine_tenths(results: &Value) -> Option<f64> {
    let lanes = results["lanes"].as_array()?;
    let main = lanes.iter().find(|lane| lane["lane"] == "main")?;
    let arms = main["arms"].as_array()?;
    let new = arms.iter().find(|arm| arm["name"] == "new")?;
    new["share"].as_f64().filter(|share| *share > 0.9)
}
