//! The decisions of Pitboss. Pure: no IO, no async, no clock, no global randomness.
//!
//! The same input gives the same output, bit for bit: a decision can be replayed from its row.

pub mod allocation;
pub mod assign;
pub mod credit;
pub mod decision;
pub mod experiment;
pub mod guardrail;
pub mod inference;
pub mod lanes;
pub mod memory;
pub mod offpolicy;
pub mod plan;
pub mod policy;
pub mod posterior;
pub mod probability;
pub mod reward;
pub mod scale;
pub mod schedule;
pub mod simulate;
pub mod spec;
pub mod targeting;
