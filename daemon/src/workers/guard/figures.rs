//! Figures of checks that do not count: means, comparisons, shares and silence.

use bandit::experiment::ArmId;
use bandit::guardrail::{
    Because, PROBABLY_OVER, SURELY_OVER, State, Subject, Verdict, Window, window_of,
};
use bandit::posterior::StudentTPosterior;
use bandit::spec::model::{EventMeasure, GuardrailCheck, GuardrailSpec};
use chrono::{DateTime, Utc};

use super::counts::by_minute;
use super::look::Look;
use crate::store::guardrails::Memory;
use crate::store::guards::Measured;
use crate::store::state::MINUTE_EXPOSED;

/// What a look sees of one guardrail and one subject.
pub(super) struct Figure {
    /// Where the figure itself is the verdict.
    pub(super) verdict: Option<(Verdict, Because)>,
    pub(super) state: State,
    /// It judges something that the look before had not.
    pub(super) anew: bool,
    pub(super) samples: f64,
    pub(super) value: Option<f64>,
    pub(super) statistic: Option<f64>,
    pub(super) bound: Option<f64>,
    pub(super) limit: Option<f64>,
    pub(super) window_start: DateTime<Utc>,
    pub(super) heard_at: Option<DateTime<Utc>>,
    pub(super) counted: Option<Window>,
    /// What is to be said besides.
    pub(super) note: Option<String>,
}

impl Figure {
    fn at(now: DateTime<Utc>) -> Self {
        Self {
            verdict: None,
            state: State::Insufficient,
            anew: true,
            samples: 0.0,
            value: None,
            statistic: None,
            bound: None,
            limit: None,
            window_start: now,
            heard_at: Some(now),
            counted: None,
            note: None,
        }
    }

    /// Nothing can be said, and why.
    pub(super) fn without(note: String, now: DateTime<Utc>) -> Self {
        Self {
            verdict: Some((Verdict::Unknown, Because::TooFew)),
            note: Some(note),
            ..Self::at(now)
        }
    }

    /// It is too early to say anything, and nothing that comes now is held against anybody later.
    pub(super) fn warming_up(now: DateTime<Utc>) -> Self {
        Self {
            verdict: Some((Verdict::Unknown, Because::WarmUp)),
            ..Self::at(now)
        }
    }

    /// What was said before still stands.
    fn as_before(memory: &Memory, now: DateTime<Utc>) -> Self {
        let said = &memory.said;
        Self {
            verdict: Some((said.verdict, said.because)),
            anew: false,
            samples: said.samples,
            value: said.value,
            statistic: said.statistic,
            bound: said.bound,
            limit: said.limit,
            window_start: said.window_start,
            ..Self::at(now)
        }
    }
}

pub(super) fn direct(
    look: &Look<'_>,
    spec: &GuardrailSpec,
    subject: Subject,
    memory: &Memory,
) -> Figure {
    let window = window_of(look.now, spec.window);
    let figure = match (&spec.check, subject) {
        (
            GuardrailCheck::Event {
                event,
                measure: EventMeasure::Mean,
                min,
                max,
            },
            _,
        ) => mean(look, spec, subject, (event, *min, *max), memory),
        (GuardrailCheck::RewardDrop { limit }, Subject::Arm(arm)) => {
            reward_drop(look, arm, limit.get(), memory)
        }
        (GuardrailCheck::Srm { p_value }, _) => sample_ratio(look, p_value.get(), memory),
        (GuardrailCheck::Concentration { limit }, Subject::Arm(arm)) => {
            concentration(look, spec, arm, limit.get())
        }
        (GuardrailCheck::Staleness { limit }, _) => silence(look, limit.0 as f64 / 1_000.0, memory),
        (check, _) => Figure::without(format!("{} is not measured so", check.kind()), look.now),
    };
    match (&spec.check, figure.anew) {
        // By the window that they belong to, so that a window has one verdict.
        (GuardrailCheck::Event { .. }, _) | (_, false) => figure,
        _ => Figure {
            window_start: window,
            ..figure
        },
    }
}

