//! Simulated traffic in windows of five minutes, and the window with which a guardrail fails on it.

use bandit::guardrail::{Cusum, Limit, State, Window};
use bandit::simulate::Generator;

/// Requests in a window.
const REQUESTS: u64 = 1000;

/// How long a window is.
pub(crate) const MINUTES: u32 = 5;

/// Windows.
pub(crate) const DAY: u32 = 24 * 60 / MINUTES;

/// The window with which the guardrail fails, counted from 1; `None` if it does not.
pub(crate) fn fails_at(
    limit: Limit,
    cusum: &mut Cusum,
    generator: &mut Generator,
    rate: f64,
    windows: u32,
) -> Option<u32> {
    (1..=windows).find(|_| {
        *cusum = cusum.after(limit, window(generator, rate));
        cusum.state(limit) == State::Fail
    })
}

/// One window of requests of which each fails with this rate.
pub(crate) fn window(generator: &mut Generator, rate: f64) -> Window {
    Window::new(REQUESTS, successes(generator, REQUESTS, rate))
}

/// How many of `trials` succeed, from the gaps between successes, which are geometric.
pub(crate) fn successes(generator: &mut Generator, trials: u64, rate: f64) -> u64 {
    if rate > 0.5 {
        return trials - successes(generator, trials, 1.0 - rate);
    }
    let per_trial = -(-rate).ln_1p();
    let mut successes = 0;
    let mut at = generator.exponential() / per_trial;
    while at < trials as f64 {
        successes += 1;
        at = at.floor() + 1.0 + generator.exponential() / per_trial;
    }
    successes
}
