//! Posteriors, probabilities and losses against closed forms and against themselves turned round.

use bandit::posterior::{ArmStats, BetaPosterior, Posterior};
use bandit::probability::{BestArm, QuadratureError};
use bandit::spec::model::BetaPrior;
use proptest::prelude::*;

use crate::common::same_cases;

/// Powers of ten from priors nobody should choose to counts nobody has.
fn parameter() -> impl Strategy<Value = f64> {
    (-2.0..8.0_f64).prop_map(|exponent| 10_f64.powf(exponent))
}

fn posterior() -> impl Strategy<Value = BetaPosterior> {
    (parameter(), parameter()).prop_map(|(alpha, beta)| BetaPosterior { alpha, beta })
}

/// Arms as an experiment has them: one rate, about the same counts.
fn rivals() -> impl Strategy<Value = Vec<BetaPosterior>> {
    let arm = (0.5..2.0_f64, 0.5..2.0_f64);
    (parameter(), parameter(), prop::collection::vec(arm, 2..12)).prop_map(|(a, b, arms)| {
        arms.into_iter()
            .map(|(x, y)| BetaPosterior {
                alpha: a * x,
                beta: b * y,
            })
            .collect()
    })
}

fn best_arm(arms: &[BetaPosterior]) -> Result<BestArm, QuadratureError> {
    let arms: Vec<Posterior> = arms.iter().map(|&arm| arm.into()).collect();
    bandit::probability::best_arm(&arms)
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert!((got - want).abs() <= tolerance, "{got:e} is not {want:e}");
    Ok(())
}

proptest! {
    #![proptest_config(same_cases())]

    /// With F_i(x) = x^a_i the arms' maximum is Beta(Σa, 1), and each is best in proportion to its a.
    #[test]
    fn power_laws_have_closed_forms(alphas in prop::collection::vec(parameter(), 2..=64)) {
        let arms: Vec<_> = alphas.iter().map(|&alpha| BetaPosterior { alpha, beta: 1.0 }).collect();
        let got = best_arm(&arms).unwrap();
        let sum: f64 = alphas.iter().sum();
        let expected_max = sum / (sum + 1.0);
        for (i, alpha) in alphas.iter().enumerate() {
            close(got.p_best[i], alpha / sum, 1e-11)?;
            // E[max] - E[theta_i], without the cancellation
            let want = (sum - alpha) / ((sum + 1.0) * (alpha + 1.0));
            close(got.expected_loss[i], want, 1e-11 * expected_max)?;
        }
    }

    #[test]
    fn quantiles_have_closed_forms_where_a_parameter_is_one(alpha in parameter(), level in 0.5..0.999_f64) {
        let tail = (1.0 - level) / 2.0;
        let (low, high) = BetaPosterior { alpha, beta: 1.0 }.interval(level);
        close(low, tail.powf(1.0 / alpha), 1e-10 * low)?;
        close(high, (1.0 - tail).powf(1.0 / alpha), 1e-10 * high)?;
    }

    #[test]
    fn the_interval_of_the_complement_is_the_complement(it in posterior()) {
        let (low, high) = it.interval(0.95);
        let (c_low, c_high) = BetaPosterior { alpha: it.beta, beta: it.alpha }.interval(0.95);
        prop_assert!(low < high && low >= 0.0 && high <= 1.0);
        close(low, 1.0 - c_high, 1e-13)?;
        close(high, 1.0 - c_low, 1e-13)?;
    }

    #[test]
    fn any_arms_have_an_answer_that_passes_its_checks(
        arms in prop::collection::vec(posterior(), 2..16),
    ) {
        let got = best_arm(&arms).unwrap();
        prop_assert!(got.expected_loss.iter().all(|loss| *loss >= 0.0));
        prop_assert!(got.p_best.iter().all(|p| (0.0..=1.0 + 1e-12).contains(p)));
    }

    #[test]
    fn priors_of_1e_6_and_counts_of_1e_12_still_have_an_answer(
        exponents in prop::collection::vec((-6.0..12.0_f64, -6.0..12.0_f64), 2..16),
    ) {
        let arms: Vec<_> = exponents
            .iter()
            .map(|(a, b)| BetaPosterior { alpha: 10_f64.powf(*a), beta: 10_f64.powf(*b) })
            .collect();
        prop_assert!(best_arm(&arms).is_ok(), "{arms:?}");
    }

    #[test]
    fn the_order_of_the_arms_does_not_matter(arms in rivals(), turn in 0_usize..12) {
        let here = best_arm(&arms).unwrap();
        let mut turned = arms.clone();
        let turn = turn % arms.len();
        turned.rotate_left(turn);
        let there = best_arm(&turned).unwrap();
        for i in 0..arms.len() {
            let j = (i + turn) % arms.len();
            close(there.p_best[i], here.p_best[j], 1e-13)?;
            close(there.expected_loss[i], here.expected_loss[j], 1e-13)?;
        }
    }

    /// With two arms, being better on 1 - x is being worse on x.
    #[test]
    fn the_complement_of_two_arms_swaps_them(a in posterior(), b in posterior()) {
        let mirrored = |it: BetaPosterior| BetaPosterior { alpha: it.beta, beta: it.alpha };
        let here = best_arm(&[a, b]).unwrap();
        let there = best_arm(&[mirrored(a), mirrored(b)]).unwrap();
        close(here.p_best[0], there.p_best[1], 1e-10)?;
        close(here.expected_loss[0], there.expected_loss[1], 1e-10)?;
    }

    #[test]
    fn another_success_never_makes_an_arm_look_worse(arms in rivals()) {
        let before = best_arm(&arms).unwrap();
        let mut more = arms;
        more[0].alpha += 1.0;
        let after = best_arm(&more).unwrap();
        prop_assert!(after.p_best[0] >= before.p_best[0] - 1e-12);
        prop_assert!(after.expected_loss[0] <= before.expected_loss[0] + 1e-12);
    }

    #[test]
    fn same_counts_give_same_bits(arms in rivals()) {
        prop_assert_eq!(best_arm(&arms), best_arm(&arms.clone()));
    }

    #[test]
    fn statistics_add_up_in_any_order(mut rewards in prop::collection::vec(0..=1_000_000_i32, 0..50)) {
        let sum = |rewards: &[i32]| -> ArmStats { rewards.iter().map(|it| ArmStats::of_reward(*it)).sum() };
        let forth = sum(&rewards);
        rewards.sort_unstable();
        prop_assert_eq!(forth, sum(&rewards));
        prop_assert_eq!(forth.resolved, rewards.len() as u64);
        prop_assert_eq!(forth.reward_sum_micro, rewards.iter().map(|it| i64::from(*it)).sum::<i64>());
    }
}

