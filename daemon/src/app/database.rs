//! The database the configuration asks for: opened, brought up to date, and proved to be ours.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::AppError;
use super::data_dir::DataDir;
use crate::config::{Config, Database};
use crate::postgres::{self, Cluster};
use crate::store::installation::SecretCheck;
use crate::store::{Pooler, Store, migrate};
use crate::unit_secret::UnitSecret;

/// A database that can be connected to; the private one runs for as long as this is held.
#[derive(Debug)]
pub struct OpenDatabase {
    /// How to connect, through the pooler if there is one.
    pub options: PgConnectOptions,
    /// What is on the way to it.
    pub pooler: Pooler,
    /// The private cluster, if it is ours to stop.
    pub cluster: Option<Cluster>,
}

impl OpenDatabase {
    /// Starts the private cluster, or takes the given database as it is.
    pub async fn start(config: &Config) -> Result<Self, AppError> {
        match &config.database {
            Database::Private(settings) => {
                let cluster = Cluster::start(settings.clone()).await?;
                Ok(Self {
                    options: cluster.connect_options(),
                    pooler: Pooler::None,
                    cluster: Some(cluster),
                })
            }
            Database::Url(options) => Ok(Self {
                options: config
                    .database_pooler
                    .options(options.expose().as_ref().clone()),
                pooler: config.database_pooler,
                cluster: None,
            }),
        }
    }

    /// The database of a daemon that has the data directory, to connect to and not to stop.
    pub fn of_running_daemon(config: &Config) -> Self {
        let options = match &config.database {
            Database::Private(settings) => postgres::connect_options_of(settings),
            Database::Url(options) => config
                .database_pooler
                .options(options.expose().as_ref().clone()),
        };
        Self {
            options,
            pooler: config.database_pooler,
            cluster: None,
        }
    }

    /// Applies missing migrations and opens a pool.
    pub async fn store(&self, config: &Config) -> Result<Store, AppError> {
        migrate(&self.options, self.pooler).await?;
        self.connect(config).await
    }

    /// Opens a pool.
    pub async fn connect(&self, config: &Config) -> Result<Store, AppError> {
        let options = self.options.clone();
        Ok(Store::connect_through(self.pooler, options, config.database_connections).await?)
    }

    /// Stops the private cluster, if there is one.
    pub async fn stop(self) {
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

/// Where the unit secret is.
pub fn secret_path(config: &Config, data_dir: &DataDir) -> PathBuf {
    let usual = || data_dir.path().join("unit-secret");
    config.unit_secret_file.clone().unwrap_or_else(usual)
}

/// Reads the unit secret, or makes it for an installation that has none, and compares it with the
/// installation's.
pub async fn unit_secret(
    config: &Config,
    data_dir: &DataDir,
    store: &Store,
) -> Result<UnitSecret, AppError> {
    let path = secret_path(config, data_dir);
    let secret = match UnitSecret::read(&path)? {
        Some(secret) => secret,
        None if config.unit_secret_file.is_some() || store.has_unit_secret().await? => {
            return Err(AppError::SecretMissing(path));
        }
        None => UnitSecret::make(&path)?,
    };
    match store.check_unit_secret(&secret.fingerprint()).await? {
        SecretCheck::Ours => Ok(secret),
        SecretCheck::Another => Err(AppError::SecretDiffers(path)),
    }
}
