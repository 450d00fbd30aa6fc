//! A private installation: a data directory, a database, and the daemon that serves it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;

use crate::binaries::{pitboss, pitbossd};
use crate::http::Http;
use crate::wait;

/// Everything that belongs to one installation; gone when dropped.
pub struct Installation {
    directory: TempDir,
    data: TempDir,
    arguments: Vec<String>,
    daemon: Option<Child>,
    addresses: Value,
}

impl Installation {
    /// A new directory with an embedded database, and its daemon, ready.
    pub async fn start() -> anyhow::Result<Self> {
        let data = daemon::testing::stopped_cluster().await;
        Self::start_with(data, Vec::new()).await
    }

    /// A daemon on a data directory that is there, told more by `arguments`; ready.
    pub async fn start_with(data: TempDir, arguments: Vec<String>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("pitboss-test-").tempdir()?;
        let mut installation = Self {
            directory,
            data,
            arguments,
            daemon: None,
            addresses: Value::Null,
        };
        installation.start_daemon().await?;
        Ok(installation)
    }

    /// Starts the daemon on the directory, again after [`Self::kill_daemon`], and waits until it is ready.
    pub async fn start_daemon(&mut self) -> anyhow::Result<()> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path().join("stderr.log"))?;
        let child = Command::new(pitbossd())
            .arg("serve")
            .arg("--data-dir")
            .arg(self.data.path())
            .args([
                "--data-listen",
                "127.0.0.1:0",
                "--data-rpc-listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
            ])
            .args([
                "--environment",
                "test",
                "--install-postgres",
                "--die-with-parent",
            ])
            .arg("--control-socket")
            .arg(self.socket())
            .arg("--log-dir")
            .arg(self.path().join("logs"))
            .args(&self.arguments)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("starting pitbossd")?;
        let pid = child.id();
        self.daemon = Some(child);
        let file = self.addresses_file();
        self.addresses = wait::until("the daemon's addresses", || {
            let text = std::fs::read_to_string(&file).ok();
            let read = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
            let ours = read.filter(|addresses| addresses["pid"] == pid);
            let died = self.daemon_died();
            assert!(
                died.is_none(),
                "pitbossd ended with {died:?}: {}",
                self.log()
            );
            std::future::ready(ours)
        })
        .await;
        Ok(())
    }

    fn daemon_died(&mut self) -> Option<ExitStatus> {
        self.daemon
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten())
    }

    /// kill -9.
    pub fn kill_daemon(&mut self) -> anyhow::Result<()> {
        let mut child = self.daemon.take().context("the daemon runs")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGTERM, and how the daemon ended.
    pub fn stop_daemon(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let mut child = self.daemon.take().context("the daemon runs")?;
        Ok(child.wait()?)
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let child = self.daemon.as_ref().context("the daemon runs")?;
        Ok(kill_process(Pid::from_child(child), signal)?)
    }

    /// The directory that holds everything.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the daemon writes its addresses once it is ready.
    pub fn addresses_file(&self) -> PathBuf {
        self.data.path().join("addresses.json")
    }

    /// The daemon's data directory.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.path().join("control.sock")
    }

    /// The data port's address.
    pub fn data_address(&self) -> String {
        self.addresses["data"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The address of the data calls over tarpc.
    pub fn data_rpc_address(&self) -> String {
        self.addresses["data_rpc"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The admin port's address.
    pub fn admin_address(&self) -> String {
        self.addresses["admin"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The daemon's process.
    pub fn daemon_pid(&self) -> anyhow::Result<u32> {
        Ok(self.daemon.as_ref().context("the daemon runs")?.id())
    }

    /// Connections to the daemon's private database, for looking at it from outside.
    pub async fn database(&self) -> anyhow::Result<PgPool> {
        let options = PgConnectOptions::new()
            .socket(self.data.path().join("socket"))
            .username("pitboss")
            .database("pitboss");
        let pool = PgPoolOptions::new().max_connections(2);
        Ok(pool.connect_with(options).await?)
    }

    /// A connection to the data port.
    pub async fn http(&self) -> anyhow::Result<Http> {
        Http::connect(&self.data_address()).await
    }

    /// What the daemon wrote to its standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("stderr.log")).unwrap_or_default()
    }

    /// Runs `pitboss` with `arguments` against this installation.
    pub fn pitboss(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let output = Command::new(pitboss())
            .arg("--socket")
            .arg(self.socket())
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        Ok(output)
    }

    /// Runs `pitbossd` with `arguments` on this installation's data directory.
    pub fn pitbossd(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let output = Command::new(pitbossd())
            .args(arguments)
            .arg("--data-dir")
            .arg(self.data.path())
            .args(&self.arguments)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .output()?;
        Ok(output)
    }

    /// Writes `text` as an experiment file and applies it.
    pub fn apply(&self, text: &str) -> anyhow::Result<()> {
        let file = self.path().join("experiments.toml");
        std::fs::write(&file, text)?;
        let file = file.to_str().context("temporary paths are text")?;
        let output = self.pitboss(&["apply", "-f", file, "--yes", "--reason", "a test"])?;
        ensure!(
            output.status.success(),
            "apply failed: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Reads the results of `key` until `look` finds in them what it looks for, and gives that.
    pub async fn results_until<T>(
        &self,
        key: &str,
        what: &str,
        look: impl Fn(&Value) -> Option<T>,
    ) -> anyhow::Result<T> {
        let path = format!("/api/experiments/{key}/results");
        let client = tokio::sync::Mutex::new(self.http().await?);
        let (client, path, look) = (&client, path.as_str(), &look);
        let found = wait::until(what, move || async move {
            look(&client.lock().await.get(path).await.ok()?.json)
        });
        Ok(found.await)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if self.daemon.is_some() {
            let _ = self.stop_daemon();
        }
    }
}