/// The mean of the values of the last whole window: the posterior probability that it is beyond its limit (the flat
/// prior's Student-t, which needs no bound on the values).
fn mean(
    look: &Look<'_>,
    spec: &GuardrailSpec,
    subject: Subject,
    (event, min, max): (&str, Option<f64>, Option<f64>),
    memory: &Memory,
) -> Figure {
    let until = window_of(look.now, spec.window);
    let since = until - spec.window.to_chrono();
    let minutes = by_minute(look.learned, subject, event);
    let heard_at = minutes.keys().next_back().copied();
    let mut sums = Measured::default();
    // A window that had begun before is not judged: what came in it was taken back, or is forgiven.
    if look.listens_since(spec, memory) <= Some(since) {
        for measured in minutes.range(since..until).map(|(_, it)| it) {
            sums.add(measured);
        }
    }
    let n = sums.count as f64;
    let mean = sums.sum / n.max(1.0);
    let variance = (sums.sum_sq - n * mean * mean).max(0.0) / (n - 1.0).max(1.0);
    let posterior = StudentTPosterior::of_sample(mean, variance.sqrt(), n);
    let above = |limit: f64| posterior.map(|it| it.ln_upper_tail(limit).exp());
    let over = max.and_then(above);
    let under = min.and_then(above).map(|above| 1.0 - above);
    let p = over
        .into_iter()
        .chain(under)
        .fold(None, |most: Option<f64>, p| {
            Some(most.map_or(p, |most| most.max(p)))
        });
    let limit = if under > over { min } else { max.or(min) };
    Figure {
        state: match p {
            None => State::Insufficient,
            Some(p) if p > SURELY_OVER => State::Fail,
            Some(p) if p > PROBABLY_OVER => State::Warn,
            Some(_) => State::Pass,
        },
        anew: memory.said.window_start != since,
        samples: n,
        value: (n > 0.0).then_some(mean),
        statistic: p,
        bound: Some(SURELY_OVER),
        limit,
        window_start: since,
        heard_at,
        ..Figure::at(look.now)
    }
}

/// The treatment's mean reward against concurrent control's: the weighted estimate and its confidence sequence, which
/// survives being looked at.
fn reward_drop(look: &Look<'_>, arm: ArmId, limit: f64, memory: &Memory) -> Figure {
    let Some(evidence) = look.evidence else {
        return Figure::as_before(memory, look.now);
    };
    let (Some(control), Some(treatment)) = (evidence.control(), evidence.arm(arm)) else {
        return Figure::at(look.now);
    };
    let lift = treatment.versus.and_then(|versus| versus.lift);
    let samples = control.resolved.min(treatment.resolved) as f64;
    let Some(lift) = lift.filter(|_| control.mean > 0.0) else {
        return Figure {
            samples,
            limit: Some(-limit),
            ..Figure::at(look.now)
        };
    };
    let relative = |difference: f64| difference / control.mean;
    let state = if relative(lift.high) < -limit {
        State::Fail
    } else if relative(lift.estimate) < -limit {
        State::Warn
    } else {
        State::Pass
    };
    Figure {
        state,
        samples,
        value: Some(relative(lift.estimate)),
        statistic: Some(relative(lift.high)),
        bound: Some(-limit),
        limit: Some(-limit),
        ..Figure::at(look.now)
    }
}

/// The sequential test, which may be looked at as often as one likes.
fn sample_ratio(look: &Look<'_>, p_value: f64, memory: &Memory) -> Figure {
    let Some(evidence) = look.evidence else {
        return Figure::as_before(memory, look.now);
    };
    let e_value = evidence.sample_ratio.e_value.unwrap_or(1.0);
    let p = (1.0 / e_value).min(1.0);
    let assigned: u64 = look.stats.values().map(|stats| stats.assigned).sum();
    Figure {
        state: if p < p_value {
            State::Fail
        } else {
            State::Pass
        },
        samples: assigned as f64,
        value: Some(p),
        statistic: Some(e_value.ln()),
        bound: Some(-p_value.ln()),
        limit: Some(p_value),
        ..Figure::at(look.now)
    }
}

/// An arm that gets most units before enough is known of it. Later that is what a bandit is for.
fn concentration(look: &Look<'_>, spec: &GuardrailSpec, arm: ArmId, limit: f64) -> Figure {
    let lanes = look.stored.lanes.iter();
    let share = lanes
        .map(|lane| lane.allocation.get(arm))
        .fold(0.0, f64::max);
    let stats = look.stats.get(&arm).copied().unwrap_or_default();
    let is_young = stats.resolved < spec.min_samples;
    let open = look.stored.arms.iter().filter(|arm| arm.is_open());
    let verdict = if open.count() > 1 && is_young && share > limit {
        Verdict::Fail
    } else {
        Verdict::Pass
    };
    Figure {
        verdict: Some((verdict, Because::Test)),
        samples: stats.resolved as f64,
        value: Some(share),
        limit: Some(limit),
        ..Figure::at(look.now)
    }
}

/// How long nobody has met any arm.
fn silence(look: &Look<'_>, limit_s: f64, memory: &Memory) -> Figure {
    let exposed = by_minute(look.learned, Subject::Experiment, MINUTE_EXPOSED);
    // A minute is heard of until it is over.
    let newest = exposed
        .keys()
        .next_back()
        .map(|at| *at + chrono::TimeDelta::minutes(1));
    let since = newest.unwrap_or(memory.armed_at).max(memory.armed_at);
    let silent_s = (look.now - since).num_milliseconds().max(0) as f64 / 1_000.0;
    let running = matches!(
        look.stored.state,
        bandit::experiment::RunState::Running { .. }
    );
    let verdict = match (running, silent_s > limit_s) {
        (false, _) => (Verdict::Unknown, Because::NotServed),
        (true, true) => (Verdict::Fail, Because::Test),
        (true, false) => (Verdict::Pass, Because::Test),
    };
    Figure {
        verdict: Some(verdict),
        value: Some(silent_s),
        limit: Some(limit_s),
        ..Figure::at(look.now)
    }
}
