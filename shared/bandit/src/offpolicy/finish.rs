//! The estimators, from the sums of a whole log.

use super::estimate::{Estimate, Evaluation, Weights};
use super::evaluator::{ArmSums, Bounds, Evaluator};
use super::gate::gates;
use super::outcome::{Model, Outcomes, Parts};
use super::sums::{Sums, Term, TermMoments};

/// Which of an arm's sums an estimator looks at.
type Pick = fn(&ArmSums) -> &Sums;

const LOGGED: Term = Term {
    constant: 0.0,
    w: 0.0,
    r: 1.0,
    wr: 0.0,
};

const WEIGHTED: Term = Term {
    constant: 0.0,
    w: 0.0,
    r: 0.0,
    wr: 1.0,
};

/// Everything that is computed from the finished sums.
struct Whole<'a> {
    evaluator: &'a Evaluator,
    parts: Vec<Vec<Parts>>,
}

pub(super) fn finish(evaluator: &Evaluator) -> Evaluation {
    let model = match &evaluator.settings.outcomes {
        Outcomes::LeaveOneOut => Model::LeaveOneOut(&evaluator.counts),
        Outcomes::Given(predictions) => Model::Given(predictions),
    };
    let parts = evaluator
        .segments
        .iter()
        .map(|segment| model.parts(segment));
    let whole = Whole {
        evaluator,
        parts: parts.collect(),
    };
    whole.evaluation()
}

impl Whole<'_> {
    fn evaluation(&self) -> Evaluation {
        let plain: Pick = |arm| &arm.plain;
        let weights = self.weights();
        let dr = |pick: Pick| self.moments(pick, Parts::whole);
        let difference = self.moments(plain, |parts| {
            let whole = parts.whole();
            Term {
                r: whole.r - 1.0,
                ..whole
            }
        });
        Evaluation {
            rows: self.evaluator.rows,
            logged: self.logged(),
            ips: self.mean(self.moments(plain, |_| WEIGHTED), |bounds, value| {
                bounds.ips.interval(value)
            }),
            ips_clipped: unbounded(self.moments(|arm| &arm.clipped, |_| WEIGHTED)),
            snips: self.snips(),
            dm: Estimate::of_model(self.direct()),
            dr: self.mean(dr(plain), |bounds, value| bounds.dr.interval(value)),
            sndr: self.sndr(),
            switch_dr: unbounded(dr(|arm| &arm.switched)),
            dr_shrunk: unbounded(dr(|arm| &arm.shrunk)),
            difference: self.mean(difference, |bounds, value| {
                bounds.difference.interval(value)
            }),
            gates: gates(self.evaluator.rows, &weights),
            weights,
        }
    }

    /// The moments of a term over all rows.
    fn moments(&self, pick: Pick, term: impl Fn(Parts) -> Term) -> TermMoments {
        let segments = self.evaluator.totals.iter().zip(&self.parts);
        let arms = segments.flat_map(|(sums, parts)| sums.iter().zip(parts));
        TermMoments::of(arms.map(|(sums, parts)| (term(*parts), pick(sums))))
    }

    fn total(&self, of: fn(&Sums) -> f64) -> f64 {
        let arms = self.evaluator.totals.iter().flatten();
        arms.map(|arm| of(&arm.plain)).sum()
    }

    fn mean(&self, moments: TermMoments, interval: fn(&Bounds, f64) -> (f64, f64)) -> Estimate {
        let value = moments.mean();
        let bounds = self.evaluator.bounds.as_ref();
        let interval = bounds.map(|bounds| interval(bounds, value));
        Estimate::new(value, moments.standard_error(), interval)
    }

    fn logged(&self) -> Estimate {
        let moments = self.moments(|arm| &arm.plain, |_| LOGGED);
        Estimate::of_rewards(moments, self.evaluator.settings.rewards)
    }

    /// `V = sum(w r) / sum(w)`, `se^2 = sum(w^2 (r - V)^2) / (sum w)^2` (STATS 9.3).
    fn snips(&self) -> Estimate {
        let weights = self.total(|sums| sums.w);
        if weights <= 0.0 {
            return Estimate::of_model(0.0);
        }
        let value = self.total(|sums| sums.wr) / weights;
        let residual = Term {
            w: -value,
            wr: 1.0,
            ..Term::default()
        };
        let squares = self.moments(|arm| &arm.plain, |_| residual).squares;
        let bounds = self.evaluator.bounds.as_ref();
        let interval = bounds.map(|bounds| bounds.snips.interval(value));
        Estimate::new(value, squares.max(0.0).sqrt() / weights, interval)
    }

    /// `mean_t sum_a pi(a) q(a)`, with every row in the model.
    fn direct(&self) -> f64 {
        let segments = self.evaluator.segments.iter();
        let per_segment = segments.zip(&self.parts).zip(&self.evaluator.totals);
        let sum: f64 = per_segment
            .map(|((segment, parts), sums)| {
                let rows: f64 = sums.iter().map(|arm| arm.plain.n).sum();
                let pairs = segment.target.iter().zip(parts);
                rows * pairs.map(|(target, parts)| target * parts.arm).sum::<f64>()
            })
            .sum();
        sum / (self.evaluator.rows as f64).max(1.0)
    }

    /// The doubly robust estimate with weights that are divided by their mean; the standard error by the delta method.
    fn sndr(&self) -> Estimate {
        let plain: Pick = |arm| &arm.plain;
        let policy = self.moments(plain, |parts| parts.policy);
        let weights = self.total(|sums| sums.w);
        if weights <= 0.0 {
            return Estimate::of_model(policy.mean());
        }
        let correction = self.moments(plain, |parts| parts.residual).sum / weights;
        let mean_weight = weights / policy.n.max(1.0);
        let influence = self.moments(
            plain,
            |Parts {
                 policy, residual, ..
             }| Term {
                constant: policy.constant,
                w: (residual.w - correction) / mean_weight,
                r: policy.r,
                wr: residual.wr / mean_weight,
            },
        );
        Estimate::new(policy.mean() + correction, influence.standard_error(), None)
    }

    fn weights(&self) -> Weights {
        let (rows, w, ww) = (
            self.total(|sums| sums.n),
            self.total(|sums| sums.w),
            self.total(|sums| sums.ww),
        );
        let mean = w / rows.max(1.0);
        let variance = (ww - w * mean).max(0.0) / (rows - 1.0).max(1.0);
        let greatest = self.evaluator.greatest_weight;
        Weights {
            mean,
            sd: variance.sqrt(),
            max: greatest,
            effective_rows: ratio(w * w, ww),
            effective_rewards: ratio(
                self.total(|sums| sums.wr).powi(2),
                self.total(|sums| sums.wwrr),
            ),
            greatest_share: ratio(greatest, w),
            unsupported: self.unsupported() / rows.max(1.0),
        }
    }

    /// Rows times the probability of arms that were never tried where they came.
    fn unsupported(&self) -> f64 {
        let segments = self.evaluator.segments.iter();
        let missing = segments.zip(&self.evaluator.totals).map(|(segment, sums)| {
            let rows: f64 = sums.iter().map(|arm| arm.plain.n).sum();
            let pairs = segment.target.iter().zip(&segment.least_propensity);
            let untried = pairs.filter(|(_, least)| **least <= 0.0);
            rows * untried.map(|(target, _)| target).sum::<f64>()
        });
        missing.sum()
    }
}

fn unbounded(moments: TermMoments) -> Estimate {
    Estimate::new(moments.mean(), moments.standard_error(), None)
}

/// 0 of nothing.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
