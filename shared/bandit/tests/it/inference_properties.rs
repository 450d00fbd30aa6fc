//! What estimates from period counts owe to any data: order, grouping and names of arms do not matter.

use bandit::experiment::Millis;
use bandit::inference::aipw::{Aipw, Weighting};
use bandit::inference::asymptotic::TUNED_FOR;
use bandit::inference::empirical_bernstein::LowerBound;
use bandit::inference::{
    ArmPeriod, Interval, Period, bernoulli, bounded, drift, merge, srm, weighted,
};
use bandit::posterior::{ArmStats, BetaPosterior};
use bandit::spec::model::BetaPrior;
use proptest::prelude::*;

use crate::common::same_cases;

const PRIOR: BetaPrior = BetaPrior {
    alpha: 1.0,
    beta: 1.0,
};

/// Periods of `arms` arms with binary rewards; propensities are the shares of the weights.
fn periods(arms: usize, at_most: usize) -> impl Strategy<Value = Vec<Period>> {
    let arm = (1_u32..20, 0_u64..60, 0.0..=1.0_f64);
    let period = proptest::collection::vec(arm, arms);
    proptest::collection::vec(period, 1..=at_most).prop_map(|all| {
        let mut at = 0;
        all.into_iter()
            .map(|arms| {
                let total: u32 = arms.iter().map(|(weight, ..)| weight).sum();
                let from = Millis(at);
                at += 1000;
                let arms = arms
                    .into_iter()
                    .map(|(weight, n, rate)| {
                        let sum = (n as f64 * rate).floor();
                        ArmPeriod {
                            propensity: f64::from(weight) / f64::from(total),
                            assigned: n,
                            n,
                            sum,
                            sum_sq: sum,
                        }
                    })
                    .collect();
                Period {
                    from,
                    until: Millis(at),
                    arms,
                }
            })
            .collect()
    })
}

