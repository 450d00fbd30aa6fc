//! Simulation: the code that serves, on rates that somebody declares, to see what an experiment would earn and tell.
//!
//! A run is a pure function of what is simulated, a seed and the number of the run, so runs can be spread over any
//! number of threads and give the same bits. Allocations come from [`crate::policy::allocate`] and units draw by
//! [`crate::assign::draw`]; nothing about a policy is known here.

pub mod endings;
pub mod experiment;
pub mod generator;
pub mod in_play;
pub mod problem;
mod stale;
pub mod summary;
pub mod truth;

pub use endings::{Endings, Outcome};
pub use experiment::{Ended, LaneRun, Run, Scenario, Simulation, SimulationError};
pub use generator::Generator;
pub use in_play::ArmsInPlay;
pub use problem::{Problem, ProblemArms};
pub use summary::{Figures, LaneSummary, Mean, Summary};
pub use truth::{InvalidTruth, Truth};
