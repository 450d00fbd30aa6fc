//! A streaming replica of a test's database, made by PostgreSQL's own `pg_basebackup`.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use daemon::postgres::{Cluster, look};
use daemon::testing::{TestDatabase, settings};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// A running replica; gone when dropped.
pub struct Replica {
    cluster: Cluster,
    _directory: TempDir,
}

impl Replica {
    /// Of `primary`, following it.
    pub async fn of(primary: &TestDatabase) -> anyhow::Result<Self> {
        admit_replication(primary).await?;
        let directory = tempfile::Builder::new().prefix("pitboss-test-").tempdir()?;
        let data_dir = directory.path().to_owned();
        let (from, program) = (
            primary.cluster().socket_dir().to_owned(),
            look(&settings(primary.data_dir()))?
                .directory
                .join("pg_basebackup"),
        );
        let made = Command::new(program)
            .args([
                "--username",
                "pitboss",
                "--write-recovery-conf",
                "--checkpoint",
                "fast",
            ])
            .arg("--host")
            .arg(from)
            .arg("--pgdata")
            .arg(data_dir.join("postgres"))
            .stdin(Stdio::null())
            .output()
            .context("running pg_basebackup")?;
        ensure!(made.status.success(), "pg_basebackup: {made:?}");
        give_away(primary, &data_dir)?;
        Ok(Self {
            cluster: Cluster::start(settings(&data_dir)).await?,
            _directory: directory,
        })
    }

    /// Where its socket is.
    pub fn socket_dir(&self) -> &std::path::Path {
        self.cluster.socket_dir()
    }

    /// Receives, and does not show, what the primary commits from now on.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.execute("select pg_wal_replay_pause()").await
    }

    /// Shows it.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.execute("select pg_wal_replay_resume()").await
    }

    /// Ends it.
    pub async fn stop(self) {
        self.cluster.stop().await;
    }

    async fn execute(&self, statement: &'static str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect_with(&self.cluster.connect_options()).await?;
        sqlx::query(statement).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }
}

/// The private database lets nobody replicate it.
async fn admit_replication(primary: &TestDatabase) -> anyhow::Result<()> {
    let hba = primary.data_dir().join("postgres/pg_hba.conf");
    let mut hba = std::fs::File::options().append(true).open(hba)?;
    hba.write_all(b"local replication pitboss peer map=pitboss\n")?;
    sqlx::query("select pg_reload_conf()")
        .execute(&primary.store.pool)
        .await?;
    Ok(())
}

/// To the account that the primary runs under.
fn give_away(primary: &TestDatabase, data_dir: &std::path::Path) -> anyhow::Result<()> {
    let owner = format!(
        "--reference={}",
        primary.data_dir().join("postgres").display()
    );
    let given = Command::new("chown")
        .args(["--recursive", &owner])
        .arg(data_dir.join("postgres"))
        .status()?;
    ensure!(given.success(), "chown failed");
    Ok(())
}
