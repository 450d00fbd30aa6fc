//! Debian's `PgBouncer` in transaction mode, in front of a test's database.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;
use tokio::net::UnixStream;

use crate::{fleet, wait};

/// Names its socket; nobody listens on TCP.
const PORT: u16 = 6432;

/// Fewer sessions than the daemon has connections, so that they change hands all the time.
const SESSIONS: usize = 4;

/// A running pooler; gone when dropped.
pub struct PgBouncer {
    directory: TempDir,
    child: Child,
}

impl PgBouncer {
    /// In front of the server whose socket is in `socket_dir`; `None` where it is not installed.
    pub async fn start(socket_dir: &Path) -> anyhow::Result<Option<Self>> {
        let Some(program) = program() else {
            return Ok(None);
        };
        let directory = tempfile::Builder::new().prefix("pitboss-test-").tempdir()?;
        // It refuses to run as root, and the account it runs as puts its socket here.
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(directory.path(), open)?;
        let file = directory.path().join("pgbouncer.ini");
        std::fs::write(&file, configuration(socket_dir, directory.path()))?;
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "postgres"]);
        }
        let child = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting pgbouncer")?;
        let pooler = Self { directory, child };
        let socket = directory_socket(pooler.directory.path());
        wait::until("pgbouncer's socket", || {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.ok() }
        })
        .await;
        Ok(Some(pooler))
    }

    /// How a daemon reaches the database through it.
    pub fn url(&self) -> String {
        fleet::url(self.directory.path(), PORT)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where distributions and people put it.
fn program() -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|directory| Path::new(directory).join("pgbouncer"))
        .find(|program| program.exists())
}

fn directory_socket(directory: &Path) -> PathBuf {
    directory.join(format!(".s.PGSQL.{PORT}"))
}

fn configuration(server: &Path, own: &Path) -> String {
    format!(
        "[databases]\n\
         pitboss = host={} user=pitboss\n\
         [pgbouncer]\n\
         unix_socket_dir = {}\n\
         listen_port = {PORT}\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = {SESSIONS}\n\
         max_client_conn = 100\n",
        server.display(),
        own.display()
    )
}