fn swapped(periods: &[Period]) -> Vec<Period> {
    let mut swapped = periods.to_vec();
    for period in &mut swapped {
        period.arms.swap(0, 1);
    }
    swapped
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

fn alike(a: Interval, b: Interval) -> bool {
    close(a.low, b.low) && close(a.high, b.high)
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn one_reward_after_the_other_counts_as_all_at_once(rewards in proptest::collection::vec(0..=1_000_000_i32, 0..50)) {
        let forth: ArmStats = rewards.iter().map(|micro| ArmStats::of_reward(*micro)).sum();
        let back: ArmStats = rewards.iter().rev().map(|micro| ArmStats::of_reward(*micro)).sum();
        let period = ArmPeriod::new(0.5, &forth);
        prop_assert_eq!(period, ArmPeriod::new(0.5, &back));
        prop_assert_eq!(period.n, rewards.len() as u64);
        prop_assert!(period.mean().is_none_or(|mean| (0.0..=1.0).contains(&mean)));
        prop_assert!(period.variance().is_none_or(|variance| (0.0..=0.5 + 1e-12).contains(&variance)));
    }

    #[test]
    fn merging_keeps_every_count_whatever_the_cut(all in periods(3, 8), cut in 0..8_usize) {
        let whole = merge(&all).unwrap();
        let cut = cut.min(all.len() - 1);
        let halves: Vec<Period> = [&all[..cut], &all[cut..]].into_iter().filter_map(merge).collect();
        let again = merge(&halves).unwrap();
        prop_assert_eq!((again.from, again.until), (whole.from, whole.until));
        for (a, b) in again.arms.iter().zip(&whole.arms) {
            prop_assert_eq!((a.assigned, a.n, a.sum, a.sum_sq), (b.assigned, b.n, b.sum, b.sum_sq));
        }
        if whole.assigned() > 0 {
            let units: f64 = whole.arms.iter().map(|arm| arm.propensity).sum();
            prop_assert!(close(units, 1.0));
        }
    }

    #[test]
    fn thick_periods_have_enough_of_every_arm_and_lose_nobody(all in periods(3, 30), least in 2..200_u64) {
        let thick = weighted::thick(&all, least);
        let n = |periods: &[Period]| -> u64 { periods.iter().map(Period::resolved).sum() };
        prop_assert_eq!(n(&thick), n(&all));
        if thick.len() > 1 {
            prop_assert!(thick.iter().all(|period| period.arms.iter().all(|arm| arm.n >= least)));
        }
        prop_assert_eq!(weighted::thick(&thick, least), thick);
    }

    #[test]
    fn weighted_means_are_means(all in periods(2, 12)) {
        let thick = weighted::thick(&all, weighted::LEAST);
        for arm in 0..2 {
            if let Some(estimate) = weighted::mean(&thick, arm) {
                prop_assert!((0.0..=1.0).contains(&estimate.value));
                prop_assert!((0.0..=0.51).contains(&estimate.standard_error));
                let backwards: Vec<Period> = thick.iter().rev().cloned().collect();
                let back = weighted::mean(&backwards, arm).unwrap();
                prop_assert!(close(estimate.value, back.value));
                prop_assert!(close(estimate.standard_error, back.standard_error));
            }
            let BetaPosterior { alpha, beta } = weighted::beta_posterior(&all, arm, PRIOR);
            let n: u64 = all.iter().map(|period| period.arms[arm].n).sum();
            prop_assert!(alpha >= 1.0 && beta >= 1.0 && alpha + beta <= 2.0 + n as f64 + 1e-9);
        }
    }

    #[test]
    fn the_names_of_arms_do_not_matter(all in periods(2, 8)) {
        let other = swapped(&all);
        for weighting in [Weighting::Uniform, Weighting::ConstantAllocation] {
            let (a, b) = (Aipw::new(&all, weighting, 0.0), Aipw::new(&other, weighting, 0.0));
            if let (Some(a0), Some(b1)) = (a.estimate(0), b.estimate(1)) {
                prop_assert!(close(a0.value, b1.value) && close(a0.standard_error, b1.standard_error));
                let (forth, back) = (a.contrast(0, 1).unwrap(), b.contrast(0, 1).unwrap());
                prop_assert!(close(forth.value, -back.value));
                prop_assert!(close(forth.standard_error, back.standard_error));
                let (forth, back) = (a.contrast_walk(0, 1).unwrap(), b.contrast_walk(1, 0).unwrap());
                prop_assert!(alike(forth.sequence(0.05, TUNED_FOR), back.sequence(0.05, TUNED_FOR)));
            }
        }
        prop_assert!(alike(bounded::mean(&all, 0, 0.05, 0.01), bounded::mean(&other, 1, 0.05, 0.01)));
        let (forth, back) = (srm::changing_split(&all), srm::changing_split(&other));
        prop_assert!(close(forth.statistic, back.statistic) && forth.df == back.df);
        prop_assert!(close(srm::sequential(&all, 100.0).p_value, srm::sequential(&other, 100.0).p_value));
        let (forth, back) = (drift::drift(&all), drift::drift(&other));
        prop_assert!(close(forth.interaction.statistic, back.interaction.statistic));
    }

    #[test]
    fn exact_intervals_lie_in_the_range_and_shrink_with_alpha(all in periods(2, 8)) {
        let wide = bounded::mean(&all, 0, 0.01, 0.05);
        let narrow = bounded::mean(&all, 0, 0.2, 0.05);
        prop_assert!(0.0 <= wide.low && wide.high <= 1.0 && wide.low <= wide.high);
        // both ends in one point: these counts contradict their propensities
        if narrow.low < narrow.high {
            prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
        }
    }

    #[test]
    fn a_running_intersection_only_shrinks(terms in proptest::collection::vec(0.0..=1.0_f64, 1..80)) {
        let (mut low, mut high) = (LowerBound::new(0.025), LowerBound::new(0.025));
        let mut running = Interval::REWARDS;
        for term in terms {
            low.push(term);
            high.push(1.0 - term);
            let now = Interval { low: low.get(), high: 1.0 - high.get() };
            let next = running.intersect(&now);
            prop_assert!(running.low <= next.low && next.high <= running.high && next.low <= next.high);
            running = next;
        }
    }

    #[test]
    fn a_bernoulli_sequence_holds_its_rate_and_mirrors(trials in 1..5000_u64, share in 0.0..=1.0_f64) {
        let successes = (trials as f64 * share) as u64;
        let of = |successes| bernoulli::confidence_sequence(successes, trials, 0.05, 500.0, 0.05);
        let (here, there) = (of(successes), of(trials - successes));
        prop_assert!(here.contains(successes as f64 / trials as f64));
        prop_assert!((here.low - (1.0 - there.high)).abs() < 1e-9);
    }
}

fn counts(propensity: f64, n: u64, sum: f64) -> ArmPeriod {
    ArmPeriod {
        propensity,
        assigned: n,
        n,
        sum,
        sum_sq: sum,
    }
}

fn days(days: &[[ArmPeriod; 2]]) -> Vec<Period> {
    days.iter()
        .enumerate()
        .map(|(day, arms)| Period {
            from: Millis(day as u64 * 86_400_000),
            until: Millis((day as u64 + 1) * 86_400_000),
            arms: arms.to_vec(),
        })
        .collect()
}

#[test]
fn a_trend_does_not_make_equal_arms_differ() {
    // 10 % with an even split, then 5 % with 90/10
    let days = days(&[
        [counts(0.5, 500, 50.0), counts(0.5, 500, 50.0)],
        [counts(0.9, 900, 45.0), counts(0.1, 100, 5.0)],
    ]);
    let naive = |arm: usize| {
        let (n, sum) = days.iter().fold((0, 0.0), |(n, sum), day| {
            (n + day.arms[arm].n, sum + day.arms[arm].sum)
        });
        sum / n as f64
    };
    assert!(naive(1) / naive(0) > 1.35);
    let (a, b) = (
        weighted::mean(&days, 0).unwrap(),
        weighted::mean(&days, 1).unwrap(),
    );
    assert!((a.value - 0.075).abs() < 1e-15 && (b.value - 0.075).abs() < 1e-15);
    let aipw = Aipw::new(&days, Weighting::Uniform, 0.0);
    let contrast = aipw.contrast(1, 0).unwrap();
    assert!(contrast.value.abs() < 1e-12, "{contrast:?}");
    let posterior = weighted::beta_posterior(&days, 1, PRIOR);
    assert!((posterior.mean() - 0.077).abs() < 1e-3, "{posterior:?}");
    assert!(posterior.alpha + posterior.beta < 602.0);

    let drift = drift::drift(&days);
    assert_eq!((drift.parts, drift.interaction.df), (2, 1));
    assert!(drift.arms[0].unwrap().p_value < 0.001, "{drift:?}");
    assert!(drift.interaction.p_value > 0.9, "{drift:?}");
}

#[test]
fn an_arm_that_fades_is_an_interaction() {
    let days = days(&[
        [counts(0.5, 1000, 100.0), counts(0.5, 1000, 140.0)],
        [counts(0.5, 1000, 100.0), counts(0.5, 1000, 100.0)],
        [counts(0.5, 1000, 100.0), counts(0.5, 1000, 70.0)],
    ]);
    let drift = drift::drift(&days);
    assert_eq!((drift.parts, drift.interaction.df), (3, 2));
    assert!(drift.interaction.p_value < 0.01, "{drift:?}");
    assert!(drift.arms[0].unwrap().p_value > 0.99);
    assert!(drift.arms[1].unwrap().p_value < 0.001);
    assert_eq!(drift::drift(&[]).interaction.df, 0);
}

#[test]
fn an_arm_with_an_unchanged_share_keeps_its_pooled_counts() {
    let days = days(&[
        [counts(0.5, 500, 50.0), counts(0.5, 480, 60.0)],
        [counts(0.5, 520, 26.0), counts(0.5, 510, 12.0)],
    ]);
    let posterior = weighted::beta_posterior(&days, 0, PRIOR);
    assert_eq!((posterior.alpha, posterior.beta), (77.0, 945.0));
}

#[test]
fn closed_arms_are_left_out_of_what_they_were_closed_for() {
    let days = days(&[
        [counts(0.5, 500, 50.0), counts(0.5, 500, 50.0)],
        [counts(1.0, 1000, 300.0), counts(0.0, 0, 0.0)],
    ]);
    let aipw = Aipw::new(&days, Weighting::Uniform, 0.0);
    assert!((aipw.estimate(1).unwrap().value - 0.1).abs() < 1e-12);
    assert!(aipw.contrast(1, 0).unwrap().value.abs() < 1e-12);
    assert!(aipw.estimate(0).unwrap().value > 0.19);
    assert!(srm::changing_split(&days).p_value > 0.9);
    let thick = weighted::thick(&days, 2);
    assert_eq!(thick.len(), 2);
    assert!((weighted::mean(&thick, 1).unwrap().value - 0.1).abs() < 1e-12);
}

#[test]
fn a_unit_on_a_closed_arm_is_a_mismatch() {
    let days = days(&[[counts(1.0, 999, 0.0), counts(0.0, 1, 0.0)]]);
    assert_eq!(srm::changing_split(&days).p_value, 0.0);
    assert_eq!(srm::sequential(&days, srm::CAUTION).p_value, 0.0);
    let nobody: Vec<Period> = vec![];
    assert_eq!(srm::changing_split(&nobody).p_value, 1.0);
    assert_eq!(srm::sequential(&nobody, srm::CAUTION).p_value, 1.0);
}
