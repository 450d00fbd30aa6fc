//! Five times more events than can be taken: what is taken all the same, and how soon the others hear that they are
//! not (RELIABILITY L5).

use std::time::Duration;

use super::bench::Bench;
use super::body::Body;
use super::steady::{Answered, Steady};
use super::table::{Goal, Row, Table};

/// Events of one request.
const BATCH: usize = 100;

/// Connections that find the maximum: twice what two writers take at once.
const CONNECTIONS: usize = 80;

/// Connections of the overload: more than there are places, so that a slow server cannot hide behind a lack of them.
const MANY: usize = 512;

/// How much more than the maximum.
const FACTOR: f64 = 5.0;

/// RELIABILITY L5.
const GOODPUT: Goal = Goal::AtLeast(0.80);
const REFUSED_WITHIN_MS: Goal = Goal::AtMost(50.0);

const PART: &str = "five times more events than fit";

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let (mut taken, mut peak) = (vec![], vec![]);
    let (mut refused_ms, mut taken_ms, mut refused) = (vec![], vec![], vec![]);
    bench.turns(|turn| {
        let body = |kind: &str| Body::events(&format!("{kind}-{turn}"), BATCH);
        let most = bench
            .load(bench.site.address, CONNECTIONS, &body("most"))
            .per_sec;
        let run = bench.options.run() * 2;
        let steady = Steady {
            address: bench.site.address,
            connections: MANY,
            rate: most * FACTOR / BATCH as f64,
            run,
        };
        let answers = bench.client.block_on(steady.run(&body("over")));
        bench.site.tidy();
        let (good, bad): (Vec<Answered>, Vec<Answered>) =
            answers.iter().partition(|answer| answer.status == 200);
        for answer in &bad {
            let polite = matches!(answer.status, 429 | 503) && answer.retry_after.is_some();
            anyhow::ensure!(polite, "refused with {} and no Retry-After", answer.status);
        }
        peak.push(most);
        // The answers that come after the schedule's end belong to it as well.
        let last = answers.iter().map(|answer| answer.late).max();
        let lasted = run.max(last.unwrap_or_default());
        taken.push((good.len() * BATCH) as f64 / lasted.as_secs_f64());
        refused.push(bad.len() as f64 / answers.len() as f64);
        refused_ms.push(p99_millis(&bad));
        taken_ms.push(p99_millis(&good));
        Ok(())
    })?;
    table.add(Row::beside(PART, "taken", "1/s", taken, ("maximum", peak)).goal(GOODPUT));
    table.add(Row::alone(PART, "refused, of all", "share", refused));
    table.add(Row::alone(PART, "refused, p99", "ms", refused_ms).goal(REFUSED_WITHIN_MS));
    table.add(Row::alone(PART, "taken, p99", "ms", taken_ms));
    Ok(())
}

/// From sending to the whole answer.
fn p99_millis(answers: &[Answered]) -> f64 {
    let mut took: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    took.sort_unstable();
    let at = (took.len().saturating_sub(1) as f64 * 0.99) as usize;
    took.get(at).copied().unwrap_or_default().as_secs_f64() * 1_000.0
}