#[test]
fn the_posterior_is_prior_plus_counts() {
    let prior = BetaPrior {
        alpha: 0.5,
        beta: 2.0,
    };
    let mut stats: ArmStats = [1_000_000, 0, 250_000]
        .map(ArmStats::of_reward)
        .into_iter()
        .sum();
    stats.assigned = 9;
    stats.exposed = 5;
    let posterior = BetaPosterior::from_stats(prior, &stats);
    assert_eq!((posterior.alpha, posterior.beta), (1.75, 3.75));
    assert_eq!(stats.reward_sq_sum_micro, 1_062_500);
    assert_eq!(stats.pending(), 2);
    assert_eq!(stats.reward_mean(), Some(1.25 / 3.0));
    assert_eq!(ArmStats::default().reward_mean(), None);
}

#[test]
fn the_density_integrates_to_the_interval() {
    let posterior = BetaPosterior {
        alpha: 45.0,
        beta: 955.0,
    };
    let (low, high) = posterior.interval(0.95);
    let steps = 20_000;
    let width = (high - low) / f64::from(steps);
    let area: f64 = (0..steps)
        .map(|step| width * posterior.density(low + width * (f64::from(step) + 0.5)))
        .sum();
    assert!((area - 0.95).abs() < 1e-8, "{area}");
    assert_eq!(posterior.density(0.0), 0.0);
    assert_eq!(posterior.density(1.5), 0.0);
}

#[test]
fn useless_parameters_have_no_interval() {
    for (alpha, beta) in [(0.0, 1.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
        let (low, high) = BetaPosterior { alpha, beta }.interval(0.95);
        assert!(low.is_nan() && high.is_nan());
    }
}
