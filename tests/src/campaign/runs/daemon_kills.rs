//! K1: kill -9 of a random daemon, again and again, under load.

use std::time::Duration;

use rand::RngExt as _;

use crate::campaign::driver::{Driver, Load};
use crate::campaign::operator::Operator;
use crate::campaign::{Finished, Frame, Options};

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let mut frame = Frame::open(options, 3).await?;
    let kills = options.size(50, 1_000);
    // Short enough that daemons are also killed while they start.
    let pause = options.size(0.1..0.5, 0.2..2.2);
    let operator = Operator::start(&frame.site.oracle, &frame.site.fleet);
    let driver = Driver::start(
        &frame.site.oracle,
        &frame.site.fleet.data_ports(),
        Load::STEADY,
        None,
    );
    for kill in 0..kills {
        frame.progress(kill, kills);
        let pause = frame.rng.random_range(pause.clone());
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        let which = frame.rng.random_range(0..frame.site.fleet.daemons.len());
        let daemon = &mut frame.site.fleet.daemons[which];
        let by_itself = daemon.ended()?;
        frame
            .report
            .must("no daemon ends by itself", by_itself.is_none());
        if let Some(status) = by_itself {
            super::super::say(&format!(
                "{} ended with {status}: {}",
                daemon.name,
                daemon.last_words()
            ));
        }
        daemon.kill()?;
        frame.report.faults.note("daemon_kill_9");
        daemon.spawn_if_gone()?;
    }
    frame.finish(driver, Some(operator)).await
}
