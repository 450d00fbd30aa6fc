//! Five times more events than can be taken: what is taken all the same, and how soon the others hear that they are
//! not (RELIABILITY L5).
//!
//! Each refusal costs its sender and the server time on the same cores, as it would on a server that refuses
//! everything. What is taken is therefore shown twice: beside the maximum, and beside what so many refusals leave of it.

use std::time::Duration;

use super::bench::Bench;
use super::body::Body;
use super::steady::{Answered, Steady};
use super::table::{Goal, Row, Table};
use crate::refuser;

/// Events of one request.
const BATCH: usize = 100;

/// Connections that find the maximum: twice what two writers take at once.
const CONNECTIONS: usize = 80;

/// Connections of the overload: more than there are places, so that a slow server cannot hide behind a lack of them.
const MANY: usize = 512;

/// How much more than the maximum.
const FACTOR: f64 = 5.0;

/// Requests a second of which no server keeps up with any: they are sent as fast as they are refused.
const ALL_THAT_GO: f64 = 200_000.0;

/// RELIABILITY L5.
const GOODPUT: Goal = Goal::AtLeast(0.80);
const REFUSED_WITHIN_MS: Goal = Goal::AtMost(50.0);

const PART: &str = "five times more events than fit";

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let refuser = bench.server.block_on(refuser::serve())?;
    let (mut taken, mut peak, mut left) = (vec![], vec![], vec![]);
    let (mut refused_ms, mut bare_ms, mut taken_ms, mut refused) = (vec![], vec![], vec![], vec![]);
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
        let over = Over::run(bench, steady, &body("over"))?;
        let same = Steady {
            address: refuser,
            ..steady
        };
        let same = Over::run(bench, same, &body("same"))?;
        let all = Steady {
            rate: ALL_THAT_GO,
            run: run / 8,
            ..same.steady
        };
        let all = Over::run(bench, all, &body("all"))?;
        peak.push(most);
        let share = over.per_sec(over.bad.len()) / all.per_sec(all.bad.len());
        left.push(most * (1.0 - share));
        taken.push(over.per_sec(over.good.len() * BATCH));
        refused.push(over.bad.len() as f64 / (over.good.len() + over.bad.len()) as f64);
        refused_ms.push(p99_millis(&over.bad));
        bare_ms.push(p99_millis(&same.bad));
        taken_ms.push(p99_millis(&over.good));
        Ok(())
    })?;
    let beside = |what, than| Row::beside(PART, what, "1/s", taken.clone(), than);
    table.add(beside("taken", ("maximum", peak)).goal(GOODPUT));
    table.add(beside("taken", ("less refusing", left)));
    table.add(Row::alone(PART, "refused, of all", "share", refused));
    table.add(Row::alone(PART, "refused, p99", "ms", refused_ms).goal(REFUSED_WITHIN_MS));
    table.add(Row::alone(PART, "by who refuses all, p99", "ms", bare_ms));
    table.add(Row::alone(PART, "taken, p99", "ms", taken_ms));
    Ok(())
}

/// What came of an overload.
struct Over {
    steady: Steady,
    good: Vec<Answered>,
    bad: Vec<Answered>,
    lasted: Duration,
}

impl Over {
    fn run(bench: &Bench, steady: Steady, body: &Body) -> anyhow::Result<Self> {
        let answers = bench.client.block_on(steady.run(body));
        bench.site.tidy();
        // The answers that come after the schedule's end belong to it as well.
        let last = answers.iter().map(|answer| answer.late).max();
        let (good, bad): (Vec<Answered>, Vec<Answered>) =
            answers.iter().partition(|answer| answer.status == 200);
        for answer in &bad {
            let polite = matches!(answer.status, 429 | 503) && answer.retry_after.is_some();
            anyhow::ensure!(polite, "refused with {} and no Retry-After", answer.status);
        }
        Ok(Self {
            steady,
            good,
            bad,
            lasted: steady.run.max(last.unwrap_or_default()),
        })
    }

    fn per_sec(&self, count: usize) -> f64 {
        count as f64 / self.lasted.as_secs_f64()
    }
}

/// From sending to the whole answer.
fn p99_millis(answers: &[Answered]) -> f64 {
    let mut took: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    took.sort_unstable();
    let at = (took.len().saturating_sub(1) as f64 * 0.99) as usize;
    took.get(at).copied().unwrap_or_default().as_secs_f64() * 1_000.0
}
