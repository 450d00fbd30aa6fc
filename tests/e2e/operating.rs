//! The scripted twin against a real daemon: plan, apply, verbs, audit, refusals.

use harness::installation::Installation;
use serde_json::{Value, json};

use crate::stories::QUICK;

#[tokio::test(flavor = "multi_thread")]
async fn applying_twice_changes_nothing_and_every_mutation_is_in_the_audit_log()
-> anyhow::Result<()> {
    let mut installation = Installation::start().await?;
    installation.apply(QUICK)?;
    installation.apply(QUICK)?;
    for verb in ["pause", "resume", "stop"] {
        let output = installation.pitboss(&[verb, "story", "--yes", "--reason", "a drill"])?;
        assert!(
            output.status.success(),
            "{verb}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let refused = installation.pitboss(&["resume", "story", "--yes", "--reason", "too late"])?;
    assert_eq!(
        refused.status.code(),
        Some(3),
        "a stopped experiment does not resume"
    );

    let audit = installation.pitboss(&["audit", "--json"])?;
    let audit: Value = serde_json::from_slice(&audit.stdout)?;
    let done: Vec<&str> = audit["entries"]
        .as_array()
        .expect("the page has entries")
        .iter()
        .filter(|entry| entry["result"] == "ok")
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    assert_eq!(
        done,
        ["stop", "resume", "pause", "apply"],
        "newest first, and the second apply left no trace"
    );

    let ended = installation.stop_daemon()?;
    assert!(
        ended.success(),
        "SIGTERM is a clean end, but it was {ended}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_experiment_keeps_its_units_and_takes_no_new_ones() -> anyhow::Result<()> {
    let installation = Installation::start().await?;
    installation.apply(QUICK)?;
    let mut http = installation.http().await?;
    let assign = "/api/experiments/story/assign";
    let first = http.post(assign, &json!({ "unit": "early" })).await?.json;
    assert_eq!(first["new"], true, "{first}");
    installation.pitboss(&["pause", "story", "--yes", "--reason", "a drill"])?;
    let again = http.post(assign, &json!({ "unit": "early" })).await?.json;
    assert_eq!(again["arm"], first["arm"], "{again}");
    let late = http.post(assign, &json!({ "unit": "late" })).await?.json;
    assert_eq!(
        (&late["arm"], &late["assignment"]),
        (&json!("old"), &Value::Null),
        "{late}"
    );
    Ok(())
}

#[test]
fn an_unreachable_daemon_is_exit_code_four_and_a_bad_file_is_two() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("nobody.sock");
    let run = |arguments: &[&std::ffi::OsStr]| {
        std::process::Command::new(harness::binaries::pitboss())
            .arg("--socket")
            .arg(&socket)
            .args(arguments)
            .output()
    };
    assert_eq!(run(&["ls".as_ref()])?.status.code(), Some(4));
    let bad = directory.path().join("bad.toml");
    std::fs::write(&bad, "[[experiment]]\nkey = \"UPPER\"\ncolour = 1\n")?;
    let checked = run(&["check".as_ref(), "-f".as_ref(), bad.as_ref()])?;
    assert_eq!(checked.status.code(), Some(2));
    let said = String::from_utf8_lossy(&checked.stderr).into_owned()
        + &String::from_utf8_lossy(&checked.stdout);
    for expected in ["bad.toml:2", "bad.toml:3", "UPPER", "colour"] {
        assert!(said.contains(expected), "{expected} is missing in: {said}");
    }
    Ok(())
}
