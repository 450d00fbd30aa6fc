//! The demo without a terminal: progress on standard error, one JSON object at the end.

use std::time::Duration;

use protocol::experiments::{ArmRow, Results, Row};
use tokio::time::Instant;

use super::service::Service;
use super::summary::{Ending, Summary};
use super::traffic::Traffic;
use super::{Stage, say};
use crate::cmd::{Daemon, Exit, Failure};
use crate::output::{self, versioned};

/// How often the allocation is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One line of progress a look-up of so many.
const LOOKS_A_LINE: u32 = 5;

/// The fold runs every second and takes thousands of events a round; what is left after a minute is stuck.
const FOLDED_WITHIN: Duration = Duration::from_mins(1);

/// The allocation at which the issue calls the good arm found.
const FOUND: f64 = 0.8;

/// Let the services work for `seconds`, then hold what they know against what the daemon knows.
pub(super) async fn run(stage: Stage, seed: u64, seconds: u64) -> Result<Exit, Failure> {
    // Bound in the reverse of the order in which they must be dropped.
    let Stage {
        mut installation,
        daemon,
        traffic,
    } = stage;
    let daemon = &daemon;
    let looked = look_on(daemon, &traffic, seconds).await;
    // A daemon that ended says more than the connection that broke with it.
    installation.check()?;
    let found_after = looked?;
    let counts = traffic.finish().await;
    say("the traffic has stopped; waiting until every event is folded");
    let results = folded(daemon).await?;
    let (_, rows) = daemon.rows().await?;
    say("recomputing every posterior from the ledgers");
    let verified = installation.verify().await?;
    let summary = Summary::new(Ending {
        seed,
        seconds,
        found_after,
        counts,
        rows,
        results,
        verified,
    });
    installation.close()?;
    output::raw(&format!("{:#}\n", versioned(&summary)))?;
    if summary.ok {
        return Ok(Exit::Done);
    }
    Err(Failure::Breached(summary.complaint()))
}

/// Report until the time is over; when the checkout's good arm was found, in seconds.
async fn look_on(daemon: &Daemon, traffic: &Traffic, seconds: u64) -> Result<Option<f64>, Failure> {
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut found_after = None;
    let mut looks = 0;
    while Instant::now() < end {
        tokio::time::sleep_until(end.min(Instant::now() + LOOK_EVERY)).await;
        looks += 1;
        let rows = match daemon.rows().await {
            Ok((_, rows)) => rows,
            Err(failure) if failure.is_passing() => {
                say(&failure.to_string());
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let elapsed = start.elapsed().as_secs_f64();
        if found_after.is_none() && is_found(&rows) {
            found_after = Some(elapsed);
        }
        if looks % LOOKS_A_LINE == 0 {
            let counts = traffic.counts();
            say(&format!(
                "{elapsed:3.0}s  {} visits, {} events; {}",
                counts.visits,
                counts.acknowledged,
                leaders(&rows)
            ));
        }
    }
    Ok(found_after)
}

/// Whether the arm that is truly better has most of the checkout's new units.
fn is_found(rows: &[Row]) -> bool {
    let checkout = rows
        .iter()
        .filter(|row| row.key == Service::Checkout.key())
        .flat_map(|row| &row.arms);
    checkout
        .into_iter()
        .any(|arm| !arm.control && arm.share >= FOUND)
}

/// `checkout_button: blue 87%, pricing: even`
fn leaders(rows: &[Row]) -> String {
    rows.iter().map(leader).collect::<Vec<_>>().join(", ")
}

fn leader(row: &Row) -> String {
    let by_share = |a: &&ArmRow, b: &&ArmRow| a.share.total_cmp(&b.share);
    let (least, most) = (
        row.arms.iter().min_by(by_share),
        row.arms.iter().max_by(by_share),
    );
    match (least, most) {
        (Some(least), Some(most)) if most.share > least.share => {
            let share = most.share * 100.0;
            format!("{}: {} {share:.0}%", row.key, most.name)
        }
        _ => format!("{}: even", row.key),
    }
}

/// The results of every experiment once nothing waits to be folded; as they are when that takes too long.
async fn folded(daemon: &Daemon) -> Result<Vec<Results>, Failure> {
    let end = Instant::now() + FOLDED_WITHIN;
    loop {
        let late = Instant::now() > end;
        match results(daemon).await {
            Ok(all) if late || all.iter().all(|results| results.unfolded == 0) => return Ok(all),
            Err(failure) if late || !failure.is_passing() => return Err(failure),
            Ok(_) | Err(_) => tokio::time::sleep(LOOK_EVERY / 4).await,
        }
    }
}

async fn results(daemon: &Daemon) -> Result<Vec<Results>, Failure> {
    let mut all = Vec::new();
    for service in Service::ALL {
        let key = service.key().to_owned();
        all.push(daemon.client.results(Daemon::patience(), key).await??);
    }
    Ok(all)
}
