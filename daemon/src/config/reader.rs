//! From text to types, with every problem collected.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bandit::experiment::Millis;
use bandit::spec::limits::MAX_DURATION;
use directories::ProjectDirs;
use protocol::transport::default_socket;
use sqlx::postgres::PgConnectOptions;

use super::channels;
use super::error::{ConfigError, ConfigProblem};
use super::file::WrittenChannel;
use super::layers::{Inputs, Origin, Setting};
use super::typed::{Config, Database, LogFormat, Secret};
use super::usual::{usual_data_dir, usual_log_dir};
use crate::postgres::ClusterSettings;
use crate::store::retention::LEAST;
use crate::store::weeks::IDS_KEPT;
use crate::store::{PoolSize, Pooler};

/// 5 s: what the common balancers need to notice `/readyz` or the end of an endpoint.
const USUAL_DRAIN_DELAY: Duration = Duration::from_secs(5);

/// Checks every value.
pub(super) fn read(
    settings: &[Setting],
    written: &[WrittenChannel],
    inputs: &Inputs,
) -> Result<Config, ConfigError> {
    let mut reader = Reader {
        settings,
        problems: Vec::new(),
    };
    let mut config = reader.config(inputs);
    match channels::read(written, inputs) {
        Ok(channels) => config.alert_channels = channels.into(),
        Err(mut problems) => reader.problems.append(&mut problems),
    }
    if reader.problems.is_empty() {
        return Ok(config);
    }
    Err(ConfigError {
        problems: reader.problems,
    })
}

struct Reader<'a> {
    settings: &'a [Setting],
    problems: Vec<ConfigProblem>,
}

