//! What intervals and tests promise under an allocation that learns, in simulations with fixed seeds.

use bandit::experiment::Millis;
use bandit::inference::aipw::{Aipw, Weighting};
use bandit::inference::asymptotic::TUNED_FOR;
use bandit::inference::{ArmPeriod, Period, bounded, srm};
use bandit::posterior::{BetaPosterior, Posterior};
use bandit::probability::best_arm;
use bandit::simulate::Generator;
use serde::Deserialize;

use crate::common::read_json;

const FLOOR: f64 = 0.01;

/// Of each design of the mismatch study.
const RUNS: u64 = 200;

/// The next period of a Thompson allocation with a floor, that sees `units` units of arms with these rates.
fn next_period(before: &[Period], rates: &[f64], units: u64, random: &mut Generator) -> Period {
    let arms = rates.len();
    let posteriors: Vec<Posterior> = (0..arms)
        .map(|arm| {
            let seen = |pick: fn(&ArmPeriod) -> f64| -> f64 {
                before.iter().map(|period| pick(&period.arms[arm])).sum()
            };
            let (n, sum) = (seen(|arm| arm.n as f64), seen(|arm| arm.sum));
            Posterior::Beta(BetaPosterior {
                alpha: 1.0 + sum,
                beta: 1.0 + n - sum,
            })
        })
        .collect();
    let p_best = best_arm(&posteriors).unwrap().p_best;
    let allocation: Vec<f64> = p_best
        .iter()
        .map(|p| FLOOR + (1.0 - arms as f64 * FLOOR) * p)
        .collect();
    period(&allocation, rates, units, random)
}

fn period(allocation: &[f64], rates: &[f64], units: u64, random: &mut Generator) -> Period {
    let mut arms: Vec<ArmPeriod> = allocation
        .iter()
        .map(|propensity| ArmPeriod {
            propensity: *propensity,
            ..ArmPeriod::default()
        })
        .collect();
    for _ in 0..units {
        let mut left = random.uniform();
        let drawn = allocation.iter().position(|p| {
            left -= p;
            left < 0.0
        });
        let arm = drawn.unwrap_or(allocation.len() - 1);
        let reward = f64::from(u8::from(random.happens(rates[arm])));
        arms[arm].assigned += 1;
        arms[arm].n += 1;
        arms[arm].sum += reward;
        arms[arm].sum_sq += reward;
    }
    Period {
        from: Millis(0),
        until: Millis(0),
        arms,
    }
}

#[derive(Default, Debug)]
struct Tally {
    runs: f64,
    naive_bias: f64,
    weighted_bias: f64,
    naive_covers: f64,
    weighted_covers: f64,
    sequence_always_covers: f64,
    bounded_always_covers: f64,
    contrast_always_covers: f64,
    never_significant: f64,
    sequence_radius: f64,
    bounded_below: f64,
    bounded_above: f64,
}

/// Three equal arms at 10 %, 20 batches of 500, floor 1 %: the design of the reference study, whose 400 runs gave the
/// sample mean a bias of -0.0033 to -0.0038 and a coverage of 0.91 to 0.93, and uniform AIPW -0.0005 to +0.0003 and
/// 0.95 to 0.96. Here: sample mean -0.0041 and 0.91, AIPW -0.0009 and 0.95; over all 20 looks the asymptotic sequence
/// holds in 98.7 % of runs (its contrast in 98.0 %) and ends 0.024 wide on each side, the exact one always and 0.027
/// below and 0.065 above.
#[test]
fn intervals_hold_at_every_look_where_sample_means_are_biased() {
    let rates = [0.1; 3];
    let mut tally = Tally::default();
    for run in 0..300 {
        let mut random = Generator::new(2026, run, 0);
        let mut periods = Vec::new();
        let (mut sequence, mut exact, mut contrast, mut calm) = (true, true, true, true);
        for _ in 0..20 {
            let next = next_period(&periods, &rates, 500, &mut random);
            periods.push(next);
            let aipw = Aipw::new(&periods, Weighting::Uniform, 0.0);
            sequence &= aipw
                .walk(0)
                .unwrap()
                .sequence(0.05, TUNED_FOR)
                .contains(0.1);
            let difference = aipw.contrast_walk(1, 0).unwrap();
            contrast &= difference.sequence(0.05, TUNED_FOR).contains(0.0);
            calm &= difference.p_value(0.05, TUNED_FOR) > 0.05;
            exact &= bounded::mean(&periods, 0, 0.05, FLOOR).contains(0.1);
        }
        let aipw = Aipw::new(&periods, Weighting::Uniform, 0.0);
        let estimate = aipw.estimate(0).unwrap();
        let n: u64 = periods.iter().map(|period| period.arms[0].n).sum();
        let sum: f64 = periods.iter().map(|period| period.arms[0].sum).sum();
        let naive = sum / n as f64;
        let naive_error = (naive * (1.0 - naive) / n as f64).sqrt();
        let inside = |yes: bool| f64::from(u8::from(yes));
        tally.runs += 1.0;
        tally.naive_bias += naive - 0.1;
        tally.weighted_bias += estimate.value - 0.1;
        tally.naive_covers += inside((naive - 0.1).abs() <= 1.96 * naive_error);
        tally.weighted_covers +=
            inside((estimate.value - 0.1).abs() <= 1.96 * estimate.standard_error);
        tally.sequence_always_covers += inside(sequence);
        tally.bounded_always_covers += inside(exact);
        tally.contrast_always_covers += inside(contrast);
        tally.never_significant += inside(calm);
        let last = aipw.walk(0).unwrap().sequence(0.05, TUNED_FOR);
        tally.sequence_radius += (last.high - last.low) / 2.0;
        let last = bounded::mean(&periods, 0, 0.05, FLOOR);
        tally.bounded_below += estimate.value - last.low;
        tally.bounded_above += last.high - estimate.value;
    }
    let share = |count: f64| count / tally.runs;
    assert!(share(tally.naive_bias) < -0.002, "{tally:?}");
    assert!(share(tally.naive_covers) < 0.945, "{tally:?}");
    assert!(share(tally.weighted_bias).abs() < 0.0015, "{tally:?}");
    // three standard errors of a share of 300 runs are 0.038
    assert!(
        (share(tally.weighted_covers) - 0.95).abs() < 0.038,
        "{tally:?}"
    );
    assert!(share(tally.sequence_always_covers) >= 0.95, "{tally:?}");
    assert!(share(tally.contrast_always_covers) >= 0.95, "{tally:?}");
    assert!(share(tally.never_significant) >= 0.95, "{tally:?}");
    assert!(share(tally.bounded_always_covers) >= 0.95, "{tally:?}");
    assert!(share(tally.sequence_radius) < 0.026, "{tally:?}");
    assert!(share(tally.bounded_below) < 0.029, "{tally:?}");
    assert!(share(tally.bounded_above) < 0.07, "{tally:?}");
}

