//! How long outcomes take to become known, from units whose window has closed.

use std::collections::BTreeMap;

use crate::experiment::{ArmId, Millis};

/// Ages and delays are told apart in this many classes.
///
/// Their bounds are `closes_after * (i / 64)^2`: 21 s wide at the beginning of a day, where conversions crowd, and
/// 45 min at its end.
pub const CLASSES: usize = 64;

/// Fewer conversions do not tell how long one takes (STATS 4).
pub const LEAST_CONVERSIONS: u64 = 200;

/// The chance that arms whose delays do not differ are taken apart, all arms together (STATS 4).
pub const APART_AT: f64 = 0.01;

/// The class of an age or delay; [`CLASSES`] when `closes_after` has passed.
pub fn class_of(age: Millis, closes_after: Millis) -> usize {
    if age >= closes_after {
        return CLASSES;
    }
    let share = age.0 as f64 / closes_after.0 as f64;
    ((share.sqrt() * CLASSES as f64) as usize).min(CLASSES - 1)
}

/// One arm's units in flight, counted by the class of their age. The last count is of those whose window is over and
/// has not been closed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ages(pub [u64; CLASSES + 1]);

impl Default for Ages {
    fn default() -> Self {
        Self([0; CLASSES + 1])
    }
}

impl Ages {
    /// All units.
    pub fn units(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// When the outcomes of one arm's closed units became known, by the class of the delay after the exposure.
#[derive(Debug, Clone, PartialEq)]
pub struct Delays {
    /// Units whose first change of outcome came in this class.
    pub arrived: [u64; CLASSES],
    /// The sum of all changes of outcome that came in this class, away from silence positive, as shares.
    pub gained: [f64; CLASSES],
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            arrived: [0; CLASSES],
            gained: [0.0; CLASSES],
        }
    }
}

impl Delays {
    /// Units whose outcome changed at all.
    pub fn conversions(&self) -> u64 {
        self.arrived.iter().sum()
    }

    fn add(&mut self, other: &Self) {
        for class in 0..CLASSES {
            self.arrived[class] += other.arrived[class];
            self.gained[class] += other.gained[class];
        }
    }

    /// `None` where too few conversions tell, or refunds took all of them back.
    fn curve(&self) -> Option<Curve> {
        let total: f64 = self.gained.iter().sum();
        if self.conversions() < LEAST_CONVERSIONS || total <= 0.0 {
            return None;
        }
        let mut known = [1.0; CLASSES + 1];
        let mut before = 0.0;
        for (class, gained) in self.gained.iter().enumerate() {
            let after = before + gained / total;
            // Ages are spread over their class: the mean of its ends.
            known[class] = f64::midpoint(before, after).max(0.0);
            before = after;
        }
        Some(Curve(known))
    }
}

/// The share of a unit's final outcome that is known at its age, G of STATS 4, by class.
///
/// Where events revoke successes it may be above 1: of what looks like a success, some will be taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve(pub(super) [f64; CLASSES + 1]);

impl Curve {
    /// From the shares at each class of age, each at least 0; the last one is of units whose window is over.
    pub fn new(known: [f64; CLASSES + 1]) -> Option<Self> {
        let valid = known.iter().all(|share| share.is_finite() && *share >= 0.0);
        valid.then_some(Self(known))
    }

    /// The share that is known at a class of age.
    pub fn known(&self, class: usize) -> f64 {
        self.0[class.min(CLASSES)]
    }
}

/// Each arm's curve: the same for all where their delays do not differ, each one's own where they do, and none where
/// there are too few conversions; such an arm learns from its matured units alone.
pub fn curves(by_arm: &BTreeMap<ArmId, Delays>) -> BTreeMap<ArmId, Option<Curve>> {
    let mut pooled = Delays::default();
    for delays in by_arm.values() {
        pooled.add(delays);
    }
    if differ(by_arm) {
        return by_arm
            .iter()
            .map(|(arm, delays)| (*arm, delays.curve()))
            .collect();
    }
    let curve = pooled.curve();
    by_arm.keys().map(|arm| (*arm, curve.clone())).collect()
}

/// Whether some arm's delays differ from those of the others together, by the two-sample Kolmogorov-Smirnov test.
/// The level is divided by the number of arms (Bonferroni).
fn differ(by_arm: &BTreeMap<ArmId, Delays>) -> bool {
    let level = APART_AT / by_arm.len().max(1) as f64;
    by_arm.keys().any(|one| {
        let mut others = Delays::default();
        for (arm, delays) in by_arm {
            if arm != one {
                others.add(delays);
            }
        }
        ks_p_value(&by_arm[one].arrived, &others.arrived) < level
    })
}

/// The p-value of the two-sample Kolmogorov-Smirnov test on counts by class; 1 where a sample is empty.
///
/// Asymptotic, with the correction of Stephens (1970) for small samples. Classes make ties, and ties make it larger:
/// it errs towards calling delays the same.
pub fn ks_p_value(one: &[u64; CLASSES], other: &[u64; CLASSES]) -> f64 {
    let (n, m) = (
        one.iter().sum::<u64>() as f64,
        other.iter().sum::<u64>() as f64,
    );
    if n == 0.0 || m == 0.0 {
        return 1.0;
    }
    let (mut below, mut below_other, mut distance) = (0, 0, 0.0_f64);
    for (here, there) in one.iter().zip(other) {
        below += here;
        below_other += there;
        distance = distance.max((below as f64 / n - below_other as f64 / m).abs());
    }
    let root = (n * m / (n + m)).sqrt();
    kolmogorov_tail((root + 0.12 + 0.11 / root) * distance)
}

/// `2 sum (-1)^(j-1) exp(-2 j^2 x^2)`, the upper tail of Kolmogorov's distribution.
fn kolmogorov_tail(x: f64) -> f64 {
    // Below this the tail is 1 to 1e-6, and the series would need many terms.
    if x < 0.3 {
        return 1.0;
    }
    let terms = (1..=40).map(|j| {
        let j = f64::from(j);
        let sign = if j % 2.0 == 0.0 { -2.0 } else { 2.0 };
        sign * (-2.0 * j * j * x * x).exp()
    });
    terms.sum::<f64>().clamp(0.0, 1.0)
}
