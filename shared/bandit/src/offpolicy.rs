//! Off-policy evaluation: what another policy would have earned, told from the log of the one that ran (STATS 9).
//!
//! A log is rows of (cell, arm, reward, propensity). [`Survey`] looks at it once: arms, floors, range of the rewards.
//! [`Evaluator`] goes over it a second time and keeps sums only, so that a log of any length needs the memory of its
//! cells and arms. [`evaluate`] does both for rows in memory, [`what_if`] for the counts of an experiment's policy
//! versions, and [`Replay`] runs a policy that learns over the rows it would have produced itself.

mod bernstein;
mod candidate;
mod estimate;
mod evaluator;
mod finish;
mod gate;
mod outcome;
mod replay;
mod replays;
mod row;
mod sums;
mod survey;
mod target;
mod versions;

pub use candidate::{Candidate, InvalidCandidate};
pub use estimate::{Estimate, Evaluation, RewardRange, Weights};
pub use evaluator::{Evaluator, Segment, Settings, evaluate};
pub use gate::{Gate, GateKind, Level};
pub use outcome::Outcomes;
pub use replay::{Replay, ReplayError, Replayed};
pub use replays::Replays;
pub use row::{InvalidRow, Row};
pub use survey::Survey;
pub use target::{InvalidTarget, Target};
pub use versions::{Known, WhatIfError, targets, what_if};
