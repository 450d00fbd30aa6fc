//! For tests: a private database in a moment.
//!
//! `initdb` and the migrations take 2 to 3 s. They run once per build of the tests; every test then starts
//! PostgreSQL on its own copy of the result, which takes about a third of a second.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::clock::Stopwatch;
use crate::postgres::{Cluster, ClusterSettings, ClusterState};
use crate::store::{PoolSize, Pooler, Store, migrate, migrations};

/// A migrated, empty database of its own; gone when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    /// The database.
    pub store: Store,
    cluster: Option<Cluster>,
    directory: TempDir,
}

/// How long a dropped cluster may take to stop before its directory is removed under it.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A fresh database.
///
/// # Panics
/// If there is no PostgreSQL and none can be installed, with the sentence that says what to do.
pub async fn database() -> TestDatabase {
    try_database().await.expect("a database for the test")
}

async fn try_database() -> Result<TestDatabase> {
    let directory = try_stopped_cluster().await?;
    let cluster = Cluster::start(settings(directory.path())).await?;
    let store = Store::connect(cluster.connect_options(), PoolSize(8)).await?;
    Ok(TestDatabase {
        store,
        cluster: Some(cluster),
        directory,
    })
}

/// A data directory with a cluster in it that has the schema and does not run.
///
/// # Panics
/// Like [`database`].
pub async fn stopped_cluster() -> TempDir {
    try_stopped_cluster().await.expect("a cluster for the test")
}

async fn try_stopped_cluster() -> Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("pitboss-test-").tempdir()?;
    copy(&template().await?, &directory.path().join("postgres"))?;
    Ok(directory)
}

impl TestDatabase {
    /// The data directory that holds the cluster.
    pub fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    /// Stops the cluster and leaves its directory, to be started again on the same socket.
    pub async fn stop(mut self) -> TempDir {
        let cluster = self.cluster.take().expect("only drop and this take it");
        cluster.stop().await;
        let empty = tempfile::tempdir().expect("a temporary directory");
        std::mem::replace(&mut self.directory, empty)
    }

    /// The cluster, to be interfered with.
    pub fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("only drop takes it")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(cluster) = self.cluster.take() else {
            return;
        };
        let state = cluster.state();
        drop(cluster);
        let dropped = Stopwatch::start();
        while *state.borrow() != ClusterState::Stopped && dropped.elapsed() < STOP_WITHIN {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The settings of a test's cluster: PostgreSQL from wherever it is, installed if it may be.
pub fn settings(data_dir: &Path) -> ClusterSettings {
    let variable = |wanted: &str| std::env::vars_os().find(|(name, _)| name == wanted);
    ClusterSettings {
        data_dir: data_dir.to_owned(),
        runtime_dir: None,
        binaries: variable("PITBOSS_POSTGRES_BIN").map(|(_, value)| value.into()),
        search_path: variable("PATH").map(|(_, value)| value),
        may_install: true,
    }
}

/// The directory of a stopped cluster with the schema of this build, made by the first who asks.
async fn template() -> Result<PathBuf> {
    let tests = std::env::current_exe()?;
    let home = tests
        .parent()
        .context("the test binary is in a directory")?;
    let uid = rustix::process::geteuid().as_raw();
    let schema = migrations::fingerprint().to_hex();
    let template = home.join(format!("postgres-template-{uid}-{}", &schema[..12]));
    let lock = std::fs::File::create(template.with_extension("lock"))?;
    lock.lock()?;
    if !template.exists() {
        let made = tempfile::Builder::new().prefix("pitboss-test-").tempdir()?;
        make_template(made.path()).await?;
        let unfinished = template.with_extension("unfinished");
        let _ = std::fs::remove_dir_all(&unfinished);
        copy(&made.path().join("postgres"), &unfinished)?;
        std::fs::rename(&unfinished, &template)?;
    }
    Ok(template)
}

async fn make_template(data_dir: &Path) -> Result<()> {
    let cluster = Cluster::start(settings(data_dir)).await?;
    let migrated = migrate(&cluster.connect_options(), Pooler::None).await;
    cluster.stop().await;
    migrated?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp")
        .args(["--archive", "--reflink=auto"])
        .args([from, to])
        .status()?;
    ensure!(status.success(), "cp --archive {} failed", from.display());
    Ok(())
}
