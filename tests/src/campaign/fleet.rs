//! The daemons of a campaign: fixed directories, fixed ports, real processes that are killed, stopped, frozen
//! and started again.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use daemon::clock::Stopwatch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::binaries::{pitboss, pitbossd};
use crate::http::Http;
use crate::wait::Looks;

/// A daemon is up in half a second; on a starved machine it may take many.
const STARTS_WITHIN: Duration = Duration::from_mins(2);

/// Longer than the daemon's own limit for draining.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// One daemon, running or not.
#[derive(Debug)]
pub struct Daemon {
    /// `a`, `b`, `c`, ...
    pub name: String,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Its data port.
    pub data: SocketAddr,
    /// Its data port over tarpc.
    pub data_rpc: SocketAddr,
    /// Its admin port.
    pub admin: SocketAddr,
    /// How it reaches the database.
    pub database_url: String,
    /// What it is run by, such as `fiu-run` and its arguments; usually nothing.
    pub run_by: Vec<String>,
    /// What it is told beyond the usual.
    pub arguments: Vec<String>,
    unit_secret: PathBuf,
    process: Option<Child>,
}

/// The daemons.
#[derive(Debug)]
pub struct Fleet {
    /// One after another.
    pub daemons: Vec<Daemon>,
}

impl Fleet {
    /// As many daemons as `urls`, in `home`, with one unit secret; none runs yet.
    pub fn in_home(home: &Path, secret: [u8; 32], urls: Vec<String>) -> anyhow::Result<Self> {
        let unit_secret = home.join("unit-secret");
        std::fs::write(&unit_secret, secret)?;
        std::fs::set_permissions(
            &unit_secret,
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )?;
        // All are held until all are chosen, so that no two are the same.
        let listeners: Vec<TcpListener> = (0..urls.len() * 3)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()?;
        let ports: Vec<SocketAddr> = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let daemons = urls
            .into_iter()
            .zip(ports.chunks_exact(3))
            .zip('a'..)
            .map(|((database_url, ports), name)| Daemon {
                name: name.to_string(),
                data_dir: home.join(name.to_string()),
                data: ports[0],
                admin: ports[1],
                data_rpc: ports[2],
                database_url,
                run_by: Vec::new(),
                arguments: Vec::new(),
                unit_secret: unit_secret.clone(),
                process: None,
            })
            .collect();
        Ok(Self { daemons })
    }

    /// Starts those that do not run, and waits until all are ready.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        for daemon in &mut self.daemons {
            daemon.spawn_if_gone()?;
        }
        for daemon in &mut self.daemons {
            daemon.ready().await?;
        }
        Ok(())
    }

    /// The data ports.
    pub fn data_ports(&self) -> Vec<SocketAddr> {
        self.daemons.iter().map(|daemon| daemon.data).collect()
    }

    /// The admin ports.
    pub fn admin_ports(&self) -> Vec<SocketAddr> {
        self.daemons.iter().map(|daemon| daemon.admin).collect()
    }
}

impl Daemon {
    /// Starts it, unless it runs. Does not wait for it.
    pub fn spawn_if_gone(&mut self) -> anyhow::Result<()> {
        if self.ended()?.is_some() {
            self.process = None;
        }
        if self.process.is_none() {
            self.process = Some(self.command("serve").spawn().context("starting pitbossd")?);
        }
        Ok(())
    }

    fn command(&self, what: &str) -> Command {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("the campaign's directory can be written");
        let program = pitbossd();
        let mut words = self.run_by.iter().map(AsRef::as_ref);
        let mut command = match words.next() {
            Some(first) => {
                let mut command: Command = Command::new::<&std::ffi::OsStr>(first);
                command.args(words).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .arg(what)
            .arg("--data-dir")
            .arg(&self.data_dir)
            .arg("--control-socket")
            .arg(self.control())
            .args(["--data-listen", &self.data.to_string()])
            .args(["--data-rpc-listen", &self.data_rpc.to_string()])
            .args(["--admin-listen", &self.admin.to_string()])
            .args(["--database-url", &self.database_url])
            .arg("--unit-secret-file")
            .arg(&self.unit_secret)
            .args(["--environment", "campaign", "--log-format", "human"])
            .arg("--die-with-parent")
            // Ten looks of the balancer of K4.
            .args(["--drain-delay", "1s"])
            .args(&self.arguments)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&mut self) -> anyhow::Result<Duration> {
        let started = Stopwatch::start();
        let mut looks = Looks::within(STARTS_WITHIN);
        while looks.again().await {
            if let Some(status) = self.ended()? {
                bail!(
                    "pitbossd {} ended with {status}: {}",
                    self.name,
                    self.last_words()
                );
            }
            if is_ready(self.admin).await {
                return Ok(started.elapsed());
            }
        }
        bail!(
            "pitbossd {} is not ready after {STARTS_WITHIN:?}: {}",
            self.name,
            self.last_words()
        )
    }

    /// How it ended, if it ran and did.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        match &mut self.process {
            Some(process) => Ok(process.try_wait()?),
            None => Ok(None),
        }
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// kill -9, also of one that is frozen or half started. Whether there was something to kill.
    pub fn kill(&mut self) -> anyhow::Result<bool> {
        let Some(mut process) = self.process.take() else {
            return Ok(false);
        };
        process.kill()?;
        process.wait()?;
        Ok(true)
    }

    /// SIGTERM, and how it ended.
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let mut looks = Looks::within(ENDS_WITHIN);
        while looks.again().await {
            if let Some(status) = self.ended()? {
                self.process = None;
                return Ok(status);
            }
        }
        bail!(
            "pitbossd {} does not end {ENDS_WITHIN:?} after SIGTERM: {}",
            self.name,
            self.last_words()
        )
    }

    /// Sends it `signal`.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("the daemon runs")?;
        Ok(kill_process(Pid::from_child(process), signal)?)
    }

    /// Its control socket.
    pub fn control(&self) -> PathBuf {
        self.data_dir.with_extension("sock")
    }

    fn log_path(&self) -> PathBuf {
        self.data_dir.with_extension("stderr")
    }

    /// The last of what it wrote to standard error.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Runs `pitboss` with `arguments` against it, within `limit`.
    pub async fn pitboss(
        &self,
        arguments: &[&str],
        limit: Duration,
    ) -> anyhow::Result<std::process::Output> {
        let running = tokio::process::Command::new(pitboss())
            .arg("--socket")
            .arg(self.control())
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let ended = tokio::time::timeout(limit, running).await;
        Ok(ended.with_context(|| format!("pitboss {arguments:?} took over {limit:?}"))??)
    }

    /// `pitbossd verify` over its database, from a directory beside it: the daemon is not disturbed.
    pub async fn verify(&self) -> anyhow::Result<Value> {
        let output = tokio::process::Command::new(pitbossd())
            .args(["verify", "--json", "--database-url", &self.database_url])
            .arg("--unit-secret-file")
            .arg(&self.unit_secret)
            .arg("--data-dir")
            .arg(self.data_dir.with_extension("verify"))
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .output()
            .await?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("verify says: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Whether the daemon behind this admin port takes traffic.
pub async fn is_ready(admin: SocketAddr) -> bool {
    let asked = async {
        let mut http = Http::connect(&admin.to_string()).await?;
        http.get("/readyz").await
    };
    // 1 s: what does not answer its probe does not take traffic either.
    let answered = tokio::time::timeout(Duration::from_secs(1), asked).await;
    matches!(answered, Ok(Ok(answer)) if answer.status.is_success())
}
