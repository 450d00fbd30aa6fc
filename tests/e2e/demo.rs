//! The demo as a newcomer's script runs it: one JSON object, everything verified, nothing left behind.

use std::process::{Command, Stdio};

use harness::binaries::pitboss;
use serde_json::Value;

#[test]
fn a_headless_demo_reports_what_it_did_and_leaves_nothing() -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    // PostgreSQL may run as another user, who must be able to walk through.
    std::fs::set_permissions(
        temporary.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    let output = Command::new(pitboss())
        .args(["demo", "--headless", "--seconds", "10"])
        .env("TMPDIR", temporary.path())
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(report["verify"], "ok", "{report}");
    assert!(report["acknowledged"].as_u64() > Some(0), "{report}");
    let experiments = report["experiments"]
        .as_array()
        .expect("the report lists experiments");
    let keys: Vec<&str> = experiments
        .iter()
        .filter_map(|experiment| experiment["key"].as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "checkout_button",
            "movie_recommender",
            "payment_methods",
            "pricing"
        ],
        "{report}"
    );
    for experiment in experiments {
        assert_eq!(experiment["state"], "running", "{experiment}");
        assert!(experiment["assignments"].as_u64() > Some(0), "{experiment}");
        let total: f64 = experiment["allocation"]
            .as_object()
            .expect("shares by arm")
            .values()
            .filter_map(Value::as_f64)
            .sum();
        assert!((total - 1.0).abs() < 1e-9, "{experiment}");
    }
    let left: Vec<_> = std::fs::read_dir(temporary.path())?.flatten().collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}
