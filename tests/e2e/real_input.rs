//! A client that is not our code assigns and tracks while the daemon is killed: counts equal what was sent.

use std::process::Stdio;

use harness::binaries::project;
use harness::installation::Installation;
use serde_json::Value;

use crate::stories::QUICK;

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_client_finds_its_counts_though_the_daemon_was_killed_twice() -> anyhow::Result<()>
{
    let mut installation = Installation::start().await?;
    installation.apply(QUICK)?;
    let client = tokio::process::Command::new("python3")
        .arg(project().join("tests/clients/real_input.py"))
        .arg("--addresses")
        .arg(installation.addresses_file())
        .args([
            "--experiment",
            "story",
            "--units",
            "1500",
            "--conversions",
            "100",
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    for assigned in [200, 900] {
        installation
            .results_until("story", "the client to get going", |results| {
                (results["assignments"].as_u64()? >= assigned).then_some(())
            })
            .await?;
        installation.kill_daemon()?;
        installation.start_daemon().await?;
    }
    let output = client.wait_with_output().await?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert!(output.status.success(), "{report}");
    assert_eq!(report["problems"], serde_json::json!([]));
    assert!(
        report["duplicates"].as_u64() >= Some(100),
        "each event came twice: {report}"
    );
    assert!(
        report["retries"].as_u64() > Some(0),
        "the kills fell outside the run: {report}"
    );
    Ok(())
}
