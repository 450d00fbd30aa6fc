//! L5: five times as many events as one daemon can take.
//!
//! Who is refused costs its sender and the daemon time on the same cores, however little. What that is at least is
//! measured on a server that refuses everything, and goodput is given twice: of the peak, and of what is left of the
//! peak when so many are refused.

use std::time::Duration;

use daemon::clock::Stopwatch;

use crate::campaign::flood::Flood;
use crate::campaign::tally::{Tally, Went};
use crate::campaign::{Finished, Frame, Options, vitals};
use crate::refuser;

/// RELIABILITY section 9, L5: what is still accepted, of what the daemon takes when nobody pushes.
const GOODPUT: f64 = 0.8;

/// The same: how soon what is too much hears of it.
const REFUSED_WITHIN: Duration = Duration::from_millis(50);

/// The same: memory, relative to before.
const RSS: f64 = 2.0;

/// The same.
const RECOVERS_WITHIN: Duration = Duration::from_secs(5);

/// How much too much.
const TIMES: f64 = 5.0;

/// Connections of the overload.
const SERVICES: usize = 600;

/// The campaign.
pub(super) async fn run(options: Options) -> anyhow::Result<Finished> {
    let mut frame = Frame::open(options, 1).await?;
    let daemon = &frame.site.fleet.daemons[0];
    let (pid, port) = (daemon.pid().unwrap_or_default(), daemon.data);
    let oracle = std::sync::Arc::clone(&frame.site.oracle);

    let calm = Flood {
        services: 32,
        batches_per_sec: None,
        pauses: true,
        for_: Duration::from_secs(options.size(3, 20)),
    };
    let (before, _) = with_rss(pid, calm.run(&oracle, port)).await?;
    let (peak, calm_rss) = with_rss(pid, calm.run(&oracle, port)).await?;
    let per_batch = peak.events as f64 / peak.count(None, &[Went::Answered]).max(1) as f64;
    let peak_rate = peak.events as f64 / calm.for_.as_secs_f64();

    let refused_alone = Flood {
        services: SERVICES,
        batches_per_sec: None,
        pauses: false,
        for_: Duration::from_secs(options.size(1, 10)),
    };
    let refused = refused_alone.run(&oracle, refuser::serve().await?).await;
    let refusals_alone =
        refused.count(None, &[Went::Refused]) as f64 / refused_alone.for_.as_secs_f64();

    let flood = Flood {
        services: SERVICES,
        batches_per_sec: Some(TIMES * peak_rate / per_batch),
        pauses: false,
        for_: Duration::from_secs(options.size(5, 60)),
    };
    frame.report.faults.note("overload");
    let (mut flooded, flood_rss) = with_rss(pid, flood.run(&oracle, port)).await?;
    let over = Stopwatch::start();
    let recovered = frame.site.recovery().await.map(|_| over.elapsed());

    let goodput = flooded.events as f64 / flood.for_.as_secs_f64() / peak_rate;
    let refusals = flooded.count(None, &[Went::Refused]) as f64 / flood.for_.as_secs_f64();
    let left = 1.0 - refusals / refusals_alone;
    let refusal_p99 = flooded.refusal_p99();
    let growth = flood_rss as f64 / calm_rss as f64;
    let report = &mut frame.report;
    report.figure("peak_events_per_sec", peak_rate);
    report.figure(
        "offered_events_per_sec",
        flooded.all(None) as f64 * per_batch / flood.for_.as_secs_f64(),
    );
    report.figure("goodput_of_peak", goodput);
    report.figure("refusals_per_sec", refusals);
    report.figure("refusals_per_sec_alone", refusals_alone);
    report.figure("goodput_of_what_refusing_leaves", goodput / left);
    report.figure("refusal_p99_ms", refusal_p99.as_secs_f64() * 1_000.0);
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    report.figure("rss_mib", [mib(calm_rss), mib(flood_rss)]);
    report.figure("rss_of_calm", growth);
    report.figure("recovered_seconds", recovered.map(|it| it.as_secs_f64()));
    report.must(
        "the overload was one",
        flooded.count(None, &[Went::Refused]) > 0,
    );
    let unanswered = [Went::NotConnected, Went::Broken, Went::TimedOut];
    report.must(
        "every batch is answered",
        flooded.count(None, &unanswered) == 0,
    );
    // The small column shares its machine with whatever else runs; times mean nothing there.
    if options.full {
        report.must("goodput is at least 0.8 of the peak", goodput >= GOODPUT);
        report.must(
            "99 % of the refusals come within 50 ms",
            refusal_p99 < REFUSED_WITHIN,
        );
        report.must("memory stays below twice the calm", growth < RSS);
        report.must(
            "recovers within 5 s",
            recovered.is_some_and(|it| it < RECOVERS_WITHIN),
        );
    }
    let mut all = before;
    all.add(peak);
    all.add(flooded);
    frame.conclude(all).await
}

/// The greatest resident memory while `work` is done.
async fn with_rss(pid: u32, work: impl Future<Output = Tally>) -> anyhow::Result<(Tally, u64)> {
    let mut looks = tokio::time::interval(Duration::from_millis(200));
    let mut most = 0;
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok((done, most)),
            _ = looks.tick() => most = most.max(vitals::rss(pid)?),
        }
    }
}
