//! Prints how often the guardrail test fails healthy traffic within a week, and how long it takes to find a broken
//! limit: the table of STATS 7.4, 400 runs with windows of 5 minutes and 1,000 requests against a limit of 1 %. Once by
//! whole windows, and once as the daemon looks: twice a minute, at windows that are not over.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod traffic;
mod week;

use bandit::guardrail::{Cusum, InvalidLimit, Limit};
use bandit::simulate::Generator;
use traffic::{DAY, MINUTES, fails_at};
use week::found_after;

const RUNS: u64 = 400;

fn main() -> Result<(), InvalidLimit> {
    let limit = Limit::new(0.01)?;
    println!("failing rate   failed within 7 days");
    for rate in [0.005, 0.008, 0.009, 0.01] {
        let failed = (0..RUNS)
            .filter_map(|run| {
                let mut generator = Generator::new(1, run, 0);
                fails_at(limit, &mut Cusum::default(), &mut generator, rate, 7 * DAY)
            })
            .count();
        let part = failed as f64 / RUNS as f64;
        println!("{:>10.1} %   {:.2} %", 100.0 * rate, 100.0 * part);
    }
    println!("\nafter 3 days at 0.5 %   median delay   95 % within   failed before");
    for rate in [0.015, 0.02, 0.05] {
        let mut early = 0;
        let mut delays: Vec<u32> = Vec::new();
        for run in 0..RUNS {
            let mut generator = Generator::new(2, run, 0);
            let mut cusum = Cusum::default();
            if fails_at(limit, &mut cusum, &mut generator, 0.005, 3 * DAY).is_some() {
                early += 1;
                continue;
            }
            let at = fails_at(limit, &mut cusum, &mut generator, rate, 4 * DAY);
            delays.push(at.map_or(u32::MAX, |windows| MINUTES * windows));
        }
        delays.sort_unstable();
        let quantile = |part: f64| delays[(part * (delays.len() - 1) as f64) as usize];
        let (median, most) = (quantile(0.5), quantile(0.95));
        println!(
            "{:>19.1} %   {median:>8} min   {most:>7} min   {early:>13}",
            100.0 * rate
        );
    }
    println!("\nlooked at twice a minute:   failed within 7 days");
    for rate in [0.005, 0.008, 0.009, 0.01] {
        let failed = (0..RUNS)
            .filter_map(|run| found_after(rate, rate, run))
            .count();
        println!(
            "{:>24.1} %   {:.2} %",
            100.0 * rate,
            100.0 * failed as f64 / RUNS as f64
        );
    }
    println!("\nafter 3 days at 0.5 %   median delay   95 % within");
    for rate in [0.015, 0.02, 0.05, 0.5] {
        let mut delays: Vec<i64> = (0..RUNS)
            .map(|run| found_after(0.005, rate, run).unwrap_or(i64::MAX))
            .collect();
        delays.sort_unstable();
        let quantile = |part: f64| delays[(part * (delays.len() - 1) as f64) as usize];
        let (median, most) = (quantile(0.5), quantile(0.95));
        println!("{:>19.1} %   {median:>8} min   {most:>7} min", 100.0 * rate);
    }
    Ok(())
}