#[derive(Deserialize)]
struct SrmStudy {
    srm: Vec<SrmRow>,
}

#[derive(Deserialize)]
struct SrmRow {
    bias: f64,
    runs: f64,
    batches: u64,
    per_batch: u64,
    c: f64,
    stratified_chi2_reject: std::collections::BTreeMap<String, f64>,
    e_process_ever_above_1000: f64,
}

/// A Dirichlet draw by breaking a stick.
fn dirichlet(weights: &[f64], random: &mut Generator) -> Vec<f64> {
    let mut rest = 1.0;
    let mut ahead: f64 = weights.iter().sum();
    let mut parts = Vec::new();
    for (at, weight) in weights.iter().enumerate() {
        ahead -= weight;
        let part = if at + 1 < weights.len() {
            rest * random.beta(*weight, ahead)
        } else {
            rest
        };
        rest -= part;
        parts.push(part);
    }
    parts
}

/// Allocations that drift like a bandit's, and draws that favour arm 0 by `bias`.
fn biased_run(row: &SrmRow, random: &mut Generator) -> Vec<Period> {
    let mut weights = vec![0.25; 4];
    (0..row.batches)
        .map(|batch| {
            let mut real = weights.clone();
            real[0] *= 1.0 + row.bias;
            let total: f64 = real.iter().sum();
            for p in &mut real {
                *p /= total;
            }
            let mut seen = period(&real, &[0.0; 4], row.per_batch, random);
            for (arm, propensity) in seen.arms.iter_mut().zip(&weights) {
                arm.propensity = *propensity;
            }
            let grown = 1.0 + batch as f64 / 4.0;
            let alpha = [0.5, 1.0, 2.0, 4.0].map(|a| a * grown);
            weights = dirichlet(&alpha, random)
                .into_iter()
                .map(|part| 0.02 + 0.92 * part)
                .collect();
            seen
        })
        .collect()
}

/// Within three standard errors of the difference of two shares, or of the reference's own where it is 0 or 1.
#[test]
fn mismatch_tests_for_changing_shares_reject_as_often_as_in_the_reference_study() {
    let study: SrmStudy = read_json("j_srm_bandit.json");
    for row in &study.srm {
        let (mut rejected, mut ever) = ([0.0; 2], 0.0);
        for run in 0..RUNS {
            let mut random = Generator::new(11, run, 0);
            let periods = biased_run(row, &mut random);
            let p = srm::changing_split(&periods).p_value;
            rejected[0] += f64::from(u8::from(p < 0.05));
            rejected[1] += f64::from(u8::from(p < 0.001));
            if srm::sequential(&periods, row.c).p_value < 0.001 {
                ever += 1.0;
            }
        }
        let agree = |count: f64, wanted: f64, what: &str| {
            let share = count / RUNS as f64;
            let spread = (wanted * (1.0 - wanted)).max(0.005);
            let error = (spread / RUNS as f64 + spread / row.runs).sqrt();
            assert!(
                (share - wanted).abs() <= 3.0 * error,
                "bias {}, {what}: {share} against {wanted}",
                row.bias
            );
        };
        agree(rejected[0], row.stratified_chi2_reject["0.05"], "5 %");
        agree(rejected[1], row.stratified_chi2_reject["0.001"], "0.1 %");
        agree(ever, row.e_process_ever_above_1000, "ever");
    }
}
