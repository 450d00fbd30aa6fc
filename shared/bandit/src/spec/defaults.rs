//! What holds where a file says nothing, in one place: the reader fills these in, the writer leaves them out.

use crate::experiment::{Millis, Share};
use crate::spec::model::{
    BetaPrior, BurnIn, DecisionPreset, DecisionSpec, GuardrailCheck, OutcomeSpec, PolicyKind,
    PolicySpec, PosteriorKind,
};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A share that is known to be one.
fn share(value: f64) -> Share {
    Share::new(value).expect("the constants of this file are shares")
}

/// Participants in the holdback lane: the unbiased yardstick, at a price of one unit in twenty.
pub fn holdback() -> Share {
    share(0.05)
}

/// The attribution window: a day, as in the brief.
pub const WINDOW: Millis = Millis(DAY);

/// How long late arrivals are waited for: a twenty-fourth of the window, at most an hour.
pub fn grace(window: Millis) -> Millis {
    Millis((window.0 / 24).min(HOUR))
}

/// Events of one unit that are looked at: a bot that sends more gains nothing.
pub const MAX_EVENTS_PER_UNIT: u32 = 100;

/// A learning policy's least probability per arm: importance weights stay below 100 (STATS 1.6, 3.4).
/// A fixed split keeps its weights as they are declared.
pub fn floor(kind: &PolicyKind) -> Share {
    match kind {
        PolicyKind::Fixed => Share::NONE,
        PolicyKind::Thompson
        | PolicyKind::TopTwoThompson { .. }
        | PolicyKind::EpsilonGreedy { .. }
        | PolicyKind::Ucb1
        | PolicyKind::Ucb1Tuned
        | PolicyKind::KlUcb => share(0.01),
    }
}

/// The uniform prior (STATS 1.1).
pub const PRIOR: BetaPrior = BetaPrior {
    alpha: 1.0,
    beta: 1.0,
};

/// An even split for the first hour and the first 100 outcomes of every arm: with fewer, the first lucky arm
/// takes the traffic and the others take weeks to be heard again.
pub const BURN_IN: BurnIn = BurnIn {
    for_: Millis(HOUR),
    exposures_per_arm: 100,
    rewards_per_arm: 100,
};

/// The least time between two policy versions: seconds from a conversion to a changed split, and no more
/// than a version each five seconds to keep.
pub const PUBLISH_EVERY: Millis = Millis(5_000);

/// The share of top-two Thompson sampling's first choice (Russo 2016).
pub fn top_two_beta() -> Share {
    share(0.5)
}

/// The share of exploration of epsilon-greedy.
pub fn epsilon() -> Share {
    share(0.1)
}

/// Rates have Beta posteriors; the means of scaled rewards, which vary less than a coin, have Student-t ones
/// (STATS 1.2).
pub fn posterior(outcome: &OutcomeSpec) -> PosteriorKind {
    match outcome {
        OutcomeSpec::Binary { .. } => PosteriorKind::Beta,
        OutcomeSpec::Scaled { .. } => PosteriorKind::StudentT,
    }
}

/// A policy of which the file says only the kind, for rewards that are 0 or 1.
pub fn policy(kind: PolicyKind) -> PolicySpec {
    PolicySpec {
        floor: floor(&kind),
        kind,
        control_floor: None,
        max_weight: None,
        posterior: PosteriorKind::Beta,
        prior: PRIOR,
        burn_in: BURN_IN,
        publish_every: PUBLISH_EVERY,
        memory: None,
    }
}

/// The same for rewards with this outcome.
pub fn policy_for(kind: PolicyKind, outcome: &OutcomeSpec) -> PolicySpec {
    PolicySpec {
        posterior: posterior(outcome),
        ..policy(kind)
    }
}

/// How much of the recent past a guardrail looks at.
pub const GUARDRAIL_WINDOW: Millis = Millis(5 * MINUTE);

/// Fails in a row that act: one glitch is none.
pub const GUARDRAIL_BREACHES: u32 = 2;

/// Fewer samples are `unknown`: below a hundred, one bad unit is a percent.
pub const GUARDRAIL_MIN_SAMPLES: u64 = 100;

/// How often a guardrail is judged.
pub const GUARDRAIL_CADENCE: Millis = Millis(30_000);

/// The same, for specs of before there was a choice.
pub(crate) fn guardrail_cadence() -> Millis {
    GUARDRAIL_CADENCE
}

/// How long missing data is `unknown` before `on_no_data` speaks.
pub const GUARDRAIL_GRACE: Millis = Millis(10 * MINUTE);

/// The quantile of a latency guardrail.
pub fn latency_quantile() -> Share {
    share(0.95)
}

/// The p-value below which observed shares disagree with the allocation (STATS 8, gate G3).
pub fn srm_p_value() -> Share {
    share(0.001)
}

/// What a guardrail is called if the file does not say.
pub fn guardrail_name(check: &GuardrailCheck) -> &'static str {
    check.kind()
}

/// A decision section of which the file says only the preset.
pub fn decision(preset: DecisionPreset) -> DecisionSpec {
    let (min_runtime, min_samples) = match preset {
        // Whole weeks and 1,000 outcomes per arm (STATS 8, gates G1 and G2).
        DecisionPreset::Standard | DecisionPreset::Strict => (Millis(7 * DAY), 1_000),
        // The brief's rule: 100 samples, whenever they come.
        DecisionPreset::FailFast => (Millis(0), 100),
    };
    DecisionSpec {
        preset,
        min_runtime,
        min_samples,
        max_runtime: None,
        min_effect: Share::NONE,
        auto: Vec::new(),
    }
}
