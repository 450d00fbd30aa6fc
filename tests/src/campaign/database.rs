//! A campaign's PostgreSQL: one that it can kill, and start again, as it likes.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::wait::Looks;

/// Recovery after a crash takes seconds; on a starved machine it may take many.
const STARTS_WITHIN: Duration = Duration::from_mins(2);

/// 30 s, then it is killed: PostgreSQL 15 never ends when SIGINT meets its recovery from a crash (it waits for a
/// checkpointer that nobody tells to end).
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The sockets' directory.
const SOCKETS: &str = "sockets";

/// How PostgreSQL is brought down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// kill -9 of the postmaster.
    Kill,
    /// SIGQUIT: every process drops everything.
    Immediate,
    /// SIGINT: sessions are cut off, then a clean shutdown.
    Fast,
}

impl Crash {
    /// What it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "postgres_kill_9",
            Self::Immediate => "postgres_immediate",
            Self::Fast => "postgres_fast",
        }
    }
}

/// The server, running or not.
#[derive(Debug)]
pub struct Database {
    cluster: PathBuf,
    sockets: PathBuf,
    program: PathBuf,
    postmaster: Option<Child>,
}

impl Database {
    /// The migrated cluster in `home`, as [`daemon::testing::stopped_cluster`] makes it; not started.
    pub fn in_home(home: &Path) -> anyhow::Result<Self> {
        let found = daemon::postgres::look(&daemon::testing::settings(home))?;
        let cluster = home.join("postgres");
        let sockets = home.join(SOCKETS);
        std::fs::create_dir_all(&sockets)?;
        if geteuid().is_root() {
            // PostgreSQL has an account of its own, which must reach both.
            let owner = std::fs::metadata(&cluster)?;
            std::os::unix::fs::chown(&sockets, Some(owner.uid()), Some(owner.gid()))?;
            std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self {
            cluster,
            sockets,
            program: found.directory.join("postgres"),
            postmaster: None,
        })
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let mut looks = Looks::within(STARTS_WITHIN);
        while looks.again().await {
            let alive = match &mut self.postmaster {
                Some(child) => child.try_wait()?.is_none(),
                None => false,
            };
            if !alive {
                // After kill -9 the orphans of its predecessor refuse it the place until they have noticed.
                self.postmaster = Some(self.spawn()?);
            }
            if self.connect().await.is_ok() {
                return Ok(());
            }
        }
        bail!(
            "PostgreSQL does not answer after {STARTS_WITHIN:?}: {}",
            self.log()
        )
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let mut command = Command::new("setpriv");
        // If this process dies, so does its database.
        command.args(["--pdeathsig", "QUIT"]);
        let owner = std::fs::metadata(&self.cluster)?;
        if geteuid().is_root() {
            command
                .arg(format!("--reuid={}", owner.uid()))
                .arg(format!("--regid={}", owner.gid()))
                .arg("--clear-groups");
        }
        command
            .arg("--")
            .arg(&self.program)
            .arg("-D")
            .arg(&self.cluster)
            .arg(format!(
                "-cunix_socket_directories={}",
                self.sockets.display()
            ))
            .args([
                "-clisten_addresses=",
                "-cfsync=on",
                "-csynchronous_commit=on",
            ])
            .args(["-clog_lock_waits=on", "-cdeadlock_timeout=1s"])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("starting PostgreSQL")
    }

    /// Brings it down and waits until the postmaster is gone.
    pub async fn crash(&mut self, how: Crash) -> anyhow::Result<()> {
        let Some(mut child) = self.postmaster.take() else {
            return Ok(());
        };
        let signal = match how {
            Crash::Kill => Signal::KILL,
            Crash::Immediate => Signal::QUIT,
            Crash::Fast => Signal::INT,
        };
        kill_process(Pid::from_child(&child), signal)?;
        let mut looks = Looks::within(ENDS_WITHIN);
        while looks.again().await {
            if child.try_wait()?.is_some() {
                return Ok(());
            }
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// kill -9 of one session's process: the server throws all sessions out and recovers by itself. Returns when
    /// they are out; whether there was one to kill.
    pub async fn kill_a_session(&mut self) -> anyhow::Result<bool> {
        let mut connection = self.connect().await?;
        let pid: Option<i32> = sqlx::query_scalar(
            "select pid from pg_stat_activity
             where backend_type = 'client backend' and pid <> pg_backend_pid()
             order by random() limit 1",
        )
        .fetch_optional(&mut connection)
        .await?;
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            return Ok(false);
        };
        // It may have ended since; then nobody is thrown out.
        if kill_process(pid, Signal::KILL).is_err() {
            return Ok(false);
        }
        let mut looks = Looks::within(ENDS_WITHIN);
        while looks.again().await {
            if connection.ping().await.is_err() {
                return Ok(true);
            }
        }
        bail!("PostgreSQL keeps its sessions {ENDS_WITHIN:?} after one was killed")
    }

    /// A new connection.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(&self.sockets)
            .username("pitboss")
            .database("pitboss");
        Ok(PgConnection::connect_with(&options).await?)
    }

    /// How a daemon is told where it is.
    pub fn url(&self) -> String {
        format!(
            "postgres://pitboss@localhost/pitboss?host={}",
            self.sockets.display()
        )
    }

    /// The socket of the server in `home`, running or not: where a proxy leads to.
    pub fn socket_in(home: &Path) -> PathBuf {
        home.join(SOCKETS).join(".s.PGSQL.5432")
    }

    fn log_path(&self) -> PathBuf {
        self.cluster.with_file_name("postgres.log")
    }

    /// What it said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(mut child) = self.postmaster.take() {
            let _ = kill_process(Pid::from_child(&child), Signal::QUIT);
            let _ = child.wait();
        }
    }
}
