//! Alerts at the receivers that people really have: Debian's Alertmanager, aiosmtpd, and the shell.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use daemon::store::alerts::{Report, Severity, report, resolve};
use harness::http::Http;
use harness::installation::Installation;
use harness::{binaries::project, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A receiver's process; gone when dropped.
struct Receiver {
    child: Child,
    address: String,
    _directory: TempDir,
    said: Option<BufReader<std::process::ChildStdout>>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` where it is not installed.
fn alertmanager() -> anyhow::Result<Option<Receiver>> {
    let program = Path::new("/usr/bin/prometheus-alertmanager");
    if !program.exists() {
        return Ok(None);
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("alertmanager.yml");
    let nobody = "route: { receiver: nobody }\nreceivers: [ { name: nobody } ]\n";
    std::fs::write(&file, nobody)?;
    let mut child = Command::new(program)
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", directory.path().display()))
        .args([
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(child.stderr.take().context("it is piped")?);
    let mut address = None;
    let mut line = String::new();
    while address.is_none() && said.read_line(&mut line)? > 0 {
        let listening = line.split("\"Listening on\" address=").nth(1);
        address = listening.map(|rest| rest.trim().to_owned());
        line.clear();
    }
    // It writes on; nobody must make it wait.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    Ok(Some(Receiver {
        child,
        address: address.context("alertmanager says where it listens")?,
        _directory: directory,
        said: None,
    }))
}

fn mail_server() -> anyhow::Result<Option<Receiver>> {
    let installed = Command::new("python3")
        .args(["-c", "import aiosmtpd"])
        .stderr(Stdio::null())
        .status()?;
    if !installed.success() {
        return Ok(None);
    }
    let mut child = Command::new("python3")
        .arg(project().join("tests/data/alerts/smtp_sink.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(child.stdout.take().context("it is piped")?);
    let mut port = String::new();
    said.read_line(&mut port)?;
    Ok(Some(Receiver {
        child,
        address: format!("127.0.0.1:{}", port.trim()),
        _directory: tempfile::tempdir()?,
        said: Some(said),
    }))
}

async fn site(channels: &str) -> anyhow::Result<(Installation, TempDir)> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("pitbossd.toml");
    std::fs::write(&file, channels)?;
    let data = daemon::testing::stopped_cluster().await;
    let file = file.to_str().context("temporary paths are text")?;
    let arguments = vec!["--config".to_owned(), file.to_owned()];
    let site = Installation::start_with(data, arguments).await?;
    Ok((site, directory))
}

const ERRORS: &str = "guardrail/checkout/errors/blue";

async fn fire(site: &Installation, summary: &str) -> anyhow::Result<()> {
    let pool = site.database().await?;
    let mut tx = pool.begin().await?;
    let at = sqlx::query_scalar("select now()")
        .fetch_one(&mut *tx)
        .await?;
    let said = Report {
        identity: ERRORS.to_owned(),
        experiment: None,
        key: Some("checkout".to_owned()),
        source: "errors",
        arm: Some("blue".to_owned()),
        severity: Severity::Critical,
        summary: summary.to_owned(),
        detail: json!({ "rate": 0.03, "limit": 0.02 }),
        at,
        pending: false,
    };
    report(&mut tx, &said).await?;
    Ok(tx.commit().await?)
}

async fn end(site: &Installation) -> anyhow::Result<()> {
    let pool = site.database().await?;
    let mut tx = pool.begin().await?;
    let at = sqlx::query_scalar("select now()")
        .fetch_one(&mut *tx)
        .await?;
    resolve(&mut tx, ERRORS, at).await?;
    Ok(tx.commit().await?)
}

fn alerts(site: &Installation, arguments: &[&str]) -> anyhow::Result<Value> {
    let arguments = [&["alerts"], arguments, &["--json"]].concat();
    let output = site.pitboss(&arguments)?;
    let text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "{output:?}");
    Ok(serde_json::from_str(&text)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_shows_it_suppresses_what_is_acked_and_lets_go_of_what_is_over()
-> anyhow::Result<()> {
    let Some(receiver) = alertmanager()? else {
        println!("skipped: no alertmanager (apt-get install prometheus-alertmanager)");
        return Ok(());
    };
    let channel = format!(
        "[[alert_channel]]\nname = \"am\"\nkind = \"alertmanager\"\nurl = \"http://{}\"\nallow_private = true\n",
        receiver.address
    );
    let (site, _directory) = site(&channel).await?;
    fire(&site, "errors are 3.0 % of blue").await?;
    let look = async |path: &str| {
        Http::connect(&receiver.address)
            .await
            .ok()?
            .get(path)
            .await
            .ok()
    };
    let shown = wait::until("the alert in alertmanager", || async {
        let alerts = look("/api/v2/alerts").await?.json;
        alerts[0]["labels"]["identity"]
            .is_string()
            .then(|| alerts[0].clone())
    });
    let shown = shown.await;
    assert_eq!(shown["labels"]["alertname"], "PitbossGuardrail");
    assert_eq!(shown["labels"]["experiment"], "checkout");
    assert_eq!(shown["status"]["state"], "active");
    assert_eq!(shown["annotations"]["summary"], "errors are 3.0 % of blue");

    let page = alerts(&site, &[])?;
    let number = page["alerts"][0]["number"].to_string();
    alerts(&site, &["ack", &number, "--reason", "I look"])?;
    wait::until("the ack to be a silence", || async {
        let alerts = look("/api/v2/alerts").await?.json;
        (alerts[0]["status"]["state"] == "suppressed").then_some(())
    })
    .await;
    let silences = look("/api/v2/silences").await.context("it answers")?.json;
    let comment = silences[0]["comment"].as_str().unwrap_or_default();
    assert!(comment.starts_with("ack: I look ("), "{silences}");

    end(&site).await?;
    wait::until("the alert and its silence to end", || async {
        let alerts = look("/api/v2/alerts").await?.json;
        let silences = look("/api/v2/silences").await?.json;
        let over = alerts.as_array()?.is_empty() && silences[0]["status"]["state"] == "expired";
        over.then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_gets_the_beginning_and_the_end_as_one_thread() -> anyhow::Result<()> {
    let Some(mut receiver) = mail_server()? else {
        println!("skipped: no aiosmtpd (apt-get install python3-aiosmtpd)");
        return Ok(());
    };
    let channel = format!(
        "[[alert_channel]]\nname = \"mail\"\nkind = \"smtp\"\nserver = \"{}\"\ntls = \"never\"\nallow_private = true\n\
         from = \"Pitboss <pitboss@example.com>\"\nto = [\"ana@example.com\", \"bo@example.com\"]\n",
        receiver.address
    );
    let (site, _directory) = site(&channel).await?;
    fire(&site, "errors are 3.0 %\r\nBcc: eve@example.com").await?;
    let mut said = receiver.said.take().context("it is read here alone")?;
    let mut next = || -> anyhow::Result<Value> {
        let mut line = String::new();
        said.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    };
    let first = next()?;
    end(&site).await?;
    let second = next()?;
    let header = |mail: &Value, name: &str| {
        let headers = mail["headers"].as_array().cloned().unwrap_or_default();
        let mut found = headers.iter().filter(|header| header[0] == name);
        found.next().map(|header| header[1].clone())
    };
    assert_eq!(first["to"], json!(["ana@example.com", "bo@example.com"]));
    assert_eq!(header(&first, "Bcc"), None);
    let subject = header(&first, "Subject").context("a subject")?;
    assert_eq!(
        subject,
        "[test] FIRING critical: checkout, arm blue: errors are 3.0 %  Bcc: eve@example.com"
    );
    assert_ne!(header(&first, "Message-ID"), header(&second, "Message-ID"));
    assert_eq!(header(&first, "References"), header(&second, "References"));
    let text = second["text"].as_str().unwrap_or_default();
    assert!(
        text.starts_with("RESOLVED critical: checkout, arm blue"),
        "{text}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_shows_acks_silences_and_resends_and_a_reload_brings_a_channel()
-> anyhow::Result<()> {
    let (site, directory) = site("").await?;
    fire(&site, "errors are 3.0 % of blue").await?;
    let page = alerts(&site, &[])?;
    assert_eq!(page["alerts"][0]["state"], "firing");
    assert_eq!(page["channels"], json!([]));
    let number = page["alerts"][0]["number"].to_string();
    for (arguments, state) in [
        (
            vec!["silence", &number, "--for", "2h", "--reason", "known"],
            "silenced",
        ),
        (vec!["ack", &number, "--reason", "I look"], "acked"),
    ] {
        alerts(&site, &arguments)?;
        assert_eq!(alerts(&site, &[])?["alerts"][0]["state"], state);
    }
    let twice = site.pitboss(&["alerts", "ack", &number, "--reason", "again"])?;
    assert_eq!(twice.status.code(), Some(3), "{twice:?}");

    // Nobody listens there.
    std::fs::write(
        directory.path().join("secret"),
        "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    )?;
    let channel = format!(
        "[[alert_channel]]\nname = \"oncall\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/x\"\n\
         secret_file = \"{}\"\nallow_private = true\n",
        directory.path().join("secret").display()
    );
    std::fs::write(directory.path().join("pitbossd.toml"), channel)?;
    site.signal(rustix::process::Signal::HUP)?;
    let failing = wait::until("the new channel to be tried", || async {
        let page = alerts(&site, &[]).ok()?;
        let delivery = page["alerts"][0]["deliveries"][0].clone();
        (delivery["attempts"] == 1 && delivery["error"] != "").then_some(delivery)
    });
    let failing = failing.await;
    assert_eq!(failing["state"], "waiting");
    let delivery = failing["number"].to_string();
    let refused = site.pitboss(&["alerts", "resend", &delivery, "--reason", "again"])?;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let text = String::from_utf8(site.pitboss(&["alerts"])?.stdout)?;
    for words in ["acked critical", "no connection", "fails:", "webhook"] {
        assert!(text.contains(words), "{text}");
    }
    let audit = site.pitboss(&["audit", "--json"])?;
    let audit: Value = serde_json::from_slice(&audit.stdout)?;
    let actions: Vec<&str> = audit["entries"]
        .as_array()
        .context("entries")?
        .iter()
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    assert_eq!(actions, ["resend", "ack", "ack", "silence"]);
    Ok(())
}
