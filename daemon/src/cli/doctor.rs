//! `pitbossd doctor`: looks at everything the daemon needs here, and says what to do about what is missing.

use std::path::Path;

use chrono::TimeDelta;

use super::output;
use crate::app::data_dir::{self, DataDir, DataDirError, addresses};
use crate::app::database::OpenDatabase;
use crate::app::{AppError, Exit};
use crate::config::{Config, Database};
use crate::http::admin::ask;
use crate::postgres;
use crate::spool::inspect::inspect;
use crate::store::{Store, StoreError, migrations, retention, sizes};
use crate::unit_secret::UnitSecret;

/// One line of the report.
struct Finding {
    what: &'static str,
    result: Result<String, String>,
}

/// Exit 0 if nothing is wrong, 1 otherwise.
pub(super) async fn run(config: Config) -> Result<Exit, AppError> {
    let findings = [
        Finding {
            what: "data directory",
            result: data_directory(&config.data_dir),
        },
        Finding {
            what: "postgresql",
            result: postgresql(&config).await,
        },
        Finding {
            what: "growth",
            result: growth(&config).await,
        },
        Finding {
            what: "unit secret",
            result: unit_secret(&config),
        },
        Finding {
            what: "spool",
            result: spool(&config.data_dir),
        },
        Finding {
            what: "log directory",
            result: writable(&config.log_dir),
        },
        Finding {
            what: "daemon",
            result: daemon(&config).await,
        },
    ];
    let mut exit = Exit::Done;
    for Finding { what, result } in findings {
        let (sign, text) = match result {
            Ok(text) => ("ok  ", text),
            Err(text) => {
                exit = Exit::Failed;
                ("FAIL", text)
            }
        };
        output::text(&format!("{sign}  {what:15} {text}\n"));
    }
    Ok(exit)
}

fn data_directory(path: &Path) -> Result<String, String> {
    if !path.exists() {
        return Ok(format!("{} (will be made)", path.display()));
    }
    match DataDir::look(path) {
        Ok(()) => Ok(format!("{} (not in use)", path.display())),
        Err(DataDirError::InUse { .. }) => Ok(format!("{} (a daemon runs)", path.display())),
        Err(error) => Err(error.to_string()),
    }
}

async fn postgresql(config: &Config) -> Result<String, String> {
    match &config.database {
        Database::Private(settings) => {
            let found = postgres::look(settings).map_err(|error| error.to_string())?;
            Ok(format!(
                "private, version {} in {}",
                found.major,
                found.directory.display()
            ))
        }
        Database::Url(options) => {
            let version = migrations::applied(options.expose(), config.database_pooler)
                .await
                .map_err(|error| error.to_string())?;
            let newest = migrations::newest();
            if version > newest {
                return Err(format!(
                    "its schema is version {version}, newer than this pitbossd's {newest}"
                ));
            }
            Ok(format!("as configured; schema {version} of {newest}"))
        }
    }
}

/// Sizes of the large tables, what a day adds, and what retention takes away.
async fn growth(config: &Config) -> Result<String, String> {
    let keep = config
        .event_retention
        .and_then(|keep| TimeDelta::from_std(keep).ok());
    let retention = keep.map_or("events are kept for ever".to_owned(), |keep| {
        format!("events are kept for {} days", keep.num_days())
    });
    let database = OpenDatabase::of_running_daemon(config);
    let seen = match database.connect(config).await {
        Ok(store) => {
            let seen = looked_at(&store, keep)
                .await
                .map_err(|error| error.to_string());
            store.pool.close().await;
            seen
        }
        Err(error) => Err(error.to_string()),
    };
    Ok(match seen {
        Ok(seen) => format!("{retention}; {seen}"),
        Err(why) => format!("{retention}; sizes unknown: {why}"),
    })
}

async fn looked_at(store: &Store, keep: Option<TimeDelta>) -> Result<String, StoreError> {
    let seen = sizes::sizes(store).await?;
    let mut session = store.session().await?;
    let growth = sizes::growth(&mut session, &seen).await?;
    let oldest = retention::oldest_week(&mut session).await?;
    let goes = keep.zip(oldest).map_or(String::new(), |(keep, (_, ends))| {
        format!(
            "what came before {} goes next, on {}; ",
            ends.date_naive(),
            (ends + keep).date_naive()
        )
    });
    let tables = seen.tables.iter().map(|(table, bytes)| {
        let name = table.trim_start_matches("experiment_");
        format!("\n      {name:19} {:>9.1} MiB", *bytes as f64 / MIB)
    });
    Ok(format!(
        "{goes}{:.1} MiB a day ({:.0} events of {:.0} bytes, {:.0} units of {:.0} bytes){}",
        growth.bytes_per_day() / MIB,
        growth.events_per_day,
        growth.bytes_per_event,
        growth.units_per_day,
        growth.bytes_per_unit,
        tables.collect::<String>()
    ))
}

const MIB: f64 = 1_048_576.0;

fn unit_secret(config: &Config) -> Result<String, String> {
    let path = config
        .unit_secret_file
        .clone()
        .unwrap_or_else(|| config.data_dir.join("unit-secret"));
    match UnitSecret::read(&path) {
        Ok(Some(_)) => Ok(path.display().to_string()),
        Ok(None) if config.unit_secret_file.is_some() => {
            Err(format!("{} is not there", path.display()))
        }
        Ok(None) => Ok("none yet (made at the first start)".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn spool(data_dir: &Path) -> Result<String, String> {
    let found = inspect(&data_dir::spool(data_dir)).map_err(|error| error.to_string())?;
    let unreadable = found.segments.iter().find_map(|it| it.unreadable.as_ref());
    if let Some(why) = unreadable {
        return Err(format!("a segment cannot be read: {why}"));
    }
    Ok(match (found.records, found.aside.len()) {
        (0, 0) => "empty".to_owned(),
        (records, 0) => format!("{records} records to be written to the database"),
        (records, aside) => {
            format!("{records} records to be written; damage kept aside in {aside} files")
        }
    })
}

fn writable(directory: &Path) -> Result<String, String> {
    let existing = directory.ancestors().find(|it| it.exists());
    let existing = existing.unwrap_or(Path::new("/"));
    rustix::fs::access(existing, rustix::fs::Access::WRITE_OK)
        .map(|()| directory.display().to_string())
        .map_err(|error| format!("cannot write into {}: {error}", existing.display()))
}

async fn daemon(config: &Config) -> Result<String, String> {
    let Some(addresses) = addresses(&config.data_dir) else {
        return Ok("not running here".to_owned());
    };
    match ask(addresses.admin, "/readyz").await {
        Ok((200, _)) => Ok(format!(
            "ready (pid {}), data port {}",
            addresses.pid, addresses.data
        )),
        Ok((status, body)) => Err(format!("not ready ({status}): {body}")),
        Err(error) => Err(error.to_string()),
    }
}
