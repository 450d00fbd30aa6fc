//! Guardrails: whether a limit is broken, by tests that may look as often as they like (STATS 7), and what follows.
//!
//! Every limit on counts is reduced to bad ones among all: failed among requests, requests slower than a bound among
//! requests ([`Limit::slower_than_quantile`]), rewards that fell too far ([`p_reward_drop`]). [`Watch`] turns minutes of
//! counts into what a test sees, [`verdict`] says what that means, and [`Run`] when there is enough of it to act.

mod cusum;
mod distinct;
mod limit;
mod quantile;
mod run;
mod since_start;
mod varint;
mod watch;

pub use cusum::{ALARM, Cusum, EVIDENCE_TO_WARN, MIN_EXPECTED, QUIET_WINDOWS, State};
pub use distinct::DistinctSketch;
pub use limit::{InvalidLimit, Limit, Window};
pub use quantile::QuantileSketch;
pub use run::{
    Act, Because, Circumstances, GOOD_TO_CLEAR, Override, Run, Subject, Verdict, consequence,
    verdict,
};
pub use since_start::{ln_e_value, p_over};
pub use varint::Malformed;
pub use watch::{
    EARLY_ALARM, Minute, PROBABLY_OVER, Rule, SURELY_OVER, Sight, Watch, Whole, window_of,
};

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
