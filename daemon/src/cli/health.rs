//! `pitbossd health`: asks the running daemon, for containers and for people.

use super::output;
use crate::app::data_dir::addresses;
use crate::app::{AppError, Exit};
use crate::config::Config;
use crate::http::admin::ask;

/// Exit 0 if the daemon is ready, 4 if none answers or it is not ready.
pub(super) async fn run(config: Config) -> Result<Exit, AppError> {
    // A daemon that listens on port 0 says where in its data directory.
    let address = addresses(&config.data_dir).map_or(config.admin_listen, |it| it.admin);
    let (status, body) = ask(address, "/readyz")
        .await
        .map_err(|error| AppError::NotRunning(error.to_string()))?;
    output::text(&format!("{body}\n"));
    Ok(if status == 200 {
        Exit::Done
    } else {
        Exit::Unreachable
    })
}
