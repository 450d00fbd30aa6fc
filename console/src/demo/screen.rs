//! The demo on a terminal: the console, until it is left.

use super::Stage;
use crate::cmd::{Exit, Failure, full_screen};
use crate::runtime::TuiOptions;

/// Open the console on the demo's own daemon. Whatever happens in it, the stage is cleared behind it.
pub(super) async fn run(stage: Stage) -> Result<Exit, Failure> {
    // Bound in the reverse of the order in which they must be dropped.
    let Stage {
        installation,
        daemon,
        traffic,
    } = stage;
    drop(daemon);
    let left = full_screen(TuiOptions::new(installation.socket())).await;
    super::say("stopping everything");
    traffic.finish().await;
    installation.close()?;
    left
}
