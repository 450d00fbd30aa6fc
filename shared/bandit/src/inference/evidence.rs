//! What can be said of a lane's arms at any look: weighted estimates, confidence sequences, mismatch and drift.

use super::aipw::{Aipw, Weighting};
use super::asymptotic::{TUNED_FOR, Walk};
use super::bounded;
use super::drift::{Drift, drift};
use super::estimate::{Estimate, Interval};
use super::period::{Period, arm_count};
use super::srm::{self, ChiSquare, Sequential};
use super::weighted::pooled;

/// Sequences miss the truth ever with a probability of at most one in twenty.
pub const ALPHA: f64 = 0.05;

/// From so many resolved units on, an arm's scores are near enough to normal for the asymptotic sequences; before,
/// only exact ones are given.
pub const ENOUGH: u64 = 100;

/// What the exact sequences are tuned for: propensities down to this. Any number keeps them valid.
const USUAL_FLOOR: f64 = 0.01;

/// What can be said of a lane.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Each arm, in the order of the periods.
    pub arms: Vec<ArmEvidence>,
    /// Whether the arms got the units that their probabilities promised: at one look.
    pub mismatch: ChiSquare,
    /// The same at every look.
    pub mismatch_at_any_look: Sequential,
    /// How rates changed over time.
    pub drift: Drift,
}

/// What can be said of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmEvidence {
    /// Its weighted mean reward, by uniform AIPW; `None` before its first resolved unit.
    pub estimate: Option<Estimate>,
    /// Where its mean reward is, at every look; within `0..=1`. Exact below [`ENOUGH`] units, asymptotic from there.
    pub sequence: Option<Interval>,
    /// Against the control; `None` for the control, and until both have [`ENOUGH`] units.
    pub contrast: Option<Contrast>,
}

/// How far an arm is from the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrast {
    /// Its weighted mean reward minus the control's.
    pub estimate: Estimate,
    /// Where the difference is, at every look.
    pub sequence: Interval,
    /// Of "there is no difference", sequential: this look's. A difference is proven below [`ALPHA`], whenever that is.
    pub p_value: f64,
}

/// Reads the periods of a lane. `control` is the control's place in them; `first_guess` is what a mean reward is
/// thought to be before there are any, such as 0 for rates of a few percent.
pub fn evidence(periods: &[Period], control: usize, first_guess: f64) -> Evidence {
    let aipw = Aipw::new(periods, Weighting::Uniform, first_guess);
    let units: Vec<u64> = (0..arm_count(periods))
        .map(|arm| pooled(periods, arm).n)
        .collect();
    let enough = |arm: usize| units.get(arm).is_some_and(|n| *n >= ENOUGH);
    let arms = (0..units.len())
        .map(|arm| ArmEvidence {
            estimate: aipw.estimate(arm).filter(|_| units[arm] > 0),
            sequence: match units[arm] {
                0 => None,
                1..ENOUGH => Some(bounded::mean(periods, arm, ALPHA, USUAL_FLOOR)),
                _ => aipw.walk(arm).map(|walk| {
                    walk.sequence(ALPHA, TUNED_FOR)
                        .intersect(&Interval::REWARDS)
                }),
            },
            contrast: (arm != control && enough(arm) && enough(control))
                .then(|| contrast(&aipw, arm, control))
                .flatten(),
        })
        .collect();
    Evidence {
        arms,
        mismatch: srm::changing_split(periods),
        mismatch_at_any_look: srm::sequential(periods, srm::CAUTION),
        drift: drift(periods),
    }
}

fn contrast(aipw: &Aipw, arm: usize, control: usize) -> Option<Contrast> {
    let estimate = aipw.contrast(arm, control)?;
    let walk: Walk = aipw.contrast_walk(arm, control)?;
    Some(Contrast {
        estimate,
        sequence: walk.sequence(ALPHA, TUNED_FOR),
        p_value: walk.p_value(ALPHA, TUNED_FOR),
    })
}
