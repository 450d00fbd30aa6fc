//! `pitboss watch`: experiments as they change, until something happens.

mod condition;
mod feed;
pub(super) mod line;

use std::collections::BTreeMap;

use protocol::experiments::Row;
use serde::Serialize;

pub use condition::Condition;

use super::daemon::Daemon;
use super::{Exit, Failure};
use crate::cli::WatchArgs;
use crate::output::{self, versioned};
use feed::{Feed, Update};

/// One line of `--json`: an experiment as it is now.
#[derive(Debug, Serialize)]
struct JsonLine<'a> {
    at: chrono::DateTime<chrono::Utc>,
    revision: u64,
    experiment: &'a Row,
}

pub(super) async fn run(daemon: &Daemon, args: &WatchArgs) -> Result<Exit, Failure> {
    let watching = follow(daemon, args);
    let Some(timeout) = args.timeout else {
        return watching.await;
    };
    match tokio::time::timeout(timeout.to_std(), watching).await {
        Ok(ended) => ended,
        Err(_) => Err(Failure::Unconfirmed(format!(
            "what --until waits for did not happen within {timeout}"
        ))),
    }
}

async fn follow(daemon: &Daemon, args: &WatchArgs) -> Result<Exit, Failure> {
    let mut feed = Feed::new(daemon);
    let mut printed = Printed {
        json: args.reading.json,
        lines: BTreeMap::new(),
    };
    let mut first = true;
    loop {
        let update = feed.next().await?;
        if std::mem::take(&mut first) {
            check_keys(&args.keys, &update.rows)?;
        }
        for row in &update.rows {
            if !args.keys.is_empty() && !args.keys.contains(&row.key) {
                continue;
            }
            printed.row(&update, row)?;
            if let Some(exit) = ended(args.until.as_ref(), row)? {
                return Ok(exit);
            }
        }
    }
}

/// A name that is wrong would be waited for without end.
fn check_keys(wanted: &[String], rows: &[Row]) -> Result<(), Failure> {
    let unknown = wanted
        .iter()
        .find(|key| !rows.iter().any(|row| row.key == **key));
    match unknown {
        Some(key) => Err(Failure::Usage(format!(
            "there is no experiment `{key}`; pitboss ls shows what there is"
        ))),
        None => Ok(()),
    }
}

/// With `--until`: done when it holds, breached when a guardrail fails or somebody rolled it back.
fn ended(until: Option<&Condition>, row: &Row) -> Result<Option<Exit>, Failure> {
    let Some(until) = until else {
        return Ok(None);
    };
    if until.holds(row) {
        return Ok(Some(Exit::Done));
    }
    match condition::breach(row) {
        Some(breach) => Err(Failure::Breached(breach)),
        None => Ok(None),
    }
}

/// What has been printed of each experiment: a line that would say the same is left out.
struct Printed {
    json: bool,
    lines: BTreeMap<String, String>,
}

impl Printed {
    fn row(&mut self, update: &Update, row: &Row) -> Result<(), Failure> {
        if self.json {
            output::json_line(&versioned(&JsonLine {
                at: update.now,
                revision: update.revision,
                experiment: row,
            }))?;
            return Ok(());
        }
        let line = line::of(row);
        if self.lines.get(&row.key) == Some(&line) {
            return Ok(());
        }
        output::text(&line::text(update.now, row, &line))?;
        self.lines.insert(row.key.clone(), line);
        Ok(())
    }
}
