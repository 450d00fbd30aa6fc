//! The corrected estimate: pending units count for as much as their age lets them tell.

use super::delay::CLASSES;
use super::{Ages, Curve, InFlight, Silence};
use crate::posterior::Moments;

/// Halvings of `0..1`: the last bit of any rate above 1e-5, and no end condition that rounding could miss.
const HALVINGS: usize = 70;

/// What correcting for delay makes of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corrected {
    /// What the lane learns from.
    pub learned: Moments,
    /// The estimated mean distance of an outcome from silence, in `0..=1`: of binary rewards, the conversion rate.
    pub rate: f64,
    /// Of the units in flight, the conversions that are still to come, net of what will be revoked; at least 0.
    pub to_come: f64,
}

/// Units of one class of age.
#[derive(Clone, Copy)]
struct Class {
    units: f64,
    known: f64,
    distance: f64,
}

/// The arm's rewards with its units in flight, which count in part.
///
/// With `p` the rate, `G` the share known at a unit's age and `y` its distance from silence so far, a unit is a coin
/// with chance `p G`; `p` solves the score equation `sum (y - p G) / (1 - p G) = 0`. For binary rewards that is
/// Chapelle's (2014) likelihood, `S / p = sum_unconverted G / (1 - p G)` (STATS 4), whose EM it agrees with; for
/// scaled ones it is the quasi-likelihood. The score falls in `p`, so it is halved to its root: EM finds the same one
/// and crawls where most units are young. Pending units are worth `n = p (1 - p) I` matured ones, `I` being the Fisher
/// information `sum G / (p (1 - p G))`, so each counts at most once.
///
/// Early outcomes are placed on the classes as `G` expects, because the state knows their sum and not their ages.
/// Where the ages do not add up to the units in flight, which moved on since they were read, the missing ones are the
/// youngest, and those too many were the oldest.
pub fn corrected(
    matured: &Moments,
    in_flight: &InFlight,
    ages: &Ages,
    curve: &Curve,
    silence: Silence,
) -> Corrected {
    let closed = silence.distances(matured);
    let early = silence.distances(&in_flight.early);
    let open = classes(in_flight.pending, early.sum, ages, curve);
    let matured_class = Class {
        units: closed.n,
        known: 1.0,
        distance: closed.sum,
    };
    let rate = root(&[&open[..], &[matured_class]].concat());
    let to_come: f64 = open
        .iter()
        .map(|class| class.units * rate * (1.0 - class.known))
        .sum();
    if in_flight.pending <= 0.0 {
        return Corrected {
            learned: *matured,
            rate,
            to_come: 0.0,
        };
    }
    let n = closed.n + open.iter().map(|class| worth(*class, rate)).sum::<f64>();
    let sum = rate * n;
    let square = [closed, early]
        .into_iter()
        .find(|known| known.sum > 0.0)
        .map_or(1.0, |known| (known.sum_sq / known.sum).clamp(0.0, 1.0));
    let distances = Moments {
        n,
        sum,
        sum_sq: sum * square,
    };
    Corrected {
        learned: silence.distances(&distances),
        rate,
        to_come: to_come.max(0.0),
    }
}

/// The units in flight by age, as many as there are, with the early outcomes placed where they are expected.
fn classes(pending: f64, distance: f64, ages: &Ages, curve: &Curve) -> Vec<Class> {
    let mut units: Vec<f64> = ages.0.iter().map(|count| *count as f64).collect();
    let mut too_many = units.iter().sum::<f64>() - pending;
    if too_many < 0.0 {
        units[0] -= too_many;
    }
    for count in units.iter_mut().rev() {
        let gone = too_many.clamp(0.0, *count);
        *count -= gone;
        too_many -= gone;
    }
    let expected: f64 = (0..=CLASSES).map(|at| units[at] * curve.known(at)).sum();
    let share = |at: usize| match expected {
        expected if expected > 0.0 => units[at] * curve.known(at) / expected,
        _ => units[at] / pending.max(f64::MIN_POSITIVE),
    };
    (0..=CLASSES)
        .map(|at| Class {
            units: units[at],
            known: curve.known(at),
            distance: (distance * share(at)).clamp(0.0, units[at]),
        })
        .collect()
}

/// Where the score is zero; 1 if all that is known converted.
fn root(classes: &[Class]) -> f64 {
    let most_known = classes
        .iter()
        .filter(|class| class.units > 0.0)
        .map(|class| class.known)
        .fold(1.0, f64::max);
    let score = |p: f64| -> f64 {
        classes
            .iter()
            .map(|class| (class.distance - p * class.known * class.units) / (1.0 - p * class.known))
            .sum()
    };
    let (mut low, mut high) = (0.0, 1.0 / most_known);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if score(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// How many matured units these tell as much as, at most themselves.
fn worth(class: Class, rate: f64) -> f64 {
    let known = class.known.min(1.0);
    let each = if known >= 1.0 {
        1.0
    } else {
        (1.0 - rate) * known / (1.0 - rate * known)
    };
    class.units * each
}
