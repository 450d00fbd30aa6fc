//! Off-policy evaluation against obp's numbers, against closed forms, and against the truth of simulated logs.

use std::collections::BTreeMap;

use bandit::experiment::{ArmId, Millis};
use bandit::inference::{ArmPeriod, Period};
use bandit::offpolicy::{
    Candidate, Evaluation, Evaluator, GateKind, Known, Level, Outcomes, Replay, Row, Settings,
    Survey, Target, evaluate, targets, what_if,
};
use bandit::policy::ArmView;
use bandit::posterior::{ArmStats, MICRO, Moments};
use bandit::spec::defaults;
use bandit::spec::model::{BurnIn, PolicyKind, PolicySpec};
use proptest::prelude::*;
use serde::Deserialize;

use crate::common::same_cases;

#[derive(Deserialize)]
struct Oracle {
    rows: usize,
    tabular_q: Vec<f64>,
    policies: BTreeMap<String, OraclePolicy>,
}

#[derive(Deserialize)]
struct OraclePolicy {
    pi: Vec<f64>,
    estimates: BTreeMap<String, OracleEstimate>,
}

#[derive(Deserialize)]
struct OracleEstimate {
    value: f64,
    obp_bootstrap_ci: Option<(f64, f64)>,
    round_reward_sd: Option<f64>,
    matched: Option<u64>,
}

fn data(file: &str) -> String {
    let path = format!("{}/../../tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn synthetic() -> (Oracle, Vec<Row>) {
    let oracle: Oracle = serde_json::from_str(&data("d_obp_synthetic.json")).unwrap();
    let text = data("d_synthetic_log.csv");
    let rows = text.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let [_, _, arm, reward, propensity] = cells[..] else {
            panic!("{line}")
        };
        Row::new(
            0,
            arm.parse().unwrap(),
            reward.parse().unwrap(),
            propensity.parse().unwrap(),
        )
        .unwrap()
    });
    (oracle, rows.collect())
}

fn with_given(rows: &[Row], target: &Target, q: &[f64]) -> Evaluation {
    let mut survey = Survey::default();
    for row in rows {
        survey.add(row);
    }
    let settings = Settings {
        outcomes: Outcomes::Given(vec![q.to_vec()]),
        ..Settings::of(&survey)
    };
    let mut evaluator = Evaluator::new(settings, survey.segments(target));
    for row in rows {
        evaluator.add(row).unwrap();
    }
    evaluator.finish()
}

fn by_obp_name(evaluation: &Evaluation) -> [(&'static str, f64); 8] {
    [
        ("ipw", evaluation.ips.value),
        ("ipw_clip10", evaluation.ips_clipped.value),
        ("snipw", evaluation.snips.value),
        ("dm", evaluation.dm.value),
        ("dr", evaluation.dr.value),
        ("sndr", evaluation.sndr.value),
        ("switch-dr_10", evaluation.switch_dr.value),
        ("dr-os_10", evaluation.dr_shrunk.value),
    ]
}

/// Worst error seen: 1.2e-15 for the values, 3.4e-16 for the standard deviations.
#[test]
fn every_estimator_agrees_with_obp_on_a_made_up_log() {
    let (oracle, rows) = synthetic();
    assert_eq!(rows.len(), oracle.rows);
    let mut worst = (0.0_f64, 0.0_f64);
    for (name, policy) in &oracle.policies {
        let target = Target::same(1, &policy.pi).unwrap();
        let got = with_given(&rows, &target, &oracle.tabular_q);
        for (estimator, value) in by_obp_name(&got) {
            let want = policy.estimates[estimator].value;
            worst.0 = worst.0.max((value - want).abs());
            assert!(
                (value - want).abs() < 1e-12,
                "{name}, {estimator}: {value} is not {want}"
            );
        }
        // obp keeps the mean weight fixed for the self-normalised ones, so only these can be compared.
        for (estimator, got) in [
            ("ipw", got.ips),
            ("ipw_clip10", got.ips_clipped),
            ("dr", got.dr),
            ("switch-dr_10", got.switch_dr),
            ("dr-os_10", got.dr_shrunk),
        ] {
            let sd = got.standard_error.unwrap() * (rows.len() as f64).sqrt();
            let want = policy.estimates[estimator].round_reward_sd.unwrap();
            worst.1 = worst.1.max((sd - want).abs());
            assert!(
                (sd - want).abs() < 1e-12,
                "{name}, {estimator}: {sd} is not {want}"
            );
        }
    }
    println!("worst errors: {worst:?}");
}

/// `SplitMix64` (Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.uniform() * end as f64) as usize
    }
}

