//! Several daemons on one database, each with a data directory of its own.

use std::path::Path;

use daemon::testing::{TestDatabase, database};
use tempfile::TempDir;

use crate::installation::Installation;

/// The unit secret of every daemon of a fleet: who has the same database has the same secret.
const UNIT_SECRET: &str = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";

/// Daemons and what they share. Daemons are stopped before their database.
pub struct Fleet {
    /// The daemons, ready.
    pub daemons: Vec<Installation>,
    /// The database.
    pub database: TestDatabase,
    shared: TempDir,
}

impl Fleet {
    /// `size` daemons on a new database.
    pub async fn start(size: usize) -> anyhow::Result<Self> {
        let mut fleet = Self::without_daemons().await?;
        for _ in 0..size {
            fleet.add(&[]).await?;
        }
        Ok(fleet)
    }

    /// A new database on its own.
    pub async fn without_daemons() -> anyhow::Result<Self> {
        let shared = tempfile::Builder::new().prefix("pitboss-test-").tempdir()?;
        std::fs::write(shared.path().join("unit-secret"), UNIT_SECRET)?;
        Ok(Self {
            daemons: Vec::new(),
            database: database().await,
            shared,
        })
    }

    /// Starts another daemon, told more by `arguments`.
    pub async fn add(&mut self, arguments: &[&str]) -> anyhow::Result<&mut Installation> {
        let url = url(self.database.cluster().socket_dir(), 5432);
        self.add_on(&url, arguments).await
    }

    /// Starts another daemon that reaches the database by `url`.
    pub async fn add_on(
        &mut self,
        url: &str,
        arguments: &[&str],
    ) -> anyhow::Result<&mut Installation> {
        let data = tempfile::Builder::new().prefix("pitboss-test-").tempdir()?;
        let secret = self.shared.path().join("unit-secret");
        let mut told = vec![
            "--database-url".to_owned(),
            url.to_owned(),
            "--unit-secret-file".to_owned(),
            secret.display().to_string(),
        ];
        told.extend(arguments.iter().map(ToString::to_string));
        let daemon = Installation::start_with(data, told).await?;
        self.daemons.push(daemon);
        Ok(self.daemons.last_mut().expect("one was just pushed"))
    }
}

/// The database behind the socket in `directory`.
pub fn url(directory: &Path, port: u16) -> String {
    format!(
        "postgres://pitboss@localhost:{port}/pitboss?host={}",
        directory.display()
    )
}
