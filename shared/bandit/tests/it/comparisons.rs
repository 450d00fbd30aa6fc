//! Comparisons of arms against closed forms and against themselves turned round, for all kinds of posteriors.

use std::f64::consts::PI;

use bandit::posterior::{
    BetaPosterior, Family, Moments, NormalInverseGamma, NormalPosterior, Posterior,
    StudentTPosterior,
};
use bandit::probability::{
    Equivalence, best_arm, leader, p_equivalent, p_greater, p_less_than_reference, p_lift_greater,
    p_value_remaining_greater, value_remaining,
};
use bandit::spec::model::BetaPrior;
use proptest::prelude::*;

use crate::common::same_cases;

fn beta(alpha: f64, beta: f64) -> Posterior {
    BetaPosterior { alpha, beta }.into()
}

fn normal(mean: f64, sd: f64) -> Posterior {
    NormalPosterior { mean, sd }.into()
}

fn student_t(df: f64, location: f64, scale: f64) -> Posterior {
    StudentTPosterior {
        df,
        location,
        scale,
    }
    .into()
}

fn power_of_ten(range: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    range.prop_map(|exponent| 10_f64.powf(exponent))
}

/// From one conversion to counts nobody has.
fn rate() -> impl Strategy<Value = Posterior> {
    (power_of_ten(-1.0..7.0), power_of_ten(-1.0..7.0)).prop_map(|(a, b)| beta(a, b))
}

/// Around 0 with scales over four orders of magnitude; normals, and Student-ts from 1.5 degrees of freedom.
fn mean() -> impl Strategy<Value = Posterior> {
    let of = (
        -1.0..1.0_f64,
        power_of_ten(-3.0..1.0),
        power_of_ten(0.2..7.0),
    );
    (of, any::<bool>()).prop_map(|((center, scale, df), is_t)| {
        if is_t {
            student_t(df, center, scale)
        } else {
            normal(center, scale)
        }
    })
}

/// Several arms of one kind.
fn arms() -> impl Strategy<Value = Vec<Posterior>> {
    prop_oneof![
        prop::collection::vec(rate(), 2..10),
        prop::collection::vec(mean(), 2..10),
    ]
}

fn pair() -> impl Strategy<Value = (Posterior, Posterior)> {
    prop_oneof![(rate(), rate()), (mean(), mean())]
}

/// `factor theta + by`, for means.
fn moved(posterior: Posterior, by: f64, factor: f64) -> Posterior {
    match posterior {
        Posterior::Beta(_) => panic!("a rate cannot be moved"),
        Posterior::Normal(it) => normal(it.mean * factor + by, it.sd * factor.abs()),
        Posterior::StudentT(it) => {
            student_t(it.df, it.location * factor + by, it.scale * factor.abs())
        }
    }
}