fn period(propensities: &[f64], stats: &[ArmStats]) -> Period {
    let arms = propensities.iter().zip(stats);
    Period {
        arms: arms.map(|(p, stats)| ArmPeriod::new(*p, stats)).collect(),
        ..Period::default()
    }
}

fn percentiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values[(q * (values.len() - 1) as f64).round() as usize];
    (at(0.025), at(0.975))
}

/// obp resamples the rounds of the self-normalised estimators with the mean weight of the whole log, which is their
/// unnormalised form divided by that mean; so are these. 1,500 resamples against 10,000 of obp's: the ends scatter by
/// 2 % of the width.
#[test]
fn resampled_evaluations_spread_as_obp_says() {
    const RESAMPLES: usize = 1_500;
    let (oracle, rows) = synthetic();
    let mut chance = Chance(12_345);
    let mut worst = 0.0_f64;
    for (name, policy) in &oracle.policies {
        let target = Target::same(1, &policy.pi).unwrap();
        let whole = with_given(&rows, &target, &oracle.tabular_q);
        let mean_weight = whole.weights.mean;
        let mut samples: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut survey = Survey::default();
        for row in &rows {
            survey.add(row);
        }
        // Without a range of the rewards nothing is bet, which is half of the work.
        let settings = Settings {
            rewards: None,
            outcomes: Outcomes::Given(vec![oracle.tabular_q.clone()]),
            ..Settings::of(&survey)
        };
        for _ in 0..RESAMPLES {
            let mut evaluator = Evaluator::new(settings.clone(), survey.segments(&target));
            for _ in 0..rows.len() {
                evaluator.add(&rows[chance.below(rows.len())]).unwrap();
            }
            let got = evaluator.finish();
            for (estimator, value) in by_obp_name(&got) {
                let value = match estimator {
                    "snipw" => got.ips.value / mean_weight,
                    "sndr" => got.dm.value + (got.dr.value - got.dm.value) / mean_weight,
                    _ => value,
                };
                samples.entry(estimator).or_default().push(value);
            }
        }
        for (estimator, values) in samples {
            let want = policy.estimates[estimator].obp_bootstrap_ci.unwrap();
            let (low, high) = percentiles(values);
            // The direct method has no spread here at all: one cell, fixed predictions.
            let width = (want.1 - want.0).max(1e-9);
            let off = (low - want.0).abs().max((high - want.1).abs()) / width;
            worst = worst.max(off);
            assert!(
                off < 0.05,
                "{name}, {estimator}: {low}..{high} is not {want:?}"
            );
        }
    }
    println!("worst end: {worst:.3} of the width");
}

#[test]
fn replaying_a_single_arm_keeps_its_rows() {
    let (oracle, rows) = synthetic();
    for (name, policy) in &oracle.policies {
        let Some(want) = policy.estimates.get("replay") else {
            continue;
        };
        let target = Target::same(1, &policy.pi).unwrap();
        // A least propensity of 1 keeps every row, as obp does, which does not ask how the log was made.
        let mut replay = Replay::still(target, 1.0, 7);
        for row in &rows {
            replay.add(row).unwrap();
        }
        let got = replay.finish(None);
        assert_eq!(Some(got.matched), want.matched, "{name}");
        assert!((got.value.value - want.value).abs() < 1e-15, "{name}");
    }
}

