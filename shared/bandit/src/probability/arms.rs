//! The posteriors of one question as densities on one axis.

use super::QuadratureError;
use super::line::Line;
use super::logit_beta::LogitBeta;
use crate::posterior::{BetaPosterior, NormalPosterior, Posterior, StudentTPosterior};

/// Arms that can be compared.
pub(super) enum Arms {
    /// Rates, on the logit scale.
    Rates(Vec<LogitBeta>),
    /// Means of rewards, on an axis whose origin is the centre of the narrowest arm and whose unit its scale: so that
    /// rounding does not depend on where the rewards lie and how they are measured.
    Means {
        arms: Vec<Line>,
        /// The axis' unit, in reward.
        unit: f64,
    },
}

impl Arms {
    /// Refuses what is no posterior, what has no expectation, and rates among means.
    pub(super) fn new(posteriors: &[Posterior]) -> Result<Self, QuadratureError> {
        let rates: Vec<Option<LogitBeta>> =
            posteriors.iter().map(rate).collect::<Result<_, _>>()?;
        let means: Vec<Option<Mean>> = posteriors.iter().map(mean).collect::<Result<_, _>>()?;
        if rates.iter().all(Option::is_some) {
            return Ok(Self::Rates(rates.into_iter().flatten().collect()));
        }
        let other = |odd: &Posterior| {
            matches!(odd, Posterior::Beta(_)) != matches!(posteriors[0], Posterior::Beta(_))
        };
        if let Some(odd) = posteriors.iter().find(|it| other(it)) {
            return Err(QuadratureError::Mixed(posteriors[0], *odd));
        }
        Ok(on_one_axis(
            &means.into_iter().flatten().collect::<Vec<_>>(),
        ))
    }
}

/// A standard density, where it is and how wide.
#[derive(Clone, Copy)]
struct Mean {
    standard: Line,
    location: f64,
    scale: f64,
}

fn rate(posterior: &Posterior) -> Result<Option<LogitBeta>, QuadratureError> {
    let Posterior::Beta(BetaPosterior { alpha, beta }) = *posterior else {
        return Ok(None);
    };
    LogitBeta::new(alpha, beta)
        .map(Some)
        .ok_or(QuadratureError::Posterior(*posterior))
}

fn mean(posterior: &Posterior) -> Result<Option<Mean>, QuadratureError> {
    match *posterior {
        Posterior::Beta(_) => Ok(None),
        Posterior::Normal(NormalPosterior { mean, sd }) => {
            let mean = Mean {
                standard: Line::standard_normal(),
                location: mean,
                scale: sd,
            };
            of_valid(posterior, mean).map(Some)
        }
        Posterior::StudentT(StudentTPosterior {
            df,
            location,
            scale,
        }) => {
            let mean = Mean {
                standard: Line::standard_t(df),
                location,
                scale,
            };
            of_valid(posterior, mean)?;
            if df > 1.0 {
                return Ok(Some(mean));
            }
            Err(QuadratureError::NoExpectation(*posterior))
        }
    }
}

fn of_valid(posterior: &Posterior, mean: Mean) -> Result<Mean, QuadratureError> {
    if posterior.is_valid() {
        return Ok(mean);
    }
    Err(QuadratureError::Posterior(*posterior))
}

fn on_one_axis(means: &[Mean]) -> Arms {
    let narrowest = means.iter().min_by(|a, b| a.scale.total_cmp(&b.scale));
    let (origin, unit) = narrowest.map_or((0.0, 1.0), |it| (it.location, it.scale));
    let moved = |it: &Mean| {
        it.standard
            .moved((it.location - origin) / unit, it.scale / unit)
    };
    Arms::Means {
        arms: means.iter().map(moved).collect(),
        unit,
    }
}
