//! The pass over a log: rows in, sums kept, an evaluation out.

use super::bernstein::Bernstein;
use super::estimate::{Evaluation, RewardRange};
use super::finish::finish;
use super::outcome::{Counts, Model, Outcomes, Parts};
use super::row::{InvalidRow, Row};
use super::sums::{Sums, Term, TermMoments};
use super::survey::Survey;
use super::target::Target;

/// Rows over which one vector of probabilities is in question: a cell, or a policy version.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Whose outcome model applies; several segments may share one.
    pub cell: usize,
    /// The policy in question: one probability per arm.
    pub target: Vec<f64>,
    /// The least propensity that an arm can have here, one per arm; 0 for an arm that was never tried.
    pub least_propensity: Vec<f64>,
}

/// How to evaluate.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where rewards can lie; without it no interval is safe and only the normal ones are given.
    pub rewards: Option<RewardRange>,
    /// How many rows there will be, about: the bets of the intervals are best for that many.
    pub planned_rows: u64,
    /// Where weights are clipped, shrunk, or left to the model.
    pub tuning: f64,
    /// The predictions of the doubly robust estimators.
    pub outcomes: Outcomes,
}

impl Settings {
    /// The usual tuning: a weight of 10 is where one row begins to count as much as ten.
    pub const TUNING: f64 = 10.0;

    /// For a surveyed log, with predictions of its own.
    pub fn of(survey: &Survey) -> Self {
        Self {
            rewards: survey.reward_range(),
            planned_rows: survey.rows(),
            tuning: Self::TUNING,
            outcomes: Outcomes::LeaveOneOut,
        }
    }
}

/// The sums of one arm in one segment, by what is done to the weights.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct ArmSums {
    pub plain: Sums,
    pub clipped: Sums,
    pub switched: Sums,
    pub shrunk: Sums,
}

/// The intervals on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bounds {
    pub ips: Bernstein,
    pub snips: Bernstein,
    pub dr: Bernstein,
    pub difference: Bernstein,
}

/// Evaluates a policy on rows that come one by one, in memory that depends on the segments and arms alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluator {
    pub(super) settings: Settings,
    pub(super) segments: Vec<Segment>,
    pub(super) totals: Vec<Vec<ArmSums>>,
    pub(super) counts: Counts,
    pub(super) bounds: Option<Bounds>,
    pub(super) rows: u64,
    pub(super) greatest_weight: f64,
    batch: Vec<Vec<Sums>>,
    /// The segments that the batch has rows of.
    touched: Vec<usize>,
    batch_rows: u64,
    weighted: Weighted,
}

/// What the self-normalised estimate was before the batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Weighted {
    weights: f64,
    rewards: f64,
}

/// An interval's bets are settled anew after so many rows, or a sixteenth of what was seen: often enough to follow, and
/// rare enough to cost nothing.
const BATCH: std::ops::RangeInclusive<u64> = 16..=1024;

impl Evaluator {
    /// For rows of these segments.
    pub fn new(settings: Settings, segments: Vec<Segment>) -> Self {
        let planned = settings.planned_rows as f64;
        let bounds = settings.rewards.map(|range| {
            let width = range.max - range.min;
            let difference = RewardRange {
                min: -width,
                max: width,
            };
            let of_value = Bernstein::new(range, planned);
            Bounds {
                ips: of_value.clone(),
                snips: of_value.clone(),
                dr: of_value,
                difference: Bernstein::new(difference, planned),
            }
        });
        let arms = |segment: &Segment| segment.target.len();
        Self {
            settings,
            totals: segments
                .iter()
                .map(|segment| vec![ArmSums::default(); arms(segment)])
                .collect(),
            batch: segments
                .iter()
                .map(|segment| vec![Sums::default(); arms(segment)])
                .collect(),
            segments,
            counts: Counts::default(),
            bounds,
            rows: 0,
            greatest_weight: 0.0,
            touched: Vec::new(),
            batch_rows: 0,
            weighted: Weighted::default(),
        }
    }

    /// Take one row in; its cell is the number of its segment.
    pub fn add(&mut self, row: &Row) -> Result<(), InvalidRow> {
        let reward = row.reward();
        if let Some(range) = self.settings.rewards
            && !(range.min..=range.max).contains(&reward)
        {
            return Err(InvalidRow::OutOfRange(reward));
        }
        let (segment, arm, propensity) = (row.cell(), row.arm(), row.propensity());
        self.add_many(segment, arm, propensity, (1, reward, reward * reward))?;
        let due = (self.rows / 16).clamp(*BATCH.start(), *BATCH.end());
        if self.batch_rows >= due {
            self.close_batch();
        }
        Ok(())
    }

    /// Take in many rows of one arm with the same propensity: how many, the sum of their rewards, and of the squares.
    pub fn add_many(
        &mut self,
        segment: usize,
        arm: usize,
        propensity: f64,
        (rows, sum, sum_of_squares): (u64, f64, f64),
    ) -> Result<(), InvalidRow> {
        let unknown = InvalidRow::Unknown { cell: segment, arm };
        let declared = self.segments.get(segment).ok_or(unknown)?;
        let &target = declared.target.get(arm).ok_or(unknown)?;
        let &floor = declared.least_propensity.get(arm).ok_or(unknown)?;
        // A part in 10^9 is the rounding of a probability that was written as text.
        if propensity < floor * (1.0 - 1e-9) || floor <= 0.0 {
            return Err(InvalidRow::BelowFloor { propensity, floor });
        }
        let weight = target / propensity;
        let tuning = self.settings.tuning;
        let sums = |weight: f64| Sums::of(weight, rows as f64, sum, sum_of_squares);
        let total = &mut self.totals[segment][arm];
        total.clipped += sums(weight.min(tuning));
        total.switched += sums(if weight <= tuning { weight } else { 0.0 });
        total.shrunk += sums(tuning * weight / (weight * weight + tuning));
        self.batch[segment][arm] += sums(weight);
        if !self.touched.contains(&segment) {
            self.touched.push(segment);
        }
        if rows > 0 {
            self.greatest_weight = self.greatest_weight.max(weight);
        }
        self.rows += rows;
        self.batch_rows += rows;
        Ok(())
    }

