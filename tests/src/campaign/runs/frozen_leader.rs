//! K5: the leader of a background role is frozen (SIGSTOP), others take over, and it wakes up as a has-been.

use std::time::Duration;

use daemon::clock::Stopwatch;
use rand::RngExt as _;
use rustix::process::Signal;

use crate::campaign::driver::{Driver, Load};
use crate::campaign::{Finished, Frame, Options, ledger};

/// RELIABILITY section 9, K5.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(15);

/// What looking costs: the lease runs out between two looks of the standby and of ours.
const SLACK: Duration = Duration::from_secs(2);

/// Roles whose leaders are frozen.
const ROLES: [&str; 2] = ["fold", "publish"];

/// Between two looks at who leads.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let mut frame = Frame::open(options, 3).await?;
    let driver = Driver::start(
        &frame.site.oracle,
        &frame.site.fleet.data_ports(),
        Load::STEADY,
        None,
    );
    let rounds = options.size(3, 100);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        frame.progress(round, rounds);
        let share: f64 = frame.rng.random_range(0.0..1.0);
        // Cubed: most freezes are shorter than a lease, and the long ones are there.
        let long = 1.0 + 59.0 * share.powi(3);
        let seconds = options.size([0.5, 1.0, 17.5][round as usize % 3], long);
        let role = ROLES[frame.rng.random_range(0..ROLES.len())];
        if let Some(taken) = freeze(&mut frame, role, Duration::from_secs_f64(seconds)).await? {
            slowest = slowest.max(taken);
        }
    }
    frame
        .report
        .figure("slowest_take_over_seconds", slowest.as_secs_f64());
    frame.finish(driver, None).await
}

/// Freezes whoever leads `role`; how long it took until another led, if one had to.
async fn freeze(frame: &mut Frame, role: &str, for_: Duration) -> anyhow::Result<Option<Duration>> {
    let mut connection = frame.site.database.connect().await?;
    let holder = loop {
        if let Some(holder) = ledger::leader(&mut connection, role).await? {
            break holder;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let daemons = &frame.site.fleet.daemons;
    let leads =
        |pid: Option<u32>| pid.is_some_and(|pid| holder.starts_with(&format!("pid {pid} ")));
    let Some(leader) = daemons.iter().find(|daemon| leads(daemon.pid())) else {
        anyhow::bail!("nobody of the fleet is {holder}, who leads {role}");
    };
    leader.signal(Signal::STOP)?;
    frame.report.faults.note("leader_frozen");
    let frozen = Stopwatch::start();
    let mut taken = None;
    while frozen.elapsed() < for_ {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = ledger::leader(&mut connection, role).await?;
        if taken.is_none() && now.is_some_and(|now| now != holder) {
            taken = Some(frozen.elapsed());
        }
    }
    leader.signal(Signal::CONT)?;
    let limit = TAKEN_OVER_WITHIN + SLACK;
    if for_ > limit {
        frame.report.faults.note("leader_deposed");
        let in_time = taken.is_some_and(|taken| taken <= limit);
        frame
            .report
            .must("a frozen leader is taken over from within 15 s", in_time);
    }
    Ok(taken)
}
