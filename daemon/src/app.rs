//! `pitbossd serve`: builds every part in order, owns every task, drains them in reverse.

mod build;
pub mod commands;
mod control;
pub mod data_dir;
pub mod database;
mod error;
mod opening;
mod parts;
mod signals;

pub use error::{AppError, Exit};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::Config;
use crate::http::admin::Phase;
use build::{Base, build};
use data_dir::{Addresses, DataDir};
use parts::Parts;
use signals::{Signals, parent_ended};

/// Closing a connection takes a round trip on a local socket.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Runs the daemon on its data directory until it is told to stop. The caller has set up the logs.
pub async fn serve(config: Config, data_dir: DataDir) -> Result<(), AppError> {
    let mut signals = Signals::catch().map_err(AppError::Process)?;
    let data_dir = Arc::new(data_dir);
    let (mut parts, mut ended) = Parts::new();
    let (phase, watched_phase) = watch::channel(Phase::Starting);

    let mut base = Base::default();
    // Dropping a half-built daemon is safe: nothing was acknowledged.
    let built = tokio::select! {
        built = build(&config, &data_dir, &mut parts, &mut base, watched_phase) => built,
        signal = signals.next() => {
            tracing::info!(signal, "told to stop while starting");
            drain(base, parts, config.drain_timeout).await;
            return Ok(());
        }
    };
    let announced = built.and_then(|addresses| announce(&addresses, &config, &data_dir));
    if let Err(error) = announced {
        drain(base, parts, config.drain_timeout).await;
        return Err(error);
    }
    phase.send_replace(Phase::Ready);

    // Every arm is cancel-safe.
    let result = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "draining");
            Ok(())
        }
        () = parent_ended(config.die_with_parent) => {
            tracing::info!("the parent process ended: draining");
            Ok(())
        }
        part = ended.recv() => Err(AppError::PartEnded(part.unwrap_or("daemon"))),
    };
    phase.send_replace(Phase::Draining);
    data_dir.withdraw_addresses();
    tokio::select! {
        () = drain(base, parts, config.drain_timeout) => {}
        signal = signals.next() => tracing::warn!(signal, "told again: not waiting any longer"),
    }
    result
}

/// Says where the daemon is reached: in the data directory and in the log.
fn announce(addresses: &Addresses, config: &Config, data_dir: &DataDir) -> Result<(), AppError> {
    data_dir.publish_addresses(addresses)?;
    tracing::info!(
        data = %addresses.data,
        data_rpc = addresses.data_rpc.map(tracing::field::display),
        admin = %addresses.admin,
        control = %addresses.control.display(),
        environment = config.environment,
        pid = addresses.pid,
        "ready"
    );
    Ok(())
}

/// Stops the parts, then what they stood on.
async fn drain(base: Base, parts: Parts, within: Duration) {
    parts.drain(within).await;
    if let Some(store) = base.store {
        // Waits for connections in use; a part that did not end in time may hold one for ever.
        let _ = tokio::time::timeout(CLOSE_WITHIN, store.pool.close()).await;
    }
    if let Some(database) = base.database {
        database.stop().await;
    }
    tracing::info!("stopped");
}