#[test]
fn a_thinned_log_has_every_arm_alike() {
    let mut chance = Chance(3);
    let propensities = [0.7, 0.2, 0.1];
    let mut survey = Survey::default();
    let rows: Vec<Row> = (0..60_000)
        .map(|_| {
            let at = chance.uniform();
            let arm = usize::from(at >= 0.7) + usize::from(at >= 0.9);
            Row::new(0, arm, [0.0, 0.5, 1.0][arm], propensities[arm]).unwrap()
        })
        .collect();
    for row in &rows {
        survey.add(row);
    }
    assert!(!survey.is_uniform());
    let target = Target::same(1, &[1.0 / 3.0; 3]).unwrap();
    let mut replay = Replay::still(target, survey.least_propensity(), 11);
    for row in &rows {
        replay.add(row).unwrap();
    }
    let got = replay.finish(survey.reward_range());
    // 3 arms at 0.1 each stay; a third of those match. Four standard errors.
    assert!((got.thinned as f64 - 18_000.0).abs() < 4.0 * (60_000.0_f64 * 0.3 * 0.7).sqrt());
    assert!((got.matched as f64 - 6_000.0).abs() < 4.0 * (60_000.0_f64 * 0.1 * 0.9).sqrt());
    assert!((got.value.value - 0.5).abs() < 4.0 * 0.41 / 6_000.0_f64.sqrt());
}

#[test]
fn a_learning_policy_finds_the_better_arm_of_a_uniform_log() {
    let mut chance = Chance(5);
    let candidate: Candidate = "thompson".parse().unwrap();
    let Candidate::Learning(kind) = candidate else {
        panic!("thompson learns")
    };
    let policy = Replay::usual(kind, 2);
    let mut replay = Replay::learning(policy, 2, 50, 0.5, 1).unwrap();
    for _ in 0..8_000 {
        let arm = chance.below(2);
        let reward = f64::from(chance.uniform() < [0.1, 0.3][arm]);
        replay.add(&Row::new(0, arm, reward, 0.5).unwrap()).unwrap();
    }
    let got = replay.finish(None);
    let last = got.allocation.unwrap();
    assert!(last[1] > 0.98, "{last:?}");
    assert!(got.value.value > 0.27, "{:?}", got.value);
    assert_eq!(got.versions, 1 + got.matched / 50);
}

/// The situation that misled: an arm that converts at 4.5 % was left at a floor of 1/60 early, so most of its 138
/// effective units are a few with weight 60, and often none of those converted.
fn rare_rewards_with_great_weights(chance: &mut Chance) -> Evaluation {
    let periods: Vec<Period> = (0..40)
        .map(|version| {
            let explored = if version < 2 { 0.5 } else { 1.0 / 60.0 };
            let mut stats = vec![ArmStats::default(); 2];
            for _ in 0..150 {
                let arm = usize::from(chance.uniform() < explored);
                let won = chance.uniform() < [0.09, 0.045][arm];
                stats[arm] += ArmStats::of_reward(if won { MICRO as i32 } else { 0 });
            }
            period(&[1.0 - explored, explored], &stats)
        })
        .collect();
    what_if(&periods, &vec![vec![0.0, 1.0]; 40]).unwrap()
}

