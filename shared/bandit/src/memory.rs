//! Memory: how much of the past an allocation learns from when the world moves (STATS 10).
//!
//! For allocation only. Decisions and results are about the whole experiment.

use crate::experiment::Millis;
use crate::posterior::Moments;
use crate::spec::model::Memory;

/// What was learned from units that were drawn during a span of time.
///
/// Ages are before the youngest unit that can have matured by now, not before now: nothing of a window that is
/// still open can have been learned, so a memory that is counted from now would be shorter by a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slice {
    /// The age of its beginning.
    pub oldest: Millis,
    /// The age of its end; at most `oldest`, 0 for a span that lasts.
    pub newest: Millis,
    /// Its resolved units.
    pub moments: Moments,
}

/// The sums that are remembered of `slices`, in their order.
pub fn remembered(memory: Memory, slices: &[Slice]) -> Moments {
    slices
        .iter()
        .map(|slice| slice.moments * weight(memory, slice.oldest, slice.newest))
        .sum()
}

/// The share in `0..=1` that is remembered of units spread evenly over a span.
///
/// A window remembers what lies inside it (Trovò et al. 2020, sliding-window Thompson sampling); a half-life
/// remembers `2^(-age / half-life)` of each unit (Raj and Kalyani 2017, discounted Thompson sampling), averaged over
/// the span.
pub fn weight(memory: Memory, oldest: Millis, newest: Millis) -> f64 {
    let (oldest, newest) = (oldest.0.max(newest.0) as f64, newest.0 as f64);
    match memory {
        Memory::Window(window) => {
            let window = window.0 as f64;
            if oldest <= window {
                1.0
            } else if newest >= window {
                0.0
            } else {
                (window - newest) / (oldest - newest)
            }
        }
        Memory::HalfLife(half_life) => {
            let rate = std::f64::consts::LN_2 / (half_life.0 as f64).max(1.0);
            let span = rate * (oldest - newest);
            // (1 - e^-x) / x, whose limit at 0 is 1.
            let mean = if span > 0.0 {
                -(-span).exp_m1() / span
            } else {
                1.0
            };
            mean * (-rate * newest).exp()
        }
    }
}

/// From which age on nothing is remembered to speak of: below 1e-9 of a unit.
pub fn forgotten_after(memory: Memory) -> Millis {
    match memory {
        Memory::Window(window) => window,
        Memory::HalfLife(half_life) => Millis(half_life.0.saturating_mul(30)),
    }
}
