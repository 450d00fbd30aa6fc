//! `pitbossd serve`: builds every part in order, owns every task, drains them in reverse.

mod build;
pub mod commands;
mod control;
pub mod data_dir;
pub mod database;
mod error;
mod opening;
mod parts;
mod reload;
mod service_manager;
mod signals;

pub use error::{AppError, Exit};
pub use reload::Reloading;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::Config;
use crate::http::admin::Phase;
use build::{Base, build};
use data_dir::{Addresses, DataDir};
use parts::Parts;
use service_manager::ServiceManager;
use signals::{Asked, Parent, Signals};

/// Closing a connection takes a round trip on a local socket.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Runs the daemon on its data directory until it is told to stop. The caller has set up the logs.
pub async fn serve(mut reloading: Reloading, data_dir: DataDir) -> Result<(), AppError> {
    let parent = Parent::now();
    let mut signals = Signals::catch().map_err(AppError::Process)?;
    let data_dir = Arc::new(data_dir);
    let manager = ServiceManager::new(reloading.variable(service_manager::VARIABLE));
    let (mut parts, mut ended) = Parts::new();
    let (phase, watched_phase) = watch::channel(Phase::Starting);

    let mut base = Base::default();
    let config = Arc::clone(reloading.config());
    let channels = reloading.alert_channels();
    let mut orphaned = std::pin::pin!(parent.ended(config.die_with_parent));
    // Dropping a half-built daemon is safe: nothing was acknowledged.
    let built = tokio::select! {
        built = build(&config, &data_dir, &mut parts, &mut base, watched_phase, channels) => built,
        asked = signals.stop() => {
            tracing::info!(?asked, "told to stop while starting");
            drain(base, parts, config.drain_timeout).await;
            return Ok(());
        }
        () = &mut orphaned => {
            tracing::info!("the parent process ended while starting");
            drain(base, parts, config.drain_timeout).await;
            return Ok(());
        }
        never = manager.starting() => match never {},
    };
    let announced = built.and_then(|addresses| announce(&addresses, &config, &data_dir));
    if let Err(error) = announced {
        drain(base, parts, config.drain_timeout).await;
        return Err(error);
    }
    phase.send_replace(Phase::Ready);
    manager.ready();

    let result = loop {
        // Every arm is cancel-safe.
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Reload => {
                    manager.reloading();
                    reloading.reload();
                    manager.ready();
                }
                Asked::Terminate => break Ok(reloading.config().drain_delay),
                Asked::Interrupt => break Ok(Duration::ZERO),
            },
            () = &mut orphaned => {
                tracing::info!("the parent process ended");
                break Ok(Duration::ZERO);
            }
            part = ended.recv() => break Err(AppError::PartEnded(part.unwrap_or("daemon"))),
        }
    };
    phase.send_replace(Phase::Draining);
    if let Some(leaving) = &base.leaving {
        leaving.announce();
    }
    manager.stopping();
    data_dir.withdraw_addresses();
    let delay = result.as_ref().copied().unwrap_or_default();
    tokio::select! {
        () = leave(base, parts, delay, reloading.config().drain_timeout) => result.map(|_| ()),
        asked = signals.stop() => {
            tracing::warn!(?asked, "told again: not waiting any longer");
            Err(AppError::ToldAgain)
        }
    }
}

/// Goes on serving for `delay`, for whoever has not noticed yet that the daemon is not ready any more, then drains.
async fn leave(base: Base, parts: Parts, delay: Duration, within: Duration) {
    tracing::info!(?delay, ?within, "draining");
    tokio::time::sleep(delay).await;
    drain(base, parts, within.saturating_sub(delay)).await;
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