/// Of 400 runs the intervals covered 400 and were 0.11 wide; the normal ones covered 371, 364 and 369.
#[test]
fn the_interval_covers_the_truth_where_the_normal_one_does_not() {
    const RUNS: usize = 400;
    let mut chance = Chance(2026);
    let covers = |interval: Option<(f64, f64)>| {
        let (low, high) = interval.unwrap();
        usize::from(low <= 0.045 && 0.045 <= high)
    };
    let (mut honest, mut normal, mut width) = ([0; 3], [0; 3], [0.0; 3]);
    let mut difference = 0;
    for _ in 0..RUNS {
        let got = rare_rewards_with_great_weights(&mut chance);
        for (at, estimate) in [got.ips, got.snips, got.dr].into_iter().enumerate() {
            honest[at] += covers(estimate.interval);
            normal[at] += covers(estimate.normal);
            let (low, high) = estimate.interval.unwrap();
            width[at] += (high - low) / RUNS as f64;
        }
        let (low, high) = got.difference.interval.unwrap();
        // 40 versions of 150: two even, the others at the floor.
        let logged = (2.0 * 0.0675 + 38.0 * (0.09 * 59.0 + 0.045) / 60.0) / 40.0;
        difference += usize::from(low <= 0.045 - logged && 0.045 - logged <= high);
    }
    println!(
        "covered of {RUNS}: ips, snips, dr {honest:?}, difference {difference}; normal {normal:?}; width {width:?}"
    );
    for at in 0..3 {
        assert!(honest[at] as f64 >= 0.95 * RUNS as f64, "{honest:?}");
    }
    assert!(difference as f64 >= 0.95 * RUNS as f64, "{difference}");
    assert!((normal[0] as f64) < 0.93 * RUNS as f64, "{normal:?}");
}

#[test]
fn a_log_that_cannot_tell_is_refused_with_a_reason() {
    let row = |arm: usize, propensity: f64| Row::new(0, arm, 0.0, propensity).unwrap();
    let reason = |evaluation: &Evaluation, kind: GateKind| {
        let gate = evaluation.gates.iter().find(|gate| gate.kind() == kind);
        let gate = gate.unwrap();
        (gate.level(), gate.sentence().to_owned())
    };
    // Arm 1 was tried five times in 1,000.
    let mut rows = vec![row(0, 0.995); 995];
    rows.extend([row(1, 0.005); 5]);
    let target = Target::same(1, &[0.0, 1.0, 0.0]).unwrap();
    let got = evaluate(&rows, &target).unwrap();
    assert_eq!(got.level(), Level::Refuse);
    let (level, sentence) = reason(&got, GateKind::EffectiveRows);
    assert_eq!(level, Level::Refuse);
    assert_eq!(
        sentence,
        "5 effective of 1,000 rows: at least 100 are needed"
    );
    assert_eq!(reason(&got, GateKind::GreatestWeight).0, Level::Refuse);
    assert_eq!(reason(&got, GateKind::Support).0, Level::Pass);
    // Arm 2 never was.
    let target = Target::same(1, &[0.5, 0.0, 0.5]).unwrap();
    let (level, sentence) = reason(&evaluate(&rows, &target).unwrap(), GateKind::Support);
    assert_eq!(level, Level::Refuse);
    assert_eq!(
        sentence,
        "the policy would use arms that the log never tried, 50.00% of the time"
    );
    // Propensities that do not fit.
    let wrong = vec![row(0, 0.25); 500];
    let target = Target::same(1, &[1.0]).unwrap();
    let got = evaluate(&wrong, &target).unwrap();
    assert_eq!(reason(&got, GateKind::MeanWeight).0, Level::Refuse);
}

