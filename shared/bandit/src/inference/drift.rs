//! Whether rates changed while the experiment ran, and whether the arms changed differently (STATS 10).

use serde::{Deserialize, Serialize};

use super::gamma::chi_square_tail;
use super::period::{ArmPeriod, Period, arm_count};
use super::quadratic::Covariance;
use super::srm::ChiSquare;
use super::weighted::{pooled, thick};

/// Rates of fewer units are too far from normal for a chi-square.
const LEAST: u64 = 50;

/// Parts that the least seen arm's units are cut into at most: enough to see a trend or a bad day, few enough that
/// the test does not drown it in degrees of freedom.
const MOST_PARTS: u64 = 12;

/// How rates changed over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The parts of time that were compared; periods put together until every open arm has enough units.
    pub parts: usize,
    /// Per arm: does its rate differ between the parts? `None` for an arm with units in fewer than two.
    pub arms: Vec<Option<ChiSquare>>,
    /// Do the differences between arms change? This is what makes a comparison a matter of when.
    pub interaction: ChiSquare,
}

/// Cuts time into at most twelve parts with at least 50 resolved units of every open arm, and tests each arm's rate
/// for being the same in all of them, and the arms for moving together.
///
/// The interaction is the weighted sum of squares that arm effects and part effects leave, with weights
/// `n / s²`: a chi-square with `sum (open arms - 1) - rank` degrees of freedom while rates are moderate.
pub fn drift(periods: &[Period]) -> Drift {
    let arms = arm_count(periods);
    let fewest = (0..arms)
        .map(|arm| pooled(periods, arm).n)
        .filter(|n| *n >= 2 * LEAST)
        .min()
        .unwrap_or(0);
    let parts = thick(periods, (fewest / MOST_PARTS).max(LEAST));
    let arms: Vec<Arm> = (0..arms).map(|arm| Arm::new(&parts, arm)).collect();
    Drift {
        parts: parts.len(),
        arms: arms.iter().map(Arm::own_test).collect(),
        interaction: interaction(&parts, &arms),
    }
}

/// What the parts saw of one arm.
#[derive(Debug)]
struct Arm {
    /// Per part, units over variance and the distance of its mean from the arm's; `None` where there are too few.
    parts: Vec<Option<(f64, f64)>>,
}

impl Arm {
    fn new(parts: &[Period], arm: usize) -> Self {
        let seen: Vec<Option<ArmPeriod>> = parts
            .iter()
            .map(|part| Some(part.arms[arm]).filter(|own| own.n >= LEAST))
            .collect();
        let counted = || seen.iter().flatten();
        let n: f64 = counted().map(|own| own.n as f64).sum();
        let mean = counted().map(|own| own.sum).sum::<f64>() / n.max(1.0);
        let within: f64 = counted()
            .map(|own| own.sum_sq - own.sum * own.sum / own.n as f64)
            .sum();
        let variance = within / (n - counted().count() as f64).max(1.0);
        let parts = seen
            .iter()
            .map(|own| {
                let own = (*own)?;
                (variance > 0.0).then(|| {
                    let n = own.n as f64;
                    (n / variance, own.sum / n - mean)
                })
            })
            .collect();
        Self { parts }
    }

    fn own_test(&self) -> Option<ChiSquare> {
        let counted = || self.parts.iter().flatten();
        let df = counted().count().checked_sub(1).filter(|df| *df > 0)?;
        let statistic = counted().map(|(weight, off)| weight * off * off).sum();
        Some(ChiSquare {
            statistic,
            df,
            p_value: chi_square_tail(statistic, df),
        })
    }
}

fn interaction(parts: &[Period], arms: &[Arm]) -> ChiSquare {
    let mut covariance = Covariance::zero(arms.len());
    let mut pull = vec![0.0; arms.len()];
    let (mut squares, mut contrasts) = (0.0, 0_usize);
    for part in 0..parts.len() {
        let weights: Vec<f64> = arms
            .iter()
            .map(|arm| arm.parts[part].map_or(0.0, |(weight, _)| weight))
            .collect();
        let offs: Vec<f64> = arms
            .iter()
            .map(|arm| arm.parts[part].map_or(0.0, |(_, off)| off))
            .collect();
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            continue;
        }
        let common = weights
            .iter()
            .zip(&offs)
            .map(|(w, off)| w * off)
            .sum::<f64>()
            / total;
        for (arm, (weight, off)) in weights.iter().zip(&offs).enumerate() {
            squares += weight * (off - common) * (off - common);
            pull[arm] += weight * (off - common);
        }
        contrasts += weights.iter().filter(|weight| **weight > 0.0).count() - 1;
        covariance.add_draw(1.0, &weights);
    }
    let explained = covariance.quadratic_form(&pull);
    let df = contrasts.saturating_sub(explained.rank);
    let statistic = if df > 0 {
        (squares - explained.value).max(0.0)
    } else {
        0.0
    };
    ChiSquare {
        statistic,
        df,
        p_value: chi_square_tail(statistic, df),
    }
}