    /// The rows up to here were drawn before the outcome of any of them was known. Rows that come one by one are cut into
    /// batches by themselves; counts end theirs with their policy version.
    pub fn close_batch(&mut self) {
        if let Some(mut bounds) = self.bounds.take() {
            self.bet(&mut bounds);
            self.bounds = Some(bounds);
        }
        for segment in std::mem::take(&mut self.touched) {
            let cell = self.segments[segment].cell;
            for (arm, slot) in self.batch[segment].iter_mut().enumerate() {
                let sums = std::mem::take(slot);
                self.totals[segment][arm].plain += sums;
                self.counts.add(cell, arm, sums.n, sums.r);
                self.weighted.weights += sums.w;
                self.weighted.rewards += sums.wr;
            }
        }
        self.batch_rows = 0;
    }

    /// What the rows say.
    pub fn finish(mut self) -> Evaluation {
        self.close_batch();
        finish(&self)
    }

    /// Bet on the batch, with predictions from before it.
    fn bet(&self, bounds: &mut Bounds) {
        let Some(range) = self.settings.rewards else {
            return;
        };
        let past = match &self.settings.outcomes {
            Outcomes::LeaveOneOut => Model::Past(&self.counts),
            Outcomes::Given(predictions) => Model::Given(predictions),
        };
        let level =
            (self.weighted.rewards / self.weighted.weights.max(1.0)).clamp(range.min, range.max);
        let mut ips = Bet::default();
        let mut snips = Bet::default();
        let mut dr = Bet::default();
        let mut difference = Bet::default();
        for &segment in &self.touched {
            let declared = &self.segments[segment];
            let parts = past.parts(declared);
            let sums = &self.batch[segment];
            let zero = plain(0.0);
            ips.add(declared, sums, range, |_| (zero, 0.0), 0.0);
            snips.add(declared, sums, range, |_| (plain(level), level), 0.0);
            dr.add(
                declared,
                sums,
                range,
                |arm| (parts[arm].whole(), parts[arm].arm),
                0.0,
            );
            let less_logged = |arm: usize| {
                let parts: Parts = parts[arm];
                let whole = parts.whole();
                let term = Term {
                    r: whole.r - 1.0,
                    ..whole
                };
                (term, parts.arm)
            };
            difference.add(declared, sums, range, less_logged, 1.0);
        }
        ips.place(&mut bounds.ips);
        snips.place(&mut bounds.snips);
        dr.place(&mut bounds.dr);
        difference.place(&mut bounds.difference);
    }
}

/// The term around one prediction for every arm: `q + w (r - q)`.
fn plain(prediction: f64) -> Term {
    Term {
        constant: prediction,
        w: -prediction,
        r: 0.0,
        wr: 1.0,
    }
}

/// A batch of terms and the limits they must keep.
#[derive(Debug, Default)]
struct Bet {
    terms: TermMoments,
    limits: Option<(f64, f64)>,
}

impl Bet {
    /// The terms of one segment. `of` gives an arm's term and the prediction in it; `logged` rewards are subtracted.
    fn add(
        &mut self,
        segment: &Segment,
        sums: &[Sums],
        range: RewardRange,
        of: impl Fn(usize) -> (Term, f64),
        logged: f64,
    ) {
        let mut residuals = (0.0_f64, 0.0_f64);
        let mut constant = 0.0;
        let arms = segment.target.iter().zip(&segment.least_propensity);
        for (arm, ((target, least), sums)) in arms.zip(sums).enumerate() {
            let (term, prediction) = of(arm);
            constant = term.constant;
            self.terms += TermMoments::of(std::iter::once((term, sums)));
            if *least > 0.0 {
                let weight = target / least;
                residuals.0 = residuals.0.min(weight * (range.min - prediction));
                residuals.1 = residuals.1.max(weight * (range.max - prediction));
            }
        }
        let least = constant + residuals.0 - logged * range.max;
        let greatest = constant + residuals.1 - logged * range.min;
        let (low, high) = self.limits.unwrap_or((least, greatest));
        self.limits = Some((low.min(least), high.max(greatest)));
    }

    fn place(self, bound: &mut Bernstein) {
        if let Some((least, greatest)) = self.limits {
            bound.batch(self.terms, least, greatest);
        }
    }
}

/// Evaluate `target` on rows in memory.
pub fn evaluate(rows: &[Row], target: &Target) -> Result<Evaluation, InvalidRow> {
    let mut survey = Survey::default();
    for row in rows {
        survey.add(row);
    }
    let mut evaluator = Evaluator::new(Settings::of(&survey), survey.segments(target));
    for row in rows {
        evaluator.add(row)?;
    }
    Ok(evaluator.finish())
}