#[test]
fn a_policy_that_learns_is_asked_what_it_would_have_published_at_each_version() {
    let view = |arm: u16, resolved: u64, won: i64| {
        let stats = ArmStats {
            exposed: resolved,
            resolved,
            reward_sum_micro: won * MICRO,
            reward_sq_sum_micro: won * MICRO,
            ..ArmStats::default()
        };
        ArmView {
            id: ArmId(arm),
            control: arm == 0,
            weight: 1.0,
            stats,
            learned: Moments::from(&stats),
        }
    };
    let known = |open: Vec<ArmView>| Known {
        open,
        running_for: Millis(3_600_000),
    };
    let versions = [
        known(vec![view(0, 0, 0), view(2, 0, 0)]),
        known(vec![view(0, 500, 25), view(2, 500, 60)]),
        // One unit more changes nothing worth asking for.
        known(vec![view(0, 501, 26), view(2, 500, 60)]),
        known(vec![view(0, 900, 90), view(1, 0, 0), view(2, 900, 60)]),
    ];
    let arms = [(ArmId(0), "a"), (ArmId(1), "b"), (ArmId(2), "c")];
    let base = PolicySpec {
        burn_in: BurnIn {
            for_: Millis(0),
            exposures_per_arm: 0,
            rewards_per_arm: 100,
        },
        ..defaults::policy(PolicyKind::Thompson)
    };
    let of = |text: &str| targets(&text.parse().unwrap(), &base, &arms, &versions).unwrap();
    let learned = of("thompson");
    assert_eq!(learned[0], [0.5, 0.0, 0.5]);
    assert!(learned[1][2] > 0.98 && learned[1][1] == 0.0, "{learned:?}");
    assert_eq!(learned[1], learned[2]);
    // A new arm has no reward yet: burn-in is even again.
    assert!((learned[3][1] - 1.0 / 3.0).abs() < 1e-12, "{learned:?}");
    let even = of("uniform");
    assert_eq!(even[0], [0.5, 0.0, 0.5]);
    assert!((even[3][1] - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(of("arm:b")[0], [0.0, 1.0, 0.0]);
    assert!(targets(&"arm:d".parse().unwrap(), &base, &arms, &versions).is_err());
}

#[test]
fn bad_rows_are_refused_in_words() {
    let error =
        |reward: f64, propensity: f64| Row::new(0, 0, reward, propensity).unwrap_err().to_string();
    assert_eq!(
        error(1.0, 0.0),
        "the propensity 0 is not above 0 and at most 1"
    );
    assert_eq!(
        error(1.0, f64::NAN),
        "the propensity NaN is not above 0 and at most 1"
    );
    assert_eq!(
        error(f64::INFINITY, 0.5),
        "the reward inf is not a finite number"
    );
}

fn logs() -> impl Strategy<Value = Vec<(usize, usize, f64, f64)>> {
    let row = (0..2_usize, 0..3_usize, 0.0..=1.0, 0.05..=1.0);
    proptest::collection::vec(row, 2..200)
}

fn rows_of(log: &[(usize, usize, f64, f64)]) -> Vec<Row> {
    log.iter()
        .map(|&(cell, arm, reward, propensity)| Row::new(cell, arm, reward, propensity).unwrap())
        .collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * (1.0 + a.abs().max(b.abs()))
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn the_order_of_rows_changes_no_estimate(log in logs(), by in 1..100_usize) {
        let rows = rows_of(&log);
        let mut turned = rows.clone();
        turned.rotate_left(by % rows.len());
        turned.reverse();
        let target = Target::same(2, &[0.2, 0.3, 0.5]).unwrap();
        let (one, two) = (evaluate(&rows, &target).unwrap(), evaluate(&turned, &target).unwrap());
        for ((name, a), (_, b)) in by_obp_name(&one).into_iter().zip(by_obp_name(&two)) {
            prop_assert!(near(a, b), "{name}: {a} and {b}");
        }
        for (a, b) in [(one.dr, two.dr), (one.snips, two.snips), (one.sndr, two.sndr)] {
            let (a, b) = (a.standard_error.unwrap(), b.standard_error.unwrap());
            prop_assert!((a - b).abs() <= 1e-9 * (1.0 + a), "{a} and {b}");
        }
    }

    #[test]
    fn the_logging_policy_itself_earns_the_logged_mean(log in logs()) {
        let target = [0.2, 0.3, 0.5];
        let rows: Vec<Row> = log
            .iter()
            .map(|&(cell, arm, reward, _)| Row::new(cell, arm, reward, target[arm]).unwrap())
            .collect();
        let got = evaluate(&rows, &Target::same(2, &target).unwrap()).unwrap();
        for (name, value) in [("ips", got.ips.value), ("snips", got.snips.value)] {
            prop_assert!(near(value, got.logged.value), "{name}: {value}");
        }
    }

    /// Predictions that are exact leave nothing to weigh: the doubly robust estimate is the direct one, whatever was drawn.
    #[test]
    fn perfect_predictions_leave_no_variance(log in logs()) {
        let means = [0.1, 0.4, 0.2];
        let rows: Vec<Row> = log
            .iter()
            .map(|&(_, arm, _, propensity)| Row::new(0, arm, means[arm], propensity).unwrap())
            .collect();
        let target = Target::same(1, &[0.2, 0.3, 0.5]).unwrap();
        let got = with_given(&rows, &target, &means);
        prop_assert!(near(got.dr.value, 0.24));
        prop_assert!(got.dr.standard_error.unwrap() < 1e-7);
        prop_assert!(near(got.sndr.value, 0.24));
    }

    /// Counts per version give what the units give one by one.
    #[test]
    fn counts_say_what_the_units_say(outcomes in proptest::collection::vec((0..2_usize, any::<bool>()), 4..120)) {
        let propensities = [0.75, 0.25];
        let target = vec![0.4, 0.6];
        let rows: Vec<Row> = outcomes
            .iter()
            .map(|&(arm, won)| Row::new(0, arm, f64::from(u8::from(won)), propensities[arm]).unwrap())
            .collect();
        let mut stats = vec![ArmStats::default(); 2];
        for &(arm, won) in &outcomes {
            stats[arm] += ArmStats::of_reward(if won { MICRO as i32 } else { 0 });
        }
        let counted = what_if(&[period(&propensities, &stats)], std::slice::from_ref(&target)).unwrap();
        let listed = evaluate(&rows, &Target::same(1, &target).unwrap()).unwrap();
        for ((name, a), (_, b)) in by_obp_name(&counted).into_iter().zip(by_obp_name(&listed)) {
            prop_assert!(near(a, b), "{name}: {a} and {b}");
        }
        let error = |e: &Evaluation| e.dr.standard_error.unwrap();
        prop_assert!((error(&counted) - error(&listed)).abs() < 1e-9);
    }

    /// The leave-one-out model against refitting it once per row.
    #[test]
    fn leaving_one_out_is_refitting_without_the_row(log in logs()) {
        let rows = rows_of(&log);
        let target = [0.2, 0.3, 0.5];
        let got = evaluate(&rows, &Target::same(2, &target).unwrap()).unwrap();
        let mut terms = Vec::new();
        for (left, row) in rows.iter().enumerate() {
            let others = || rows.iter().enumerate().filter(|(at, _)| *at != left).map(|(_, row)| row);
            let overall = others().map(Row::reward).sum::<f64>() / (rows.len() - 1) as f64;
            let q = |arm: usize| {
                let of_arm = || others().filter(|other| other.cell() == row.cell() && other.arm() == arm);
                (of_arm().map(Row::reward).sum::<f64>() + 10.0 * overall) / (of_arm().count() as f64 + 10.0)
            };
            let expected: f64 = (0..3).map(|arm| target[arm] * q(arm)).sum();
            let weight = target[row.arm()] / row.propensity();
            terms.push(expected + weight * (row.reward() - q(row.arm())));
        }
        let mean = terms.iter().sum::<f64>() / terms.len() as f64;
        let spread: f64 = terms.iter().map(|term| (term - mean).powi(2)).sum();
        let error = (spread / (terms.len() - 1) as f64 / terms.len() as f64).sqrt();
        prop_assert!(near(got.dr.value, mean), "{} is not {mean}", got.dr.value);
        prop_assert!((got.dr.standard_error.unwrap() - error).abs() < 1e-9);
    }

    #[test]
    fn intervals_hold_the_estimate_and_stay_in_range(log in logs()) {
        let rows = rows_of(&log);
        let got = evaluate(&rows, &Target::same(2, &[0.2, 0.3, 0.5]).unwrap()).unwrap();
        for estimate in [got.logged, got.ips, got.snips, got.dr] {
            let (low, high) = estimate.interval.unwrap();
            prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
            let value = estimate.value.clamp(0.0, 1.0);
            prop_assert!(low <= value && value <= high, "{low} {value} {high}");
        }
    }
}
