//! From what the fold learned by the minute to bad ones among all, for one check and one subject.

use std::collections::BTreeMap;

use bandit::guardrail::{
    DistinctSketch, InvalidLimit, Limit, Minute, QuantileSketch, Rule, Subject, Window, window_of,
};
use bandit::spec::model::{EventMeasure, GuardrailCheck, GuardrailSpec};
use chrono::{DateTime, Utc};

use crate::store::guards::{GuardKey, Measured};
use crate::store::state::MINUTE_EXPOSED;

/// What the fold learned of one experiment, oldest first.
pub(super) type Learned = [(DateTime<Utc>, GuardKey, Measured)];

/// A limit on counts.
pub(super) struct Counted {
    pub(super) rule: Rule,
    pub(super) minutes: Vec<Minute>,
    /// A least share is kept when enough have it: then those without it are the bad ones.
    pub(super) of_missing: bool,
}

/// The limits of a check that counts, with what was counted against each. Checks of another kind have none.
pub(super) fn counted(
    spec: &GuardrailSpec,
    subject: Subject,
    learned: &Learned,
) -> Result<Vec<Counted>, InvalidLimit> {
    let of = |limit: Limit, minutes: Vec<Minute>, of_missing| Counted {
        rule: Rule {
            limit,
            test: spec.test,
            window: spec.window,
            whole: of_missing,
        },
        minutes,
        of_missing,
    };
    let limits = match &spec.check {
        GuardrailCheck::ErrorRate {
            event,
            of: Some(tries),
            limit,
        } => {
            let counted = per_event(learned, subject, event, tries);
            vec![of(Limit::new(limit.get())?, counted, false)]
        }
        GuardrailCheck::ErrorRate {
            event,
            of: None,
            limit,
        } => {
            let counted = per_unit(learned, subject, event, spec);
            vec![of(Limit::new(limit.get())?, counted, false)]
        }
        GuardrailCheck::Latency {
            event,
            quantile,
            limit_ms,
        } => {
            let counted = slower(learned, subject, event, *limit_ms);
            let limit = Limit::slower_than_quantile(quantile.get())?;
            vec![of(limit, counted, false)]
        }
        GuardrailCheck::Event {
            event,
            measure: EventMeasure::Rate,
            min,
            max,
        } => {
            let counted = per_unit(learned, subject, event, spec);
            let mut limits = Vec::new();
            if let Some(max) = max {
                limits.push(of(Limit::new(*max)?, counted.clone(), false));
            }
            if let Some(min) = min {
                let missing = counted.iter().map(without).collect();
                limits.push(of(Limit::new(1.0 - min)?, missing, true));
            }
            limits
        }
        GuardrailCheck::Event {
            measure: EventMeasure::Mean,
            ..
        }
        | GuardrailCheck::RewardDrop { .. }
        | GuardrailCheck::Concentration { .. }
        | GuardrailCheck::Srm { .. }
        | GuardrailCheck::Staleness { .. } => Vec::new(),
    };
    Ok(limits)
}

/// Those that do not have what the others have. In a minute there may be more who send than who come; in the window that
/// is made up for.
fn without(minute: &Minute) -> Minute {
    let Window { total, bad } = minute.counted;
    Minute {
        at: minute.at,
        counted: Window {
            total,
            bad: total - bad,
        },
    }
}

/// The event's measures by the minute, of one arm or of all together.
pub(super) fn by_minute(
    learned: &Learned,
    subject: Subject,
    event: &str,
) -> BTreeMap<DateTime<Utc>, Measured> {
    let mut minutes: BTreeMap<DateTime<Utc>, Measured> = BTreeMap::new();
    for (at, key, measured) in learned {
        let is_asked = match subject {
            Subject::Experiment => true,
            Subject::Arm(arm) => key.arm == arm,
        };
        if is_asked && key.event == event {
            minutes.entry(*at).or_default().add(measured);
        }
    }
    minutes
}

/// Units with the event among those that met their arm. Within a window a unit counts once.
fn per_unit(learned: &Learned, subject: Subject, event: &str, spec: &GuardrailSpec) -> Vec<Minute> {
    let mut minutes: BTreeMap<DateTime<Utc>, Window> = BTreeMap::new();
    for (at, measured) in by_minute(learned, subject, MINUTE_EXPOSED) {
        minutes.entry(at).or_default().total += measured.count as f64;
    }
    let mut of_window = (None, DistinctSketch::default());
    for (at, measured) in by_minute(learned, subject, event) {
        let window = Some(window_of(at, spec.window));
        if of_window.0 != window {
            of_window = (window, DistinctSketch::default());
        }
        let before = of_window.1.count();
        of_window.1.merge(&measured.units);
        minutes.entry(at).or_default().bad += (of_window.1.count() - before).max(0.0);
    }
    list(minutes)
}

/// Failed tries among all tries.
fn per_event(learned: &Learned, subject: Subject, failed: &str, tries: &str) -> Vec<Minute> {
    let mut minutes: BTreeMap<DateTime<Utc>, Window> = BTreeMap::new();
    for (at, measured) in by_minute(learned, subject, tries) {
        minutes.entry(at).or_default().total += measured.count as f64;
    }
    for (at, measured) in by_minute(learned, subject, failed) {
        minutes.entry(at).or_default().bad += measured.count as f64;
    }
    list(minutes)
}

/// Values above the limit among all values.
fn slower(learned: &Learned, subject: Subject, event: &str, limit: f64) -> Vec<Minute> {
    let minutes = by_minute(learned, subject, event).into_iter();
    minutes
        .map(|(at, Measured { values, .. })| Minute {
            at,
            counted: Window::new(values.count(), values.over(limit)),
        })
        .collect()
}

fn list(minutes: BTreeMap<DateTime<Utc>, Window>) -> Vec<Minute> {
    let minutes = minutes.into_iter();
    minutes
        .map(|(at, counted)| Minute { at, counted })
        .collect()
}

/// How the event's values are spread, over the minutes from `since` on.
pub(super) fn values_since(
    learned: &Learned,
    subject: Subject,
    event: &str,
    since: DateTime<Utc>,
) -> QuantileSketch {
    let mut all = QuantileSketch::default();
    for measured in by_minute(learned, subject, event)
        .range(since..)
        .map(|(_, it)| it)
    {
        all.merge(&measured.values);
    }
    all
}
