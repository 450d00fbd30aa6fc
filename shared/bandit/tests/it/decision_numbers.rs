//! Lifts, equivalence, value remaining and guardrail tails against high-precision arithmetic.

use std::collections::BTreeMap;
use std::iter::zip;

use bandit::guardrail::{Limit, Window, ln_e_value, p_over, p_reward_drop};
use bandit::posterior::{BetaPosterior, Posterior};
use bandit::probability::{
    Equivalence, best_arm, leader, p_equivalent, p_greater, p_lift_greater,
    p_value_remaining_greater, value_remaining,
};
use serde::Deserialize;

use crate::oracles::{close, read};

#[derive(Deserialize)]
struct Truth {
    value_remaining: Vec<Remaining>,
    two_arm: Vec<TwoArm>,
    tails: Vec<Tail>,
}

#[derive(Deserialize)]
struct Remaining {
    name: String,
    alpha: Vec<f64>,
    beta: Vec<f64>,
    leader: usize,
    p_leader_not_best: f64,
    p_vr_gt: BTreeMap<String, f64>,
    vr_quantile_95: f64,
}

#[derive(Deserialize)]
struct TwoArm {
    name: String,
    control: (f64, f64),
    treatment: (f64, f64),
    p_treatment_gt_control: f64,
    p_lift_gt: BTreeMap<String, f64>,
    rope_absolute: BTreeMap<String, f64>,
    rope_relative: BTreeMap<String, f64>,
    expected_loss_choose_treatment: f64,
    expected_loss_choose_control: f64,
}

#[derive(Deserialize)]
struct Tail {
    threshold: f64,
    n: u64,
    events: u64,
    prior: (f64, f64),
    ln_p_rate_gt_threshold: f64,
    log_e_value: f64,
}

fn truth() -> Truth {
    read("a2_decision.json")
}

fn beta((alpha, beta): (f64, f64)) -> Posterior {
    BetaPosterior { alpha, beta }.into()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

#[test]
fn value_remaining_agrees_with_200_bit_arithmetic() {
    let all = truth().value_remaining;
    assert_eq!(all.len(), 10);
    for it in all {
        let pairs = zip(it.alpha.iter().copied(), it.beta.iter().copied());
        let arms: Vec<Posterior> = pairs.map(beta).collect();
        assert_eq!(leader(&arms), it.leader);
        let p = |v| p_value_remaining_greater(&arms, it.leader, v).unwrap();
        close(p(0.0), it.p_leader_not_best, 1e-11, &it.name);
        for (v, want) in &it.p_vr_gt {
            close(p(number(v)), *want, 1e-11, &it.name);
        }
        let got = value_remaining(&arms, it.leader, 0.95).unwrap();
        close(
            got,
            it.vr_quantile_95,
            1e-11 * it.vr_quantile_95.max(1.0),
            &it.name,
        );
    }
}

#[test]
fn lifts_and_equivalence_agree_with_200_bit_arithmetic() {
    let all = truth().two_arm;
    assert_eq!(all.len(), 6);
    for it in all {
        let (control, treatment) = (beta(it.control), beta(it.treatment));
        let got = p_greater(treatment, control).unwrap();
        close(got, it.p_treatment_gt_control, 1e-11, &it.name);
        for (lift, want) in &it.p_lift_gt {
            let got = p_lift_greater(treatment, control, number(lift)).unwrap();
            close(got, *want, 1e-11, &it.name);
        }
        let dropped = p_reward_drop(treatment, control, 0.05).unwrap();
        close(dropped, 1.0 - it.p_lift_gt["-0.05"], 1e-11, &it.name);
        for (by, want) in &it.rope_absolute {
            let region = Equivalence::Absolute(number(by));
            let got = p_equivalent(treatment, control, region).unwrap();
            close(got, *want, 1e-11, &it.name);
        }
        for (by, want) in &it.rope_relative {
            let region = Equivalence::Relative(number(by));
            let got = p_equivalent(treatment, control, region).unwrap();
            close(got, *want, 1e-11, &it.name);
        }
        let loss = best_arm(&[control, treatment]).unwrap().expected_loss;
        let of_control = it.expected_loss_choose_control;
        close(loss[0], of_control, 1e-10 * of_control, &it.name);
        let of_treatment = it.expected_loss_choose_treatment;
        close(loss[1], of_treatment, 1e-10 * of_treatment, &it.name);
    }
}

#[test]
fn tails_and_e_values_agree_with_60_digit_arithmetic() {
    let all = truth().tails;
    assert_eq!(all.len(), 108);
    for it in all {
        let name = format!("{} of {} over {}", it.events, it.n, it.threshold);
        let limit = Limit::new(it.threshold).unwrap();
        let prior = BetaPosterior {
            alpha: it.prior.0,
            beta: it.prior.1,
        };
        let posterior = BetaPosterior {
            alpha: it.prior.0 + it.events as f64,
            beta: it.prior.1 + (it.n - it.events) as f64,
        };
        // the logarithm's absolute error is the tail's relative one
        let want = it.ln_p_rate_gt_threshold;
        let got = posterior.ln_upper_tail(it.threshold);
        close(got, want, 1e-11 * want.abs().max(1.0), &name);
        let counted = Window::new(it.n, it.events);
        let got = ln_e_value(prior, limit, counted);
        close(
            got,
            it.log_e_value,
            1e-11 * it.log_e_value.abs().max(1.0),
            &name,
        );
        if it.prior == (0.5, 0.5) {
            close(p_over(limit, counted), want.exp(), 1e-11, &name);
        }
    }
}
