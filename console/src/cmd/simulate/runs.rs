//! Runs on several threads, added up in the order of their numbers: the figures do not know how many threads there were.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use bandit::simulate::{Run, Simulation, SimulationError, Summary};

/// The summary of runs `0..runs`; `progress` hears how many are done. Without a number of threads, one a core.
pub(super) fn all(
    simulation: &Simulation<'_>,
    runs: u64,
    threads: Option<NonZero<usize>>,
    progress: impl FnMut(u64),
) -> Result<Summary, SimulationError> {
    let threads = threads
        .or_else(|| thread::available_parallelism().ok())
        .map_or(1, NonZero::get);
    let next = AtomicU64::new(0);
    // two runs a thread: a worker never waits for the sum, and the finished runs stay few
    let (done, finished) = mpsc::sync_channel(2 * threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs || done.send((number, simulation.run(number))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        add_up(simulation, finished, progress)
    })
}

/// Ends at the first run that failed; the workers then find nobody listening and end as well.
fn add_up(
    simulation: &Simulation<'_>,
    finished: mpsc::Receiver<(u64, Result<Run, SimulationError>)>,
    mut progress: impl FnMut(u64),
) -> Result<Summary, SimulationError> {
    let mut summary = Summary::new(simulation);
    let mut early = BTreeMap::new();
    for (number, run) in finished {
        early.insert(number, run?);
        while let Some(run) = early.remove(&summary.runs) {
            summary.add(simulation.truth(), &run);
            progress(summary.runs);
        }
    }
    Ok(summary)
}
