//! K3: PostgreSQL and daemons killed together, and started again in any order: a daemon that comes up first
//! boots from its last snapshot and serves.

use std::time::Duration;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use crate::campaign::database::Crash;
use crate::campaign::driver::{Driver, Load, known_unit_is_served};
use crate::campaign::{Finished, Frame, Options};

/// RELIABILITY section 9, K3.
const BOOTS_WITHIN: Duration = Duration::from_secs(2);

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let mut frame = Frame::open(options, 3).await?;
    let rounds = options.size(4, 50);
    let up = options.size(1.0..2.0, 1.0..5.0);
    let between = options.size(0.0..0.7, 0.0..4.0);
    let ports = frame.site.fleet.data_ports();
    let driver = Driver::start(&frame.site.oracle, &ports, Load::STEADY, None);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        frame.progress(round, rounds);
        let pause = frame.rng.random_range(up.clone());
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        let how = [Crash::Kill, Crash::Immediate][frame.rng.random_range(0..2)];
        frame.site.database.crash(how).await?;
        frame.report.faults.note(how.name());
        // `None` is the database.
        let mut order: Vec<Option<usize>> = vec![None];
        for index in 0..ports.len() {
            if frame.rng.random_bool(0.6) {
                frame.site.fleet.daemons[index].kill()?;
                frame.report.faults.note("daemon_kill_9");
                order.push(Some(index));
            }
        }
        order.shuffle(&mut frame.rng);
        let mut there = false;
        for which in order {
            let pause = frame.rng.random_range(between.clone());
            tokio::time::sleep(Duration::from_secs_f64(pause)).await;
            let Some(index) = which else {
                frame.site.database.start().await?;
                there = true;
                continue;
            };
            let daemon = &mut frame.site.fleet.daemons[index];
            daemon.spawn_if_gone()?;
            let took = daemon.ready().await?;
            if there {
                continue;
            }
            frame.report.faults.note("cold_start_without_database");
            slowest = slowest.max(took);
            let served = known_unit_is_served(&frame.site.oracle, &ports, index).await;
            frame
                .report
                .must("a daemon without a database serves", served);
        }
    }
    frame
        .report
        .figure("slowest_cold_start_seconds", slowest.as_secs_f64());
    if options.full {
        frame.report.must(
            "a daemon without a database is up within 2 s",
            slowest <= BOOTS_WITHIN,
        );
    }
    frame.finish(driver, None).await
}
