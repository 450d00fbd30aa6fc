//! Guardrail statistics: whether a limit is broken, by tests that may look as often as they like (STATS 7).
//!
//! Every limit is reduced to bad ones among all: failed among requests, requests slower than a bound among requests
//! ([`Limit::slower_than_quantile`]), rewards that fell too far ([`p_reward_drop`]).

mod cusum;
mod limit;
mod since_start;

pub use cusum::{ALARM, Cusum, EVIDENCE_TO_WARN, MIN_EXPECTED, QUIET_WINDOWS, State};
pub use limit::{InvalidLimit, Limit, Window};
pub use since_start::{ln_e_value, p_over};

use crate::posterior::Posterior;
use crate::probability::{QuadratureError, p_lift_greater};

/// The probability that the treatment's mean reward is more than the part `drop` (in `0..1`) below the control's, from
/// the lift integral (STATS 7.1). For matured rewards, once a day and not once a minute.
pub fn p_reward_drop(
    treatment: Posterior,
    control: Posterior,
    drop: f64,
) -> Result<f64, QuadratureError> {
    p_lift_greater(treatment, control, -drop).map(|holds| 1.0 - holds)
}
