//! D2: the spool's calls fail: `fsync` (libfiu), first always, then now and then; and writes, of which the disk takes a
//! part before it is full, over and over.

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use tokio_util::sync::CancellationToken;

use crate::campaign::database::Crash;
use crate::campaign::disk::Disk;
use crate::campaign::flood::Flood;
use crate::campaign::tally::{Tally, Went};
use crate::campaign::{Finished, Frame, Options};

/// The calls that fail, with EIO.
const CALLS: [&str; 2] = ["posix/io/sync/fsync", "posix/io/sync/fdatasync"];

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let there = Command::new("fiu-run").arg("-h").output().is_ok();
    ensure!(
        there,
        "d2 needs fiu-run, which makes system calls fail: apt-get install fiu-utils"
    );
    let mut frame = Frame::open(options, 1).await?;
    let rounds = options.size(2, 40);
    let mut all = Tally::default();
    for round in 0..rounds {
        frame.progress(round, rounds);
        // Always at first: then nothing may be promised that only the spool could keep.
        let probability = [1.0, 0.3, 0.05, 0.6][round as usize % 4];
        let flooded = outage(&mut frame, options, probability).await?;
        let kept = flooded.count(None, &[Went::Answered]);
        if probability < 1.0 {
            frame
                .report
                .must("some syncs succeed, and are promised", kept > 0);
        } else {
            frame
                .report
                .must("nothing is promised while no sync succeeds", kept == 0);
        }
        all.add(flooded);
        frame.site.settle().await?;
        all.add(short_writes(&mut frame, options, round).await?);
        frame.site.settle().await?;
    }
    frame.conclude(all).await
}

/// One outage, with a disk that takes some batches, some in part and some not at all. A batch that was cut short must not
/// be in the way of those before and after it, and nothing of it is promised. The daemon is killed in the middle of it.
async fn short_writes(frame: &mut Frame, options: Options, round: u64) -> anyhow::Result<Tally> {
    let daemon = &mut frame.site.fleet.daemons[0];
    daemon.terminate().await?;
    let disk = Disk::mount(&daemon.data_dir.join("spool"))?;
    frame.site.fleet.start().await?;
    frame.site.database.crash(Crash::Immediate).await?;
    frame.report.faults.note(Crash::Immediate.name());
    let full_again = CancellationToken::new();
    let flood = flood(options);
    let oracle = std::sync::Arc::clone(&frame.site.oracle);
    let port = frame.site.fleet.daemons[0].data;
    let flooding = async {
        let flooded = flood.run(&oracle, port).await;
        full_again.cancel();
        flooded
    };
    let (flooded, tight) = tokio::join!(
        flooding,
        disk.breathe(options.seed.wrapping_add(round), full_again.clone())
    );
    frame.report.faults.add("too_little_room", tight?);
    let (kept, refused) = (
        flooded.count(None, &[Went::Answered]),
        flooded.count(None, &[Went::Refused]),
    );
    frame.report.must(
        "what fits is kept and the rest refused",
        kept > 0 && refused > 0,
    );
    frame.site.fleet.daemons[0].kill()?;
    frame.report.faults.note("daemon_kill_9");
    frame.heal().await?;
    frame.site.settle().await?;
    // What was spooled is in the database: the disk may go.
    frame.site.fleet.daemons[0].terminate().await?;
    drop(disk);
    frame.site.heal().await?;
    Ok(flooded)
}

fn flood(options: Options) -> Flood {
    Flood {
        services: 4,
        batches_per_sec: Some(200.0),
        pauses: false,
        for_: Duration::from_secs(options.size(3, 8)),
    }
}

/// One outage, with a daemon whose syncs fail; in the end it is killed and started as it should be.
async fn outage(frame: &mut Frame, options: Options, probability: f64) -> anyhow::Result<Tally> {
    let daemon = &mut frame.site.fleet.daemons[0];
    daemon.terminate().await?;
    daemon.run_by = vec!["fiu-run".to_owned(), "-x".to_owned()];
    for call in CALLS {
        let order = format!("enable_random name={call},probability={probability},failinfo=5");
        daemon.run_by.extend(["-c".to_owned(), order]);
    }
    frame.site.fleet.start().await?;
    frame.site.database.crash(Crash::Immediate).await?;
    frame.report.faults.note(Crash::Immediate.name());
    frame.report.faults.note("failing_syncs");
    let flood = flood(options);
    let oracle = std::sync::Arc::clone(&frame.site.oracle);
    let port = frame.site.fleet.daemons[0].data;
    let flooded = flood.run(&oracle, port).await;
    let daemon = &mut frame.site.fleet.daemons[0];
    daemon.kill()?;
    frame.report.faults.note("daemon_kill_9");
    daemon.run_by.clear();
    frame.heal().await?;
    Ok(flooded)
}