/// `1 - theta` for rates, `-theta` for means.
fn turned(posterior: Posterior) -> Posterior {
    match posterior {
        Posterior::Beta(it) => beta(it.beta, it.alpha),
        mean => moved(mean, 0.0, -1.0),
    }
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert!((got - want).abs() <= tolerance, "{got:e} is not {want:e}");
    Ok(())
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn probabilities_sum_to_one_and_losses_are_not_negative(arms in arms()) {
        let got = best_arm(&arms).unwrap();
        close(got.p_best.iter().sum(), 1.0, 1e-10)?;
        prop_assert!(got.p_best.iter().all(|p| (0.0..=1.0 + 1e-12).contains(p)));
        prop_assert!(got.expected_loss.iter().all(|loss| *loss >= 0.0));
    }

    #[test]
    fn the_order_of_the_arms_does_not_matter(arms in arms(), turn in 0_usize..10) {
        let here = best_arm(&arms).unwrap();
        let mut rotated = arms.clone();
        let turn = turn % arms.len();
        rotated.rotate_left(turn);
        let there = best_arm(&rotated).unwrap();
        for i in 0..arms.len() {
            let j = (i + turn) % arms.len();
            close(there.p_best[i], here.p_best[j], 1e-12)?;
            close(there.expected_loss[i], here.expected_loss[j], 1e-10 * here.expected_loss[j].max(1e-3))?;
        }
    }

    /// Between two arms, being the greatest is being the least of what is turned round.
    #[test]
    fn turning_rewards_round_swaps_two_arms((a, b) in pair()) {
        let here = best_arm(&[a, b]).unwrap();
        let there = best_arm(&[turned(a), turned(b)]).unwrap();
        for (i, j) in [(0, 1), (1, 0)] {
            close(here.p_best[i], there.p_best[j], 1e-10)?;
            close(here.expected_loss[i], there.expected_loss[j], 1e-10 * here.expected_loss[i].max(1.0))?;
        }
    }

    #[test]
    fn the_units_of_rewards_do_not_matter(
        arms in prop::collection::vec(mean(), 2..8),
        by in -1e3..1e3_f64,
        factor in power_of_ten(-6.0..6.0),
    ) {
        let here = best_arm(&arms).unwrap();
        let elsewhere: Vec<Posterior> = arms.iter().map(|arm| moved(*arm, by, factor)).collect();
        let there = best_arm(&elsewhere).unwrap();
        for i in 0..arms.len() {
            // moving by 1e3 costs digits of the places themselves
            let lost = 1e-13 * (by.abs() / (factor * 1e-3)).max(1e2);
            close(there.p_best[i], here.p_best[i], lost)?;
            let loss = here.expected_loss[i];
            close(there.expected_loss[i] / factor, loss, lost * loss.max(1.0))?;
        }
    }

    #[test]
    fn two_normals_have_a_closed_form(
        (m0, m1) in (-1.0..1.0_f64, -1.0..1.0_f64),
        (s0, s1) in (power_of_ten(-3.0..1.0), power_of_ten(-3.0..1.0)),
    ) {
        let got = best_arm(&[normal(m0, s0), normal(m1, s1)]).unwrap();
        let difference = normal(m1 - m0, s0.hypot(s1));
        close(got.p_best[1], difference.upper_tail(0.0), 1e-12)?;
        let spread = s0.hypot(s1);
        let loss = spread * spread * difference.density(0.0)
            + (m1 - m0) * difference.upper_tail(0.0);
        close(got.expected_loss[0], loss, 1e-12 * spread.max(1.0))?;
    }

    #[test]
    fn pairs_agree_with_each_other_and_with_all(arms in arms()) {
        let less = p_less_than_reference(&arms, 0).unwrap();
        let best = best_arm(&arms).unwrap().p_best[0];
        prop_assert!(less[0].is_none());
        for (arm, less) in arms.iter().zip(less) {
            let Some(less) = less else { continue };
            close(less + p_greater(*arm, arms[0]).unwrap(), 1.0, 1e-10)?;
            prop_assert!(best <= less + 1e-10);
        }
    }

    #[test]
    fn a_lift_of_nothing_is_being_better_and_more_is_less_likely((a, b) in pair(), lift in -0.9..3.0_f64) {
        close(p_lift_greater(a, b, 0.0).unwrap(), p_greater(a, b).unwrap(), 1e-10)?;
        if let (Posterior::Beta(_), Posterior::Beta(_)) = (a, b) {
            let more = p_lift_greater(a, b, lift + 0.1).unwrap();
            let here = p_lift_greater(a, b, lift).unwrap();
            prop_assert!(more <= here + 1e-11, "{more} {here}");
            // both ways round: a exceeds b by the factor, or b divided by it is not exceeded
            let back = p_lift_greater(b, a, 1.0 / (1.0 + lift) - 1.0).unwrap();
            close(here + back, 1.0, 1e-10)?;
        }
    }

    #[test]
    fn lifts_of_power_laws_have_a_closed_form(a in power_of_ten(-1.0..5.0), b in power_of_ten(-1.0..5.0), lift in 0.0..2.0_f64) {
        // F(x) = x^a, so P(theta_1 > (1+r) theta_0) = 1/(1+r)^b a/(a+b) with theta_1 ~ x^a, theta_0 ~ x^b
        let want = (-b * lift.ln_1p()).exp() * a / (a + b);
        close(p_lift_greater(beta(a, 1.0), beta(b, 1.0), lift).unwrap(), want, 1e-11)?;
    }

    #[test]
    fn value_remaining_is_about_the_best_of_the_others(arms in prop::collection::vec(rate(), 2..8)) {
        let leader = leader(&arms);
        let best = best_arm(&arms).unwrap();
        let p = |v| p_value_remaining_greater(&arms, leader, v).unwrap();
        close(p(0.0), 1.0 - best.p_best[leader], 1e-10)?;
        prop_assert!(p(0.1) <= p(0.01) + 1e-12);
        let v = value_remaining(&arms, leader, 0.95).unwrap();
        if v > 0.0 && v.is_finite() {
            close(p(v), 0.05, 1e-10)?;
        } else if v == 0.0 {
            prop_assert!(p(0.0) <= 0.05);
        }
    }

    #[test]
    fn a_wider_region_holds_more_of_the_difference((a, b) in pair(), by in 0.001..0.3_f64) {
        let narrow = p_equivalent(a, b, Equivalence::Absolute(by)).unwrap();
        let wide = p_equivalent(a, b, Equivalence::Absolute(2.0 * by)).unwrap();
        prop_assert!(narrow <= wide + 1e-10);
        let other = p_equivalent(b, a, Equivalence::Absolute(by)).unwrap();
        close(narrow, other, 1e-10)?;
    }

    #[test]
    fn uniform_rates_differ_by_less_than_a_bound_with_a_closed_form(by in 0.001..0.999_f64) {
        let got = p_equivalent(beta(1.0, 1.0), beta(1.0, 1.0), Equivalence::Absolute(by)).unwrap();
        close(got, by * (2.0 - by), 1e-11)?;
    }

    #[test]
    fn tails_have_closed_forms(x in power_of_ten(-3.0..6.0), a in power_of_ten(-1.0..6.0)) {
        let tails = [
            (student_t(1.0, 0.0, 1.0), (1.0 / x).atan() / PI),
            (student_t(2.0, 0.0, 1.0), 1.0 / ((2.0 + x * x).sqrt() * ((2.0 + x * x).sqrt() + x))),
        ];
        for (posterior, want) in tails {
            close(posterior.upper_tail(x) / want, 1.0, 1e-11)?;
            close(posterior.upper_tail(-x), 1.0 - want, 1e-12)?;
        }
        let p = x / (1.0 + x);
        let rising = beta(a, 1.0);
        close(rising.upper_tail(p), -(a * p.ln()).exp_m1(), 1e-11)?;
        let falling = beta(1.0, a);
        let want = a * (-p).ln_1p();
        close(falling.ln_upper_tail(p), want, 1e-11 * want.abs().max(1.0))?;
    }

    #[test]
    fn the_interval_leaves_as_much_on_either_side(arm in prop_oneof![rate(), mean()], level in 0.5..0.999_f64) {
        let (low, high) = arm.interval(level);
        let tail = (1.0 - level) / 2.0;
        // a rate near 1 is rounded more coarsely than what it is short of 1
        let coarse = matches!(arm, Posterior::Beta(_)) && high > 0.9;
        if !coarse {
            close(arm.upper_tail(high) / tail, 1.0, 1e-9)?;
        }
        close(1.0 - arm.upper_tail(low), tail, if coarse { 1e-8 } else { 1e-11 })?;
    }

    #[test]
    fn learning_in_batches_is_learning_at_once(rewards in prop::collection::vec(0.0..1.0_f64, 0..40), cut in 0_usize..40) {
        let moments = |rewards: &[f64]| -> Moments {
            rewards.iter().map(|r| Moments { n: 1.0, sum: *r, sum_sq: r * r }).sum()
        };
        let prior = NormalInverseGamma::weak(Moments::default());
        let (first, second) = rewards.split_at(cut.min(rewards.len()));
        let at_once = prior.update(moments(&rewards)).marginal();
        let batches = prior.update(moments(first)).update(moments(second)).marginal();
        close(batches.df, at_once.df, 1e-12)?;
        close(batches.location, at_once.location, 1e-12)?;
        close(batches.scale / at_once.scale, 1.0, 1e-10)?;
    }
}

