//! Two policies in one experiment: each lane learns on its own, and no unit ever leaves its lane or its arm.

use std::collections::BTreeMap;

use harness::http::Http;
use harness::installation::Installation;
use serde_json::{Value, json};

const UNITS: u32 = 500;

/// Two lanes with these sections; the arm `new` converts, the steady lane gives it a quarter.
fn file(lanes: &str) -> String {
    format!(
        r#"
[[experiment]]
key = "story"
state = "running"
holdback = 0
control = "old"
arms = [{{ name = "old", weight = 3 }}, {{ name = "new", weight = 1 }}]

[experiment.reward]
success = "conversion"
window = "1s"
grace = "0s"

[experiment.policy]
floor = 0.05
publish_every = "0s"
burn_in = {{ for = "0s", exposures_per_arm = 0, rewards_per_arm = 0 }}
{lanes}
"#
    )
}

fn two_lanes(learning: &str, steady: &str) -> String {
    file(&format!(
        r#"
[[experiment.lane]]
name = "learning"
share = "{learning}"

[[experiment.lane]]
name = "steady"
share = "{steady}"
policy = "fixed"
"#
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_policies_are_compared_and_nobody_moves_between_them() -> anyhow::Result<()> {
    let mut installation = Installation::start().await?;
    installation.apply(&two_lanes("50%", "50%"))?;
    let mut http = installation.http().await?;
    let first = assign_all(&mut http, 0..UNITS, true).await?;

    let results = installation
        .results_until("story", "both lanes to have resolved and learned", learned)
        .await?;
    assert_eq!(share_of_new(&results, "steady"), Some(0.25));
    let told = results["lane_comparison"].as_str().unwrap_or_default();
    assert!(
        told.contains("learning") && told.contains("steady"),
        "{told}"
    );
    let differences = results["lane_differences"].as_array().map(Vec::len);
    assert_eq!(differences, Some(1), "{results}");
    let shown = installation.pitboss(&["results", "story"])?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("earned a unit") && shown.contains(told),
        "{shown}"
    );
    assert_verified(&installation)?;

    installation.stop_daemon()?;
    installation.start_daemon().await?;
    let mut http = installation.http().await?;
    assert_eq!(
        assign_all(&mut http, 0..UNITS, false).await?,
        first,
        "after a restart"
    );

    installation.apply(&two_lanes("90%", "10%"))?;
    assert_eq!(
        assign_all(&mut http, 0..UNITS, false).await?,
        first,
        "after other shares"
    );
    let later = assign_all(&mut http, UNITS..UNITS + 200, true).await?;
    let learning = later
        .values()
        .filter(|(lane, _)| lane == "learning")
        .count();
    assert!(
        (165..=195).contains(&learning),
        "of 200 new units, 180: {learning}"
    );

    // The name goes and its units stay; main is the lane of those who come then.
    installation.apply(
        &file("")
            .replace(", weight = 3", "")
            .replace(", weight = 1", ""),
    )?;
    assert_eq!(
        assign_all(&mut http, 0..UNITS, false).await?,
        first,
        "without lanes"
    );
    let main = assign_all(&mut http, 1_000..1_010, true).await?;
    assert!(main.values().all(|(lane, _)| lane == "main"), "{main:?}");
    let explained = installation.pitboss(&["explain", "story", "unit-7", "--json"])?;
    let explained: Value = serde_json::from_slice(&explained.stdout)?;
    assert_eq!(explained["agrees"], true, "{explained}");
    assert_eq!(explained["stored"]["lane"], json!(first[&7].0));
    assert_verified(&installation)
}

/// Every unit's lane and arm; `new` says whether each must be assigned now, and then half of the arm `new` convert, or
/// must have been before.
async fn assign_all(
    http: &mut Http,
    units: std::ops::Range<u32>,
    new: bool,
) -> anyhow::Result<BTreeMap<u32, (String, String)>> {
    let mut assigned = BTreeMap::new();
    for unit in units {
        let body = json!({ "unit": format!("unit-{unit}") });
        let answer = http.post("/api/experiments/story/assign", &body).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json["new"], new, "{}", answer.text);
        let text = |field: &str| answer.json[field].as_str().unwrap_or_default().to_owned();
        let (lane, arm) = (text("lane"), text("arm"));
        // At once: windows are a second.
        if new && arm == "new" && unit % 2 == 0 {
            let event = json!({ "unit": format!("unit-{unit}"), "event": "conversion" });
            let answer = http.post("/api/experiments/story/track", &event).await?;
            assert!(answer.status.is_success(), "{}", answer.text);
        }
        assigned.insert(unit, (lane, arm));
    }
    Ok(assigned)
}

/// The results once every unit has resolved and the learning lane prefers what converts.
fn learned(results: &Value) -> Option<Value> {
    let resolved = results["rewards"].as_u64()?;
    let share = share_of_new(results, "learning")?;
    (resolved == u64::from(UNITS) && share > 0.9).then(|| results.clone())
}

fn share_of_new(results: &Value, lane: &str) -> Option<f64> {
    let lanes = results["lanes"].as_array()?;
    let lane = lanes.iter().find(|it| it["lane"] == lane)?;
    let new = lane["arms"]
        .as_array()?
        .iter()
        .find(|arm| arm["name"] == "new")?;
    new["share"].as_f64()
}

fn assert_verified(installation: &Installation) -> anyhow::Result<()> {
    let verified = installation.pitbossd(&["verify"])?;
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{said}");
    Ok(())
}
