//! What the data say under changing allocations: everything here is a function of the counts per policy version.

mod estimate;
mod gamma;
mod mixture;
mod period;
mod quadratic;

pub mod aipw;
pub mod asymptotic;
pub mod bernoulli;
pub mod bounded;
pub mod drift;
pub mod empirical_bernstein;
pub mod evidence;
pub mod srm;
pub mod two_arm;
pub mod weighted;

pub use estimate::{Estimate, Interval};
pub use gamma::chi_square_tail;
pub use mixture::{BetaBinomial, GammaExponential, normal_bound, normal_ln_evidence, tuned_scale};
pub use period::{ArmPeriod, Period, arm_count, merge};
