//! Gates: when a log cannot tell what a policy would have earned, whatever number comes out (STATS 9.5).

use super::estimate::Weights;
use crate::plan::numbers;

/// Fewer effective rows than this tell nothing.
const LEAST_EFFECTIVE_ROWS: f64 = 100.0;

/// Nor does less than one effective row in a hundred.
const LEAST_EFFECTIVE_SHARE: f64 = 0.01;

/// The weights' mean is 1 in expectation; further away than so many standard errors, the propensities are wrong.
const GREATEST_MEAN_ERRORS: f64 = 3.0;

/// Above this part of all weight, one row decides.
const REFUSED_SHARE: f64 = 0.05;

/// Above this part of all weight, one row speaks loudly.
const LOUD_SHARE: f64 = 0.01;

/// With fewer effective rewards a weighted mean is far from normal, and the normal interval is too short. A rule of thumb.
const LEAST_EFFECTIVE_REWARDS: f64 = 20.0;

/// Probability on arms that the log never tried: above this the value is mostly a guess about them.
const REFUSED_UNSUPPORTED: f64 = 0.01;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Pass,
    /// The value stands, with the remark.
    Warn,
    /// The value must not be used.
    Refuse,
}

impl Level {
    /// The word on screens and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        }
    }
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateKind {
    /// The log tried what the policy would do.
    Support,
    /// Enough rows count.
    EffectiveRows,
    /// The weights are about 1 on average.
    MeanWeight,
    /// No single row decides.
    GreatestWeight,
    /// Enough rewards count.
    EffectiveRewards,
}

impl GateKind {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::EffectiveRows => "effective_rows",
            Self::MeanWeight => "mean_weight",
            Self::GreatestWeight => "greatest_weight",
            Self::EffectiveRewards => "effective_rewards",
        }
    }
}

/// One check and what came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    kind: GateKind,
    level: Level,
    sentence: String,
}

impl Gate {
    /// What was checked.
    pub fn kind(&self) -> GateKind {
        self.kind
    }

    /// How bad it is.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What was found, in words.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

/// All gates, for `rows` rows.
pub(super) fn gates(rows: u64, weights: &Weights) -> Vec<Gate> {
    vec![
        support(weights.unsupported),
        effective_rows(rows as f64, weights.effective_rows),
        mean_weight(rows as f64, weights),
        greatest_weight(weights),
        effective_rewards(weights.effective_rewards),
    ]
}

fn support(unsupported: f64) -> Gate {
    // Rounding of a sum of probabilities is no missing arm.
    if unsupported < 1e-9 {
        let sentence = "the log tried every arm that the policy would use".to_owned();
        return gate(GateKind::Support, Level::Pass, sentence);
    }
    let level = above(unsupported, REFUSED_UNSUPPORTED, 0.0);
    let percent = unsupported * 100.0;
    let sentence =
        format!("the policy would use arms that the log never tried, {percent:.2}% of the time");
    gate(GateKind::Support, level, sentence)
}

fn effective_rows(rows: f64, effective: f64) -> Gate {
    let least = LEAST_EFFECTIVE_ROWS.max(LEAST_EFFECTIVE_SHARE * rows);
    let level = if effective < least {
        Level::Refuse
    } else {
        Level::Pass
    };
    let needed = match level {
        Level::Refuse => format!(": at least {} are needed", count(least.ceil())),
        _ => String::new(),
    };
    let (effective, rows) = (count(effective), count(rows));
    let sentence = format!("{effective} effective of {rows} rows{needed}");
    gate(GateKind::EffectiveRows, level, sentence)
}

fn mean_weight(rows: f64, weights: &Weights) -> Gate {
    let error = weights.sd / rows.max(1.0).sqrt();
    // Rounding must not refuse weights that are all 1.
    let far = (weights.mean - 1.0).abs() > GREATEST_MEAN_ERRORS * error + 1e-9;
    let (level, verdict) = if far {
        (Level::Refuse, "the propensities do not fit the log")
    } else {
        (Level::Pass, "1 up to chance, as it must be")
    };
    let sentence = format!("the mean weight is {:.3}: {verdict}", weights.mean);
    gate(GateKind::MeanWeight, level, sentence)
}

fn greatest_weight(weights: &Weights) -> Gate {
    let level = above(weights.greatest_share, REFUSED_SHARE, LOUD_SHARE);
    let percent = weights.greatest_share * 100.0;
    let verdict = match level {
        Level::Pass => "",
        Level::Warn => ": a single row speaks loudly",
        Level::Refuse => ": a single row decides",
    };
    let sentence = format!(
        "the greatest weight is {:.1}, {percent:.2}% of all{verdict}",
        weights.max
    );
    gate(GateKind::GreatestWeight, level, sentence)
}

fn effective_rewards(effective: f64) -> Gate {
    let (level, verdict) = if effective < LEAST_EFFECTIVE_REWARDS {
        (
            Level::Warn,
            ": too few for the standard errors, read the intervals",
        )
    } else {
        (Level::Pass, "")
    };
    let sentence = format!("{} effective rewards{verdict}", count(effective));
    gate(GateKind::EffectiveRewards, level, sentence)
}

/// The whole number with commas.
fn count(number: f64) -> String {
    numbers::count(number.round() as u64)
}

fn above(value: f64, refused: f64, loud: f64) -> Level {
    if value > refused {
        Level::Refuse
    } else if value > loud {
        Level::Warn
    } else {
        Level::Pass
    }
}

fn gate(kind: GateKind, level: Level, sentence: String) -> Gate {
    Gate {
        kind,
        level,
        sentence,
    }
}
