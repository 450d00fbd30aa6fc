//! From a unit's events to its one outcome: a pure function of the reward spec, the exposure and the events.
//!
//! It is recomputed from all events of the unit whenever one arrives, so late landings, repeats and any order of
//! arrival give the same outcome.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::posterior::MICRO;
use crate::spec::model::{Aggregate, Direction, OutcomeSpec, RewardSpec, SuccessSpec};

/// 2 min: an event this long before its exposure still counts, because services batch and clocks differ.
pub const EXPOSURE_SLACK: TimeDelta = TimeDelta::minutes(2);

/// 24 h: a client's time further in the past is its clock's fault, not its queue's.
pub const MOST_BEHIND: TimeDelta = TimeDelta::hours(24);

/// 2 min: a client's time further in the future is its clock's fault.
pub const MOST_AHEAD: TimeDelta = TimeDelta::minutes(2);

/// An event of one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitEvent<'a> {
    /// Its name.
    pub event: &'a str,
    /// Its value, if it has one.
    pub value: Option<f64>,
    /// When it happened, by [`event_time`].
    pub at: DateTime<Utc>,
    /// Settles which of two events of the same instant comes first.
    pub event_id: u128,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventVerdict {
    /// Looked at for the outcome.
    Counted,
    /// After the unit's window.
    Late,
    /// More than [`EXPOSURE_SLACK`] before the exposure, so nothing the arm could have caused.
    Early,
    /// The unit has had as many reward events as are looked at.
    OverCap,
    /// Not an event of this reward: another name, or without the value that it needs.
    NotReward,
}

/// The outcome of a unit so far, and what became of each event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The outcome in millionths, in `0..=1_000_000`; with no events it is what a unit that did nothing counts as.
    pub reward_micro: i32,
    /// In the order in which the events were given.
    pub verdicts: Vec<EventVerdict>,
}

/// What an event is to a reward.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    /// A success, or a value to aggregate; binary successes carry 1.
    Gain(f64),
    /// Takes back what came before it.
    Revoke,
}

/// The outcome of a unit exposed at `exposed_at`.
///
/// Events count from [`EXPOSURE_SLACK`] before the exposure to the end of the window, both included. They are read
/// in the order of their time; at the same instant a `negative` event comes after the success that it revokes, then
/// by id. A `negative` event takes back everything before it, and successes after it count again. The cap is on the
/// events that can raise an outcome: a refund is never over the cap, or a flood of events would be a way to keep a
/// success.
pub fn outcome(spec: &RewardSpec, exposed_at: DateTime<Utc>, events: &[UnitEvent<'_>]) -> Judged {
    let mut verdicts: Vec<EventVerdict> = Vec::with_capacity(events.len());
    let mut inside: Vec<(usize, Role)> = Vec::new();
    for (i, event) in events.iter().enumerate() {
        let role = role_of(spec, event);
        let verdict = verdict_on(spec, exposed_at, event, role);
        if let (Some(role), EventVerdict::Counted) = (role, verdict) {
            inside.push((i, role));
        }
        verdicts.push(verdict);
    }
    inside.sort_by_key(|&(i, role)| (events[i].at, role == Role::Revoke, events[i].event_id));

    let mut gains: Vec<f64> = Vec::new();
    let mut looked_at = 0;
    for (i, role) in inside {
        match role {
            Role::Revoke => gains.clear(),
            Role::Gain(_) if looked_at >= spec.max_events_per_unit => {
                verdicts[i] = EventVerdict::OverCap;
            }
            Role::Gain(value) => {
                looked_at += 1;
                gains.push(value);
            }
        }
    }
    Judged {
        reward_micro: reward_micro(spec, &gains),
        verdicts,
    }
}

/// The outcome of a unit without events, in millionths: what silence counts as when its window closes.
pub fn of_silence(spec: &RewardSpec) -> i32 {
    reward_micro(spec, &[])
}

/// When an event happened: the client's time if it is at most [`MOST_BEHIND`] before and [`MOST_AHEAD`] after
/// `received`, else `received`.
pub fn event_time(claimed: Option<DateTime<Utc>>, received: DateTime<Utc>) -> DateTime<Utc> {
    claimed
        .filter(|claimed| {
            let behind = received.signed_duration_since(*claimed);
            (-MOST_AHEAD..=MOST_BEHIND).contains(&behind)
        })
        .unwrap_or(received)
}

fn role_of(spec: &RewardSpec, event: &UnitEvent<'_>) -> Option<Role> {
    if spec.negative.iter().any(|name| name == event.event) {
        return Some(Role::Revoke);
    }
    match &spec.outcome {
        OutcomeSpec::Binary { success } => success
            .iter()
            .any(|wanted| is_success(wanted, event))
            .then_some(Role::Gain(1.0)),
        OutcomeSpec::Scaled { event: name, .. } => event
            .value
            .filter(|value| name == event.event && value.is_finite())
            .map(Role::Gain),
    }
}

fn is_success(wanted: &SuccessSpec, event: &UnitEvent<'_>) -> bool {
    let reaches = |min: f64| event.value.is_some_and(|value| value >= min);
    wanted.event == event.event && wanted.min.is_none_or(reaches)
}

fn verdict_on(
    spec: &RewardSpec,
    exposed_at: DateTime<Utc>,
    event: &UnitEvent<'_>,
    role: Option<Role>,
) -> EventVerdict {
    let since_exposure = event.at.signed_duration_since(exposed_at);
    if role.is_none() {
        EventVerdict::NotReward
    } else if since_exposure > spec.window.to_chrono() {
        EventVerdict::Late
    } else if since_exposure < -EXPOSURE_SLACK {
        EventVerdict::Early
    } else {
        EventVerdict::Counted
    }
}

/// The outcome of these gains, in the order of their time.
fn reward_micro(spec: &RewardSpec, gains: &[f64]) -> i32 {
    let share = match &spec.outcome {
        OutcomeSpec::Binary { .. } => f64::from(u8::from(!gains.is_empty())),
        OutcomeSpec::Scaled {
            aggregate,
            min,
            max,
            default,
            ..
        } => {
            let value = aggregated(*aggregate, gains).unwrap_or(*default);
            // not clamp: it panics where a stored spec has its limits the wrong way round
            (value.max(*min).min(*max) - min) / (max - min)
        }
    };
    let micro = (share * MICRO as f64).round() as i32;
    match spec.direction {
        Direction::Increase => micro,
        Direction::Decrease => MICRO as i32 - micro,
    }
}

fn aggregated(aggregate: Aggregate, gains: &[f64]) -> Option<f64> {
    match aggregate {
        Aggregate::First => gains.first().copied(),
        Aggregate::Last => gains.last().copied(),
        Aggregate::Max => gains.iter().copied().max_by(f64::total_cmp),
        Aggregate::Sum => (!gains.is_empty()).then(|| gains.iter().sum()),
    }
}