#[test]
fn normal_tails_agree_with_50_digit_arithmetic() {
    // mpmath: log(erfc(z / sqrt(2)) / 2)
    let truth = [
        (0.0, -std::f64::consts::LN_2),
        (1.0, -1.841_021_645_009_263_5),
        (10.0, -53.231_285_150_512_47),
        (40.0, -804.608_442_013_753_8),
        (1000.0, -500_007.826_694_812_2),
    ];
    for (z, want) in truth {
        let got = normal(3.0, 2.0).ln_upper_tail(3.0 + 2.0 * z);
        assert!((got / want - 1.0).abs() < 1e-13, "{z}: {got} is not {want}");
    }
    assert_eq!(normal(0.0, 1.0).upper_tail(f64::INFINITY), 0.0);
    assert_eq!(normal(0.0, 1.0).upper_tail(f64::NEG_INFINITY), 1.0);
}

#[test]
fn with_many_degrees_of_freedom_a_student_t_is_a_normal() {
    let (t, z) = (student_t(1e13, 0.2, 0.1), normal(0.2, 0.1));
    let third = normal(0.25, 0.3);
    let (with_t, with_z) = (
        best_arm(&[t, third]).unwrap(),
        best_arm(&[z, third]).unwrap(),
    );
    assert!((with_t.p_best[0] - with_z.p_best[0]).abs() < 1e-12);
    assert!((t.interval(0.95).0 - z.interval(0.95).0).abs() < 1e-12);
}

