//! What the decisions promise, checked from outside: properties, tables and other people's numbers.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a failing test shows where; same input, same bits"
)]

mod allocations;
mod common;
mod comparisons;
mod credit;
mod decision_numbers;
mod decisions;
mod draws;
mod ending;
mod false_alarms;
mod flat_prior;
mod guarding;
mod guardrail_rules;
mod guardrails;
mod inference_coverage;
mod inference_oracles;
mod inference_properties;
mod lanes;
mod memory;
mod offpolicy;
mod oracles;
mod policies;
mod policy_oracles;
mod policy_properties;
mod posteriors;
mod regret;
mod regret_by_index;
mod regret_reference;
mod rewards;
mod schedules;
mod simulations;
mod stopping_rules;
#[path = "../../examples/guardrail_delays/traffic.rs"]
mod traffic;
#[path = "../../examples/guardrail_delays/week.rs"]
mod week;
