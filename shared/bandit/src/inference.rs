//! What the data say under changing allocations: everything here is a function of the counts per policy version.

mod period;

pub use period::{ArmPeriod, Period, arm_count, merge};
