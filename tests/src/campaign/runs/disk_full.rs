//! D1: the spool's disk is full while the database is away.

use std::time::Duration;

use crate::campaign::database::Crash;
use crate::campaign::disk::Disk;
use crate::campaign::flood::Flood;
use crate::campaign::tally::{Tally, Went};
use crate::campaign::{Finished, Frame, Options};

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let mut frame = Frame::open(options, 1).await?;
    let daemon = &mut frame.site.fleet.daemons[0];
    daemon.terminate().await?;
    let disk = Disk::mount(&daemon.data_dir.join("spool"))?;
    frame.site.fleet.start().await?;
    let oracle = std::sync::Arc::clone(&frame.site.oracle);
    let port = frame.site.fleet.daemons[0].data;
    let flood = Flood {
        services: 4,
        batches_per_sec: None,
        pauses: false,
        for_: Duration::from_secs(options.size(4, 10)),
    };
    let mut all = Tally::default();
    for round in 0..options.size(2, 20) {
        frame.progress(round, options.size(2, 20));
        frame.site.database.crash(Crash::Immediate).await?;
        frame.report.faults.note(Crash::Immediate.name());
        let flooded = flood.run(&oracle, port).await;
        let (kept, refused) = (
            flooded.count(None, &[Went::Answered]),
            flooded.count(None, &[Went::Refused]),
        );
        frame
            .report
            .must("events are kept until the disk is full", kept > 0);
        frame.report.must("a full disk refuses", refused > 0);
        if refused > 0 {
            frame.report.faults.note("disk_full");
        }
        all.add(flooded);
        // Every other time the daemon dies with its disk full, too.
        if round % 2 == 1 {
            frame.site.fleet.daemons[0].kill()?;
            frame.report.faults.note("daemon_kill_9");
        }
        frame.heal().await?;
        frame.site.settle().await?;
    }
    let mut finished = frame.conclude(all).await?;
    if let Some(site) = &mut finished.site {
        site.fleet.daemons[0].terminate().await?;
    }
    drop(disk);
    Ok(finished)
}
