//! The database on its way: started or found, brought up to date, proved to be ours; and what to do until then.
//!
//! A daemon that has a saved world does not wait for a database that is away: it serves from that, and goes on
//! opening. A database that must not be used, such as one with another unit secret, stops it whenever that
//! turns out.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::database::{self, OpenDatabase};
use super::{AppError, data_dir::DataDir};
use crate::breaker::{Breaker, Probe};
use crate::config::{Config, Database};
use crate::store::{MigrationError, Store, StoreError};
use crate::unit_secret::UnitSecret;
use crate::world::snapshot::{self, Saved};
use crate::world::{World, saved};

/// 1.2 s for a database that somebody else runs: connecting takes milliseconds, and a daemon that can serve
/// from its saved world must not take 2 s to do so.
const FOUND_WITHIN: Duration = Duration::from_millis(1_200);

/// 10 s for our own: it starts in 0.2 to 1 s, and recovers from a crash in 2 to 5 s; serving without it for that
/// time would be worse for more units than the wait.
const STARTED_WITHIN: Duration = Duration::from_secs(10);

/// Between two tries, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A database that may be used.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) database: OpenDatabase,
    pub(super) store: Store,
    pub(super) secret: UnitSecret,
}

/// What the daemon starts with.
pub(super) enum Start {
    /// The database.
    With(Box<Opened>),
    /// A world that was saved, and the database to come.
    Without(Box<Without>),
}

/// A start without the database.
pub(super) struct Without {
    /// What to serve.
    pub(super) world: World,
    /// When it was saved.
    pub(super) saved_at: DateTime<Utc>,
    /// What its units were keyed with.
    pub(super) secret: UnitSecret,
    /// The try that is under way.
    pub(super) coming: Coming,
}

/// The tries to open the database.
pub(super) struct Coming {
    config: Config,
    data_dir: Arc<DataDir>,
    attempt: Option<JoinHandle<Result<Opened, AppError>>>,
}

/// Opens the database, or finds what can be served without it.
pub(super) async fn start(config: &Config, data_dir: &Arc<DataDir>) -> Result<Start, AppError> {
    let mut coming = Coming::begin(config, data_dir);
    let Some((saved, secret)) = fallback(config, data_dir) else {
        return Ok(Start::With(Box::new(coming.attempt().await?)));
    };
    let patience = match config.database {
        Database::Private(_) => STARTED_WITHIN,
        Database::Url(_) => FOUND_WITHIN,
    };
    let why = match tokio::time::timeout(patience, coming.attempt()).await {
        Ok(Ok(opened)) => return Ok(Start::With(Box::new(opened))),
        Ok(Err(error)) if may_pass(&error) => told(&error),
        Ok(Err(error)) => return Err(error),
        Err(_) => format!("it does not answer, or is being brought up to date, after {patience:?}"),
    };
    tracing::error!(
        why,
        revision = saved.world.revision.0,
        experiments = saved.world.experiments.len(),
        saved_at = %saved.written_at,
        "starting without the database, from the saved world"
    );
    Ok(Start::Without(Box::new(Without {
        world: saved.world,
        saved_at: saved.written_at,
        secret,
        coming,
    })))
}

/// The saved world, and the unit secret if it is the one that the world's units were keyed with.
fn fallback(config: &Config, data_dir: &DataDir) -> Option<(Saved, UnitSecret)> {
    let file = match saved(data_dir.path()) {
        Ok(file) => file?,
        Err(error) => {
            tracing::warn!(%error, "saved world unreadable");
            return None;
        }
    };
    let saved = match snapshot::read(&file) {
        Ok(saved) => saved,
        Err(error) => {
            tracing::warn!(%error, "saved world not used");
            return None;
        }
    };
    let secret = UnitSecret::read(&database::secret_path(config, data_dir)).ok()??;
    (secret.fingerprint() == saved.secret).then_some((saved, secret))
}

async fn open(config: Config, data_dir: Arc<DataDir>) -> Result<Opened, AppError> {
    let database = OpenDatabase::start(&config).await?;
    let proved = async {
        let store = database.store(&config).await?;
        let secret = database::unit_secret(&config, &data_dir, &store).await?;
        Ok((store, secret))
    };
    match proved.await {
        Ok((store, secret)) => Ok(Opened {
            database,
            store,
            secret,
        }),
        Err(error) => {
            database.stop().await;
            Err(error)
        }
    }
}

/// Whether the database may be usable later, as it is.
fn may_pass(error: &AppError) -> bool {
    matches!(
        error,
        AppError::Cluster(_)
            | AppError::Store(StoreError::Away(_) | StoreError::Contended(_))
            | AppError::Migration(MigrationError::Store(
                StoreError::Away(_) | StoreError::Contended(_)
            ))
    )
}

fn told(error: &AppError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    match source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl Drop for Coming {
    /// Who does not wait any more does not want a database.
    fn drop(&mut self) {
        if let Some(attempt) = &self.attempt {
            attempt.abort();
        }
    }
}

impl Coming {
    fn begin(config: &Config, data_dir: &Arc<DataDir>) -> Self {
        Self {
            config: config.clone(),
            data_dir: Arc::clone(data_dir),
            attempt: None,
        }
    }

    /// The outcome of the attempt under way, or of a new one. Cancel-safe: the attempt goes on.
    async fn attempt(&mut self) -> Result<Opened, AppError> {
        let attempt = self.attempt.get_or_insert_with(|| {
            let (config, data_dir) = (self.config.clone(), Arc::clone(&self.data_dir));
            tokio::spawn(open(config, data_dir))
        });
        let outcome = attempt.await;
        self.attempt = None;
        outcome.unwrap_or_else(|error| Err(AppError::Process(std::io::Error::other(error))))
    }

    /// Opens the database, however often it takes; `None` if it must not be used.
    async fn opened(mut self) -> Option<Opened> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.attempt().await {
                Ok(opened) => return Some(opened),
                Err(error) if may_pass(&error) => {
                    tracing::warn!(error = told(&error), "the database is not there yet");
                }
                Err(error) => {
                    tracing::error!(error = told(&error), "the database must not be used");
                    return None;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Opens the database and lets `store` connect to it; from then on `breaker` is probed. Ends by itself only
    /// if the database must not be used.
    pub(super) async fn arrive(self, store: Store, breaker: Breaker, stop: CancellationToken) {
        let Some(arrived) = stop.run_until_cancelled(self.opened()).await else {
            return;
        };
        let Some(Opened {
            database,
            store: proof,
            secret: _,
        }) = arrived
        else {
            return;
        };
        proof.pool.close().await;
        store.connect_to(database.options.clone());
        Probe::new(breaker, database.options.clone())
            .run(stop)
            .await;
        database.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{PoolSize, Pooler};
    use crate::testing::database;

    #[tokio::test]
    async fn a_store_of_no_database_says_so_at_once_until_it_is_told_of_one() {
        let database = database().await;
        let store = Store::of_no_database(Pooler::None, PoolSize(2));
        assert!(matches!(store.ping().await, Err(StoreError::Away(_))));
        store.connect_to(database.cluster().connect_options());
        store.ping().await.unwrap();
    }
}
