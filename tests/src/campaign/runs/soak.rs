//! L4: nothing but steady load for an hour, and whether anything grows.

use std::time::Duration;

use daemon::clock::Stopwatch;

use crate::campaign::driver::{Driver, Load};
use crate::campaign::operator::Operator;
use crate::campaign::{Finished, Frame, Options, ledger, vitals};

/// RELIABILITY section 9, L4: MiB an hour, after the warm-up.
const GROWTH: f64 = 1.0;

/// The same, in seconds.
const LOCK_WAIT: f64 = 1.0;

/// The share of the time in which caches fill and allocators settle.
const WARM_UP: f64 = 0.25;

/// The cache's 10,000 units are met within minutes: what grows after that is a leak.
const SMALL_CACHE: [&str; 2] = ["--sticky-cache", "1"];

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let mut frame = Frame::open_with(options, 3, &SMALL_CACHE).await?;
    let time = Duration::from_secs(options.size(120, 3_600));
    let looks = options.size(60, 360);
    let load = Load {
        visits_per_sec: options.size(60.0, 100.0),
        ..Load::STEADY
    };
    let operator = Operator::start(&frame.site.oracle, &frame.site.fleet);
    let driver = Driver::start(
        &frame.site.oracle,
        &frame.site.fleet.data_ports(),
        load,
        None,
    );
    let mut connection = frame.site.database.connect().await?;
    let mut seen: Vec<Vec<(f64, vitals::Vitals)>> =
        vec![Vec::new(); frame.site.fleet.daemons.len()];
    let mut lock_wait: f64 = 0.0;
    let started = Stopwatch::start();
    let mut turns = tokio::time::interval(time / looks);
    for look in 0..=looks {
        turns.tick().await;
        frame.progress(look.into(), looks.into());
        for (daemon, seen) in frame.site.fleet.daemons.iter().zip(&mut seen) {
            let pid = daemon.pid().unwrap_or_default();
            let vitals = vitals::look(pid, daemon.admin).await?;
            seen.push((started.elapsed().as_secs_f64() / 3_600.0, vitals));
        }
        lock_wait = lock_wait.max(ledger::longest_lock_wait(&mut connection).await?);
    }
    let mut growth: f64 = 0.0;
    let mut flat = true;
    for seen in &seen {
        let settled = &seen[(seen.len() as f64 * WARM_UP) as usize..];
        let mebibytes = |vitals: &vitals::Vitals| vitals.rss as f64 / 1_048_576.0;
        let line: Vec<(f64, f64)> = settled
            .iter()
            .map(|(at, it)| (*at, mebibytes(it)))
            .collect();
        growth = growth.max(vitals::slope(&line));
        let series = |at: usize| settled[at].1.series;
        flat &= series(settled.len() / 2) == series(settled.len() - 1);
    }
    let ends = |it: &Vec<(f64, vitals::Vitals)>| {
        serde_json::json!([it[it.len() / 4].1, it[it.len() - 1].1])
    };
    let report = &mut frame.report;
    report.figure("rss_mib_per_hour", growth);
    report.figure("longest_lock_wait_seconds", lock_wait);
    report.figure("vitals", seen.iter().map(ends).collect::<Vec<_>>());
    report.must(
        "no lock is waited for longer than 1 s",
        lock_wait <= LOCK_WAIT,
    );
    report.must("metrics series stay as many as they are", flat);
    // Two minutes are all warm-up.
    if options.full {
        report.must("memory grows by less than 1 MiB an hour", growth < GROWTH);
    }
    let files = |it: &Vec<(f64, vitals::Vitals)>| {
        let settled = &it[it.len() / 4..];
        let (first, last) = settled.split_at(settled.len() / 2);
        let most = |half: &[(f64, vitals::Vitals)]| half.iter().map(|look| look.1.files).max();
        most(last) <= most(first).map(|most| most + 8)
    };
    report.must(
        "open files stay as many as they are",
        seen.iter().all(files),
    );
    frame.finish(driver, Some(operator)).await
}
