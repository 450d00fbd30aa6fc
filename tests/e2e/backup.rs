//! A backup is PostgreSQL's own: what was dumped and restored elsewhere still verifies, bit for bit.

use std::process::Command;

use anyhow::{Context, ensure};
use harness::installation::Installation;
use serde_json::json;

use crate::stories::QUICK;

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_dump_verifies_with_the_same_unit_secret() -> anyhow::Result<()> {
    let installation = Installation::start().await?;
    installation.apply(QUICK)?;
    let mut http = installation.http().await?;
    for number in 0..20 {
        let unit = format!("unit-{number}");
        http.post("/api/experiments/story/assign", &json!({ "unit": unit }))
            .await?;
        let event = json!({ "unit": unit, "event": "conversion" });
        http.post("/api/experiments/story/track", &event).await?;
    }
    let data = installation.data_dir();
    let socket = data.join("socket");
    let socket = socket.to_str().context("temporary paths are text")?;
    let dump = installation.path().join("pitboss.dump");
    let dump = dump.to_str().context("temporary paths are text")?;
    let server = ["-h", socket, "-U", "pitboss"];
    run(
        "pg_dump",
        &[&server[..], &["-Fc", "-f", dump, "pitboss"]].concat(),
    )?;
    run("createdb", &[&server[..], &["restored"]].concat())?;
    run(
        "pg_restore",
        &[&server[..], &["-d", "restored", dump]].concat(),
    )?;

    let url = format!("postgres:///restored?host={socket}&user=pitboss");
    let secret = data.join("unit-secret");
    let secret = secret.to_str().context("temporary paths are text")?;
    let verified = installation.pitbossd(&[
        "verify",
        "--database-url",
        &url,
        "--unit-secret-file",
        secret,
    ])?;
    let said = String::from_utf8_lossy(&verified.stdout);
    ensure!(verified.status.success(), "{said}");
    assert!(said.contains("story: ok: 20 assignments"), "{said}");
    Ok(())
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("{program} comes with the distribution's postgresql package"))?;
    ensure!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