impl Reader<'_> {
    fn config(&mut self, inputs: &Inputs) -> Config {
        let dirs = ProjectDirs::from("", "", "pitboss");
        let chosen_data_dir = self.path("data_dir");
        let data_dir = chosen_data_dir
            .clone()
            .unwrap_or_else(|| usual_data_dir(dirs.as_ref(), inputs.is_root));
        let log_dir = self.path("log_dir").unwrap_or_else(|| {
            chosen_data_dir.map_or_else(
                || usual_log_dir(dirs.as_ref(), inputs.is_root),
                |chosen| chosen.join("logs"),
            )
        });
        let environment = self.name("environment", "local");
        let die_with_parent = self.switch("die_with_parent");
        let drain_timeout = self.duration("drain_timeout", 30, 1..=600);
        Config {
            production: self.switch("production") || environment.starts_with("prod"),
            environment,
            data_listen: self.listen("data_listen", 7400),
            data_rpc_listen: self.loopback("data_rpc_listen", 7401),
            admin_listen: self.listen("admin_listen", 7402),
            control_socket: self.path("control_socket").unwrap_or_else(default_socket),
            database: self.database(&data_dir, dirs.as_ref(), inputs),
            database_pooler: self.pooler(),
            database_connections: PoolSize(self.number("database_connections", 16, 8..=1000)),
            replica: self.url("replica_url"),
            replica_max_lag: self.duration("replica_max_lag", 10, 1..=3_600),
            unit_secret_file: self.path("unit_secret_file"),
            sticky_cache_bytes: self.number("sticky_cache", 128_u64, 1..=65_536) * 1024 * 1024,
            spool_bytes: self.number("spool", 1_024_u64, 1..=1_048_576) * 1024 * 1024,
            event_retention: self.event_retention(),
            drain_timeout,
            drain_delay: self.drain_delay(drain_timeout, die_with_parent),
            log: self.log_filter(),
            log_format: self.log_format(),
            log_files: self.number("log_files", 14, 1..=3650),
            die_with_parent,
            alert_channels: Arc::default(),
            data_dir,
            log_dir,
        }
    }

    fn database(
        &mut self,
        data_dir: &Path,
        dirs: Option<&ProjectDirs>,
        inputs: &Inputs,
    ) -> Database {
        let private = ClusterSettings {
            data_dir: data_dir.to_owned(),
            runtime_dir: dirs.and_then(|dirs| Some(dirs.runtime_dir()?.parent()?.to_owned())),
            binaries: self.path("postgres_bin"),
            search_path: inputs.variable("PATH").map(ToOwned::to_owned),
            may_install: self.switch("install_postgres"),
        };
        match self.url("database_url") {
            Some(options) => Database::Url(options),
            None => Database::Private(private),
        }
    }

    fn url(&mut self, key: &'static str) -> Option<Secret<Box<PgConnectOptions>>> {
        // The parser's message may quote the URL, and with it the password.
        let parse = |text: &str| {
            PgConnectOptions::from_str(text)
                .map_err(|_| "not a PostgreSQL URL; write postgres://user@host/database".to_owned())
        };
        let options = self.value(key, parse)?;
        Some(Secret::new(Box::new(options)))
    }

    /// Only a database that somebody else runs can have one in front of it.
    fn pooler(&mut self) -> Pooler {
        let pooler = self.value("database_pooler", |text| match text {
            "none" => Ok(Pooler::None),
            "transaction" => Ok(Pooler::Transaction),
            _ => Err(format!(
                "`{text}` is none of none, transaction; a pooler in session mode is `none`"
            )),
        });
        if self.setting("database_url").value.is_none() {
            return Pooler::None;
        }
        pooler.unwrap_or_default()
    }

    fn setting(&self, key: &str) -> &Setting {
        let setting = self.settings.iter().find(|it| it.key.name == key);
        setting.expect("there is a setting for every key of the table")
    }

    /// The value of `key`, if there is one that `parse` likes.
    fn value<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let setting = self.settings.iter().find(|it| it.key.name == key)?;
        let text = setting.value.as_deref()?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(key, setting.origin.clone(), message);
                None
            }
        }
    }

    fn refuse(&mut self, key: &'static str, origin: Origin, message: String) {
        self.problems.push(ConfigProblem::BadValue {
            origin,
            key,
            message,
        });
    }

    /// Absolute: the daemon does not depend on where it was started.
    fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.value(key, |text| {
            std::path::absolute(text).map_err(|error| format!("not a path: {error}"))
        })
    }

    fn name(&mut self, key: &'static str, default: &str) -> String {
        self.value(key, |text| {
            let fits = (1..=40).contains(&text.chars().count()) && !text.contains(char::is_control);
            fits.then(|| text.to_owned())
                .ok_or_else(|| "use 1 to 40 printable characters".to_owned())
        })
        .unwrap_or_else(|| default.to_owned())
    }

    fn listen(&mut self, key: &'static str, default_port: u16) -> SocketAddr {
        self.loopback(key, default_port)
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], default_port)))
    }

    fn loopback(&mut self, key: &'static str, usual_port: u16) -> Option<SocketAddr> {
        self.value(key, |text| {
            let address: SocketAddr = text
                .parse()
                .map_err(|_| format!("`{text}` is not an address; write 127.0.0.1:{usual_port}"))?;
            if address.ip().is_loopback() {
                return Ok(address);
            }
            Err(format!(
                "{address} can be reached from other machines, and this listener has no authentication; use 127.0.0.1, and a proxy that authenticates in front of it"
            ))
        })
    }

    fn number<N>(&mut self, key: &'static str, default: N, range: RangeInclusive<N>) -> N
    where
        N: FromStr + PartialOrd + fmt::Display,
    {
        self.value(key, |text| match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!(
                "`{text}` does not fit; use a whole number from {} to {}",
                range.start(),
                range.end()
            )),
        })
        .unwrap_or(default)
    }

    /// Within `range`, which is in seconds like the default.
    fn duration(
        &mut self,
        key: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        let limits = (range.start() * 1_000)..=(range.end() * 1_000);
        self.value(key, |text| {
            let length: Millis = text.parse().map_err(|error| format!("{error}"))?;
            if limits.contains(&length.0) {
                return Ok(length.to_std());
            }
            let [least, most] = [*limits.start(), *limits.end()].map(Millis);
            Err(format!("{length} does not fit; use {least} to {most}"))
        })
        .unwrap_or(Duration::from_secs(default))
    }

    fn event_retention(&mut self) -> Option<Duration> {
        self.value("event_retention", |text| {
            if text == "keep" {
                return Ok(None);
            }
            let length: Millis = text
                .parse()
                .map_err(|error| format!("{error}; or write keep"))?;
            if length.to_chrono() < LEAST || length > MAX_DURATION {
                return Err(format!(
                    "{length} does not fit; use {}d to {MAX_DURATION}, or keep: ids of callers are looked up for {} days, and weeks go as a whole",
                    LEAST.num_days(),
                    IDS_KEPT.num_days()
                ));
            }
            Ok(Some(length.to_std()))
        })
        .flatten()
    }

    /// A part of `whole`. Nobody balances between daemons that end with the process that started them.
    fn drain_delay(&mut self, whole: Duration, with_parent: bool) -> Duration {
        if self.setting("drain_delay").value.is_none() {
            let usual = if with_parent {
                Duration::ZERO
            } else {
                USUAL_DRAIN_DELAY
            };
            return usual.min(whole / 2);
        }
        let delay = self.duration("drain_delay", 0, 0..=300);
        if delay >= whole {
            let origin = self.setting("drain_delay").origin.clone();
            let message = "it must be shorter than drain_timeout, which it is a part of".to_owned();
            self.refuse("drain_delay", origin, message);
        }
        delay
    }

    fn switch(&mut self, key: &'static str) -> bool {
        self.value(key, |text| match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("`{text}` is neither true nor false")),
        })
        .unwrap_or(false)
    }

    fn log_filter(&mut self) -> String {
        self.value("log", |text| {
            tracing_subscriber::EnvFilter::try_new(text)
                .map(|_| text.to_owned())
                .map_err(|error| {
                    format!("not a log filter: {error}; write info, or info,daemon=debug")
                })
        })
        .unwrap_or_else(|| "info".to_owned())
    }

    fn log_format(&mut self) -> LogFormat {
        self.value("log_format", |text| match text {
            "auto" => Ok(LogFormat::Auto),
            "json" => Ok(LogFormat::Json),
            "human" => Ok(LogFormat::Human),
            _ => Err(format!("`{text}` is none of auto, json, human")),
        })
        .unwrap_or(LogFormat::Auto)
    }
}
