//! The table of guardrail rules (STATS 7.4), with this crate's statistics, against the reference simulation.

use std::collections::BTreeMap;

use bandit::guardrail::{Cusum, Limit, State, Window, ln_e_value, p_over};
use bandit::posterior::BetaPosterior;
use bandit::simulate::Generator;
use serde::Deserialize;

use crate::common::{apart, read_json};
use crate::traffic::{DAY, MINUTES, window};

const RUNS: u64 = 100;

/// Windows in a week, and those before the rate changes, if it does.
const WEEK: usize = 7 * DAY as usize;
const CHANGE: usize = 3 * DAY as usize;

/// Windows that slide: an hour.
const HOUR: usize = 12;

#[derive(Deserialize)]
struct Oracle {
    guardrail: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    scenario: String,
    rule: String,
    runs: u64,
    tripped_within_7_days: Option<f64>,
    false_alarm_before_change: Option<f64>,
    detected: Option<f64>,
    median_delay_minutes: Option<f64>,
    p95_delay_minutes: Option<f64>,
}

fn limit() -> Limit {
    Limit::new(0.01).unwrap()
}

/// The rates before and after the third day.
fn rates(scenario: &str) -> (f64, f64) {
    match scenario {
        "steady 0.5%" => (0.005, 0.005),
        "steady 0.8%" => (0.008, 0.008),
        "steady 0.9%" => (0.009, 0.009),
        "steady 1.0%" => (0.01, 0.01),
        "0.5% then 1.5% at day 3" => (0.005, 0.015),
        "0.5% then 2% at day 3" => (0.005, 0.02),
        "0.5% then 5% at day 3" => (0.005, 0.05),
        other => panic!("the oracle has a scenario {other}"),
    }
}

fn weeks(scenario: &str) -> Vec<Vec<Window>> {
    let (before, after) = rates(scenario);
    let week = |run| {
        let mut generator = Generator::new(13, run, 0);
        let rate = |at: usize| if at < CHANGE { before } else { after };
        (0..WEEK)
            .map(|at| window(&mut generator, rate(at)))
            .collect()
    };
    (0..RUNS).map(week).collect()
}

/// The window with which a rule trips, counted from 0.
struct Rules {
    /// Posteriors over the limit by what was counted: few counts come up, and again and again.
    over: BTreeMap<(u64, u64), f64>,
}

impl Rules {
    fn p_over(&mut self, counted: Window) -> f64 {
        let key = (counted.total as u64, counted.bad as u64);
        *self
            .over
            .entry(key)
            .or_insert_with(|| p_over(limit(), counted))
    }

    fn trips(&mut self, rule: &str, week: &[Window]) -> Option<usize> {
        if let Some(rest) = rule.strip_prefix("e-CUSUM alternative 0.015, threshold ") {
            return cusum(rest.parse().unwrap(), week);
        }
        match rule {
            "window point estimate > 1%, 1 in a row" => rates_over(week, 1),
            "window point estimate > 1%, 2 in a row" => rates_over(week, 2),
            "window point estimate > 1%, 3 in a row" => rates_over(week, 3),
            "window posterior P(rate>1%) > 0.95, 1 in a row" => self.posteriors(week, 0.95, 1),
            "window posterior P(rate>1%) > 0.95, 3 in a row" => self.posteriors(week, 0.95, 3),
            "window posterior P(rate>1%) > 0.99, 1 in a row" => self.posteriors(week, 0.99, 1),
            "window posterior P(rate>1%) > 0.99, 3 in a row" => self.posteriors(week, 0.99, 3),
            "sliding hour posterior > 0.99, 3 in a row" => self.posteriors(&hours(week), 0.99, 3),
            "sliding hour posterior > 0.999, 1" => self.posteriors(&hours(week), 0.999, 1),
            "e-process from start (alpha=0.01)" => since_start(0.01, week),
            "e-process from start (alpha=0.001)" => since_start(0.001, week),
            other => panic!("the oracle has a rule {other}"),
        }
    }

    fn posteriors(&mut self, windows: &[Window], threshold: f64, times: usize) -> Option<usize> {
        in_a_row(windows, times, |it| self.p_over(*it) > threshold)
    }
}

/// At which place the condition holds so many times in a row.
fn in_a_row(
    windows: &[Window],
    times: usize,
    mut holds: impl FnMut(&Window) -> bool,
) -> Option<usize> {
    let mut run = 0;
    windows.iter().position(|it| {
        run = if holds(it) { run + 1 } else { 0 };
        run >= times
    })
}

fn rates_over(week: &[Window], times: usize) -> Option<usize> {
    in_a_row(week, times, |it| it.rate().unwrap() > limit().rate())
}

