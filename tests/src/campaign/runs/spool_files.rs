//! D3 and D4: the spool's log on disks that rot and lose power, in memory, at full size.

use daemon::spool::trials;

use crate::campaign::judge::{Count, Judgement};
use crate::campaign::report::Report;
use crate::campaign::{Finished, Options};

/// D3: truncated, flipped, doubled, lost and reordered segments.
pub(super) async fn damage(options: Options) -> anyhow::Result<Finished> {
    let (bytes, headers) = options.size((64 * 1_024, 40), (1_024 * 1_024, 120));
    let tried = tokio::task::spawn_blocking(move || trials::damage(bytes, headers)).await?;
    Ok(finished(tried, "damaged_file"))
}

/// D4: power cuts, where only what was synced is sure to be there.
pub(super) async fn power_cuts(options: Options) -> anyhow::Result<Finished> {
    let (cases, steps) = options.size((500, 40), (10_000, 60));
    let seed = options.seed;
    let tried = tokio::task::spawn_blocking(move || trials::power_cuts(cases, steps, seed)).await?;
    Ok(finished(tried, "power_cut_or_failing_call"))
}

fn finished(tried: Result<trials::Tally, String>, fault: &'static str) -> Finished {
    let mut report = Report::default();
    let mut judgement = Judgement::default();
    match tried {
        Ok(tally) => {
            report.faults.add(fault, tally.faults);
            report.figure("cases", tally.cases);
            judgement.events = Count {
                acknowledged: tally.acknowledged,
                found: tally.found,
                lost: tally.acknowledged - tally.found,
                ..Count::default()
            };
        }
        Err(what) => {
            report.must("nothing is lost and nothing made up", false);
            judgement.told.push(what);
        }
    }
    report.judged(judgement);
    Finished { report, site: None }
}
