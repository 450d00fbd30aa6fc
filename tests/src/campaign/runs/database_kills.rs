//! K2: PostgreSQL is killed, for seconds at a time, while the traffic goes on.

use std::time::Duration;

use rand::RngExt as _;

use crate::campaign::database::Crash;
use crate::campaign::driver::{Driver, Load};
use crate::campaign::operator::Operator;
use crate::campaign::{Finished, Frame, Options};

/// RELIABILITY section 9, K2: what an assign may count on during the outage.
const AVAILABLE: f64 = 0.999;

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let mut frame = Frame::open(options, 3).await?;
    let rounds = options.size(4, 100);
    let (least_down, most_down) = options.size((0.3, 2.0), (2.0, 20.0));
    let up = options.size(0.5..1.5, 1.0..5.0);
    let operator = Operator::start(&frame.site.oracle, &frame.site.fleet);
    let driver = Driver::start(
        &frame.site.oracle,
        &frame.site.fleet.data_ports(),
        Load::STEADY,
        None,
    );
    let mut down = Duration::ZERO;
    for round in 0..rounds {
        frame.progress(round, rounds);
        let pause = frame.rng.random_range(up.clone());
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        let how = match frame.rng.random_range(0..4) {
            0 => Some(Crash::Kill),
            1 => Some(Crash::Immediate),
            2 => Some(Crash::Fast),
            _ => None,
        };
        let Some(how) = how else {
            if frame.site.database.kill_a_session().await? {
                frame.report.faults.note("postgres_session_kill_9");
            }
            // The server is back by itself; `start` only waits for it.
            frame.site.database.start().await?;
            continue;
        };
        frame.site.database.crash(how).await?;
        frame.report.faults.note(how.name());
        // Squared: most outages are short, and the long ones are there.
        let share: f64 = frame.rng.random_range(0.0..1.0);
        let seconds = least_down + (most_down - least_down) * share * share;
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        down += Duration::from_secs_f64(seconds);
        frame.site.database.start().await?;
    }
    frame.report.figure("seconds_down", down.as_secs_f64());
    frame.needs_available = Some(AVAILABLE);
    frame.finish(driver, Some(operator)).await
}