#[test]
fn sixty_four_arms_with_ten_million_rewards_each_have_an_answer() {
    let rates: Vec<Posterior> = (0..64)
        .map(|i| {
            beta(
                500_001.0 + 40.0 * f64::from(i),
                9_500_001.0 - 40.0 * f64::from(i),
            )
        })
        .collect();
    let means: Vec<Posterior> = (0..64)
        .map(|i| student_t(9_999_999.0, 0.05 + 4e-6 * f64::from(i), 6.9e-5))
        .collect();
    for arms in [rates, means] {
        let got = best_arm(&arms).unwrap();
        let sum: f64 = got.p_best.iter().sum();
        assert!((sum - 1.0).abs() < 1e-10, "{sum}");
        assert!(value_remaining(&arms, 63, 0.95).unwrap() > 0.0);
    }
}

/// Scaled rewards: the arm that earns most is found, and arms that are all alike are not certain of anything.
#[test]
fn real_rewards_give_student_t_posteriors_from_the_pooled_prior() {
    let arms = [
        Moments::around(400.0, 0.30, 400.0 * 0.04),
        Moments::around(500.0, 0.33, 500.0 * 0.05),
    ];
    let posteriors = Family::Normal.posteriors(&arms);
    for (posterior, arm) in posteriors.iter().zip(&arms) {
        let Posterior::StudentT(it) = posterior else {
            panic!("{posterior} is no Student-t");
        };
        assert!((it.df - (arm.n + 2.0)).abs() < 1e-12);
        assert!((it.location - arm.mean().unwrap()).abs() < 1e-3);
        let expected = (arm.variance().unwrap() / arm.n).sqrt();
        assert!((it.scale / expected - 1.0).abs() < 0.01);
    }
    let untouched = Family::Normal.posteriors(&[Moments::default(); 2]);
    assert_eq!(untouched[0].mean(), 0.5);
    let alike = Family::Normal.posteriors(&[Moments::around(5.0, 0.0, 0.0), Moments::default()]);
    let best = best_arm(&alike).unwrap();
    assert!(best.p_best[0] > 0.01 && best.p_best[0] < 0.5, "{best:?}");
    let flat = BetaPrior {
        alpha: 1.0,
        beta: 1.0,
    };
    let binary = Family::Beta(flat).posteriors(&[Moments::around(10.0, 0.5, 2.5)]);
    assert_eq!(binary, [beta(6.0, 6.0)]);
}

#[test]
fn questions_without_an_answer_are_refused() {
    let (a, b) = (beta(2.0, 3.0), beta(3.0, 3.0));
    for lift in [-1.0, -2.0, f64::NAN, f64::INFINITY] {
        assert!(p_lift_greater(a, b, lift).is_err(), "{lift}");
    }
    for by in [0.0, -0.1, f64::NAN] {
        assert!(p_equivalent(a, b, Equivalence::Absolute(by)).is_err());
        assert!(p_equivalent(a, b, Equivalence::Relative(by)).is_err());
    }
    assert!(p_equivalent(a, b, Equivalence::Relative(1.0)).is_err());
    assert!(p_value_remaining_greater(&[a, b], 2, 0.1).is_err());
    assert!(p_value_remaining_greater(&[a, b], 0, -0.1).is_err());
    assert!(p_less_than_reference(&[a, b], 2).is_err());
    let around_zero = [normal(0.0, 1.0), normal(-1.0, 1.0)];
    assert_eq!(value_remaining(&around_zero, 0, 0.95), Ok(f64::INFINITY));
}
