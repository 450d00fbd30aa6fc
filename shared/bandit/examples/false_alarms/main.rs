//! Prints how often each rule ends an experiment whose arms are all the same, and how often it finds a winner.
//!
//! `cargo run --release -p bandit --example false_alarms [RUNS]`: 1,000 runs a line if not said, and a quarter of them
//! where there is a winner. Two and four arms at
//! 5 %, 2,000 units a day for 28 days, looked at daily, under an even split and under Thompson sampling with its
//! defaults.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod trial;

use bandit::experiment::ArmId;
use trial::{Ends, Setting, run};

/// Runs of a line.
const RUNS: u64 = 1_000;

fn main() -> anyhow::Result<()> {
    let runs = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => RUNS,
    };
    println!("{runs} runs a line, a quarter of them where there is a winner; percent of them");
    println!(
        "arms                       split     standard  strict  0.95/100 daily  0.95/100 every 100  standard closes"
    );
    for rates in [
        &[0.05, 0.05][..],
        &[0.05; 4],
        &[0.05, 0.055],
        &[0.05, 0.06],
        &[0.05, 0.055, 0.05, 0.05],
        &[0.05, 0.06, 0.05, 0.05],
    ] {
        for thompson in [false, true] {
            let setting = Setting {
                rates: rates.to_vec(),
                thompson,
                look_every: 1,
            };
            let equal = rates.iter().all(|rate| *rate <= rates[0]);
            let runs = if equal { runs } else { runs.div_ceil(4) };
            line(&setting, &all(&setting, runs));
        }
    }
    Ok(())
}

fn line(setting: &Setting, ends: &[Ends]) {
    let percent = |of: &dyn Fn(&Ends) -> bool| {
        100.0 * ends.iter().filter(|ends| of(ends)).count() as f64 / ends.len() as f64
    };
    let rates: Vec<String> = setting
        .rates
        .iter()
        .map(|rate| format!("{:.1}", rate * 100.0))
        .collect();
    // Where there is a winner it is arm 1: shipping it is the power of the rule.
    let better = setting.rates[1] > setting.rates[0];
    let ships =
        |shipped: Option<(ArmId, u64)>| shipped.is_some_and(|it| !better || it.0 == ArmId(1));
    println!(
        "{:<26} {:<9} {:>8.1}  {:>6.1}  {:>14.1}  {:>18.1}  {:>15.1}",
        format!("{}%", rates.join(" ")),
        if setting.thompson { "thompson" } else { "even" },
        percent(&|it| ships(it.standard)),
        percent(&|it| ships(it.strict)),
        percent(&|it| it.brief_daily),
        percent(&|it| it.brief_often),
        percent(&|it| it.standard_closes),
    );
}

/// All runs, on all cores.
fn all(setting: &Setting, runs: u64) -> Vec<Ends> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let numbers = (first..runs).step_by(threads as usize);
                scope.spawn(move || {
                    numbers
                        .map(|number| run(setting, number))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a run does not panic"))
            .collect()
    })
}
