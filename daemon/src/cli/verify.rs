//! `pitbossd verify`: is everything as the ledgers say?

use super::output;
use crate::app::{AppError, Exit, commands};
use crate::config::Config;

/// Exit 0 if nothing differs, 5 otherwise. A running daemon is not disturbed.
pub(super) async fn run(config: Config, json: bool) -> Result<Exit, AppError> {
    let report = commands::verify(&config, &mut output::progress).await;
    output::progress_ends();
    let report = report?;
    if json {
        let text = serde_json::to_string(&report).expect("a report is plain text and numbers");
        output::text(&format!("{text}\n"));
    } else {
        output::text(&format!("{report}\n"));
    }
    Ok(if report.is_clean() {
        Exit::Done
    } else {
        Exit::Breached
    })
}
