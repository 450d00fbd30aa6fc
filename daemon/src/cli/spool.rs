//! `pitbossd spool inspect`: what is on this daemon's disk that is not in the database yet?

use super::output;
use crate::app::{AppError, Exit, data_dir};
use crate::config::Config;
use crate::spool::inspect;

/// Exit 0, whatever there is. A running daemon is not disturbed.
pub(super) fn inspect(config: &Config, json: bool) -> Result<Exit, AppError> {
    let inspection =
        inspect::inspect(&data_dir::spool(&config.data_dir)).map_err(AppError::Spool)?;
    if json {
        let text = serde_json::to_string(&inspection).expect("plain text and numbers");
        output::text(&format!("{text}\n"));
    } else {
        output::text(&inspection.to_string());
    }
    Ok(Exit::Done)
}