fn hours(week: &[Window]) -> Vec<Window> {
    let hour = |at: usize| sum(&week[(at + 1).saturating_sub(HOUR)..=at]);
    (0..week.len()).map(hour).collect()
}

fn sum(windows: &[Window]) -> Window {
    windows
        .iter()
        .fold(Window::default(), |all, it| plus(all, *it))
}

fn plus(a: Window, b: Window) -> Window {
    Window {
        total: a.total + b.total,
        bad: a.bad + b.bad,
    }
}

fn since_start(alpha: f64, week: &[Window]) -> Option<usize> {
    let jeffreys = BetaPosterior {
        alpha: 0.5,
        beta: 0.5,
    };
    let mut all = Window::default();
    week.iter().position(|it| {
        all = plus(all, *it);
        // below the limit no rate above it is likelier than the limit: nothing to ask for
        all.rate().unwrap() > limit().rate() && ln_e_value(jeffreys, limit(), all) > -alpha.ln()
    })
}

/// With the crate's own alarm, or a lower one on the same evidence.
fn cusum(threshold: f64, week: &[Window]) -> Option<usize> {
    let mut cusum = Cusum::default();
    week.iter().position(|it| {
        cusum = cusum.after(limit(), *it);
        if threshold < 1e4 {
            cusum.evidence > threshold.ln()
        } else {
            cusum.state(limit()) == State::Fail
        }
    })
}

/// How far a median is off: in standard errors, told from the 95th percentile as if delays were normal; less a window.
fn median_off(ours: f64, row: &Row, detected: f64) -> f64 {
    let theirs = row.median_delay_minutes.unwrap();
    let sd = (row.p95_delay_minutes.unwrap() - theirs) / 1.645;
    let error = 1.253 * sd * (1.0 / (RUNS as f64 * detected) + 1.0 / row.runs as f64).sqrt();
    let beyond = (ours - theirs).abs() - f64::from(MINUTES);
    if beyond <= 0.0 { 0.0 } else { beyond / error }
}

/// Every rule that has its parts here, in every scenario: shares and median delays within four standard errors
/// (2.1 at worst).
#[test]
fn every_rule_trips_as_often_and_as_soon_as_in_the_reference_simulation() {
    let oracle: Oracle = read_json("i_stopping_sims.json");
    let mut rules = Rules {
        over: BTreeMap::new(),
    };
    let (mut compared, mut worst) = (0, (0.0_f64, String::new()));
    let mut scenarios: BTreeMap<&str, Vec<Vec<Window>>> = BTreeMap::new();
    for row in &oracle.guardrail {
        let weeks = scenarios
            .entry(&row.scenario)
            .or_insert_with(|| weeks(&row.scenario));
        let trips: Vec<Option<usize>> = weeks
            .iter()
            .map(|week| rules.trips(&row.rule, week))
            .collect();
        let share = |holds: &dyn Fn(usize) -> bool| {
            let count = trips.iter().flatten().filter(|at| holds(**at)).count();
            count as f64 / RUNS as f64
        };
        let mut look = |ours: f64, theirs: f64, off: f64| {
            compared += 1;
            let at = format!("{}, {}: {ours} for {theirs}", row.scenario, row.rule);
            assert!(off <= 4.0, "{at}: off by {off} standard errors");
            if off > worst.0 {
                worst = (off, at);
            }
        };
        if let Some(theirs) = row.tripped_within_7_days {
            let ours = share(&|_| true);
            look(ours, theirs, apart((ours, RUNS), (theirs, row.runs)));
            continue;
        }
        let early = share(&|at| at < CHANGE);
        let theirs = row.false_alarm_before_change.unwrap();
        look(early, theirs, apart((early, RUNS), (theirs, row.runs)));
        let detected = share(&|at| at >= CHANGE);
        let theirs = row.detected.unwrap();
        look(
            detected,
            theirs,
            apart((detected, RUNS), (theirs, row.runs)),
        );
        let mut delays: Vec<usize> = trips.iter().flatten().copied().collect();
        delays.retain(|at| *at >= CHANGE);
        delays.sort_unstable();
        if let (Some(theirs), false) = (row.median_delay_minutes, delays.is_empty()) {
            let ours = f64::from(MINUTES) * (delays[delays.len() / 2] - CHANGE + 1) as f64;
            look(ours, theirs, median_off(ours, row, detected));
        }
    }
    println!(
        "{compared} figures, worst {} standard errors: {}",
        worst.0, worst.1
    );
    assert_eq!(oracle.guardrail.len(), 7 * 13);
}
