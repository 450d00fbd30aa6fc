//! What each kind of guardrail measures, and the keys that only it has.

use crate::experiment::Share;
use crate::spec::defaults;
use crate::spec::model::{EventMeasure, GuardrailCheck};
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

/// A kind of guardrail and the keys that only it has.
#[derive(Clone, Copy)]
pub(in crate::spec) struct Kind {
    pub(in crate::spec) keys: &'static [&'static str],
    pub(in crate::spec) read: fn(&Reader<'_>) -> Option<GuardrailCheck>,
}

pub(in crate::spec) const KINDS: &[(&str, Kind)] = &[
    (
        "error_rate",
        Kind {
            keys: &["event", "of", "limit"],
            read: error_rate,
        },
    ),
    (
        "latency",
        Kind {
            keys: &["event", "quantile", "limit", "limit_ms"],
            read: latency,
        },
    ),
    (
        "reward_drop",
        Kind {
            keys: &["limit"],
            read: reward_drop,
        },
    ),
    (
        "concentration",
        Kind {
            keys: &["limit"],
            read: concentration,
        },
    ),
    (
        "srm",
        Kind {
            keys: &["p_value"],
            read: srm,
        },
    ),
    (
        "event",
        Kind {
            keys: &["event", "measure", "min", "max"],
            read: event,
        },
    ),
    (
        "staleness",
        Kind {
            keys: &["limit"],
            read: staleness,
        },
    ),
];

pub(in crate::spec) const MEASURES: &[(&str, EventMeasure)] =
    &[("rate", EventMeasure::Rate), ("mean", EventMeasure::Mean)];

fn limit_share(table: &Reader<'_>, example: &str) -> Option<Share> {
    let slot = table.required(
        "limit",
        &format!("add a limit such as limit = \"{example}\""),
    )?;
    let limit = slot.share()?;
    if limit == Share::NONE {
        slot.problem("is 0: it would act at once", "write a limit above 0");
        return None;
    }
    if limit == Share::ALL {
        slot.problem(
            "is 100%: nothing can be above it",
            "write a limit below 100%",
        );
        return None;
    }
    Some(limit)
}

fn event_name(table: &Reader<'_>) -> Option<String> {
    table
        .required(
            "event",
            "add the event that services track, such as event = \"error\"",
        )?
        .line_of_text()
}

fn error_rate(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let (event, limit) = (event_name(table), limit_share(table, "1%"));
    let of = match table.slot("of") {
        Some(slot) => slot.line_of_text().map(Some),
        None => Some(None),
    };
    Some(GuardrailCheck::ErrorRate {
        event: event?,
        of: of?,
        limit: limit?,
    })
}

fn reward_drop(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let limit = limit_share(table, "5%")?;
    Some(GuardrailCheck::RewardDrop { limit })
}

fn concentration(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let limit = limit_share(table, "50%")?;
    Some(GuardrailCheck::Concentration { limit })
}

fn srm(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let p_value = match table.slot("p_value") {
        Some(slot) => inner_share(&slot)?,
        None => defaults::srm_p_value(),
    };
    Some(GuardrailCheck::Srm { p_value })
}

/// A share that is neither 0 nor 1.
fn inner_share(slot: &Slot<'_>) -> Option<Share> {
    let share = slot.share()?;
    if share == Share::NONE || share == Share::ALL {
        slot.problem(
            format!("is {}", share.get()),
            "write a number between 0 and 1",
        );
        return None;
    }
    Some(share)
}

fn latency(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let event = event_name(table);
    let quantile = match table.slot("quantile") {
        Some(slot) => inner_share(&slot),
        None => Some(defaults::latency_quantile()),
    };
    let limit = latency_limit(table);
    Some(GuardrailCheck::Latency {
        event: event?,
        quantile: quantile?,
        limit_ms: limit?,
    })
}

/// `limit = "120ms"`, or `limit_ms = 0.5` for fractions.
fn latency_limit(table: &Reader<'_>) -> Option<f64> {
    const HOW: &str = "add a limit such as limit = \"120ms\"";
    if let Some(slot) = table.slot("limit_ms") {
        if table.has("limit") {
            slot.problem_named("is declared beside `limit`", "keep one of the two");
            return None;
        }
        return slot.positive();
    }
    let slot = table.required("limit", HOW)?;
    let limit = slot.duration()?;
    if limit.0 == 0 {
        slot.problem("is 0: it would act at once", "write a limit above 0");
        return None;
    }
    Some(limit.0 as f64)
}

fn event(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let event = event_name(table);
    let measure = match table.slot("measure") {
        Some(slot) => slot.choice(MEASURES),
        None => Some(EventMeasure::Rate),
    };
    let is_rate = measure == Some(EventMeasure::Rate);
    let bound = |key: &str| {
        table
            .slot(key)
            .map_or(Some(None), |slot| bound_of(&slot, is_rate).map(Some))
    };
    let (min, max) = (bound("min")?, bound("max")?);
    match (min, max) {
        (None, None) => {
            table.problem("has no limit", "add `min`, `max` or both");
            None
        }
        (Some(min), Some(max)) if min > max => {
            table.problem(
                format!("wants at least {min} and at most {max}"),
                "swap them",
            );
            None
        }
        _ => Some(GuardrailCheck::Event {
            event: event?,
            measure: measure?,
            min,
            max,
        }),
    }
}

/// A number; of a rate a share, which may be a percentage in quotes.
fn bound_of(slot: &Slot<'_>, is_rate: bool) -> Option<f64> {
    if is_rate {
        return inner_share(slot).map(Share::get);
    }
    slot.number()
}

fn staleness(table: &Reader<'_>) -> Option<GuardrailCheck> {
    let slot = table.required("limit", "add the longest silence, such as limit = \"15m\"")?;
    let limit = slot.duration()?;
    if limit.0 == 0 {
        slot.problem("is 0: it would act at once", "write a limit above 0");
        return None;
    }
    Some(GuardrailCheck::Staleness { limit })
}
