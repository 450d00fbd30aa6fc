//! What comes by the calendar, in words: the same on the screens and on the command line.

use chrono::{DateTime, Utc};
use protocol::experiments::{RampRow, ScheduleRow};

use crate::view::text::{count, duration, moment};

/// Everything that comes, the soonest kind first, such as `ramp 5% (step 1 of 3), 5% -> 50% in 43m, 312 of 500 units`.
pub fn sentences(schedule: &ScheduleRow, now: DateTime<Utc>) -> Vec<String> {
    let ScheduleRow {
        starts_at,
        stops_at,
        archives_at,
        ramp: on,
        waits,
    } = schedule;
    let at = |what: &str, at: &Option<DateTime<Utc>>| {
        at.map(|at| format!("{what} {}, at {}", until(at, now), moment(at, now)))
    };
    let mut said: Vec<String> = on.iter().map(|on| ramp(on, now)).collect();
    said.extend(waits.clone());
    said.extend(at("starts", starts_at));
    said.extend(at("stops", stops_at));
    said.extend(at("archived", archives_at));
    said
}

/// Where a ramp stands and what it waits for.
pub fn ramp(on: &RampRow, now: DateTime<Utc>) -> String {
    let RampRow {
        step,
        steps,
        traffic,
        next,
        held_until,
        samples,
        min_samples,
    } = on;
    let when = if *held_until > now {
        format!(" {}", until(*held_until, now))
    } else {
        String::new()
    };
    let units = if *min_samples > 0 {
        format!(", {} of {} units", count(*samples), count(*min_samples))
    } else {
        String::new()
    };
    let (traffic, next) = (percent(*traffic), percent(*next));
    format!("ramp {traffic} (step {step} of {steps}), {traffic} -> {next}{when}{units}")
}

fn until(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (at - now).num_seconds();
    match u64::try_from(seconds) {
        Ok(seconds @ 1..) => format!("in {}", duration(seconds)),
        _ => "now".to_owned(),
    }
}

/// With as many digits as it needs, of two: `0.5%`, `50%`.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_ramp_is_said_with_what_it_waits_for() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let on = RampRow {
            step: 1,
            steps: 3,
            traffic: 0.05,
            next: 0.5,
            held_until: now + TimeDelta::minutes(43),
            samples: 312,
            min_samples: 500,
        };
        assert_eq!(
            ramp(&on, now),
            "ramp 5% (step 1 of 3), 5% -> 50% in 43m, 312 of 500 units"
        );
        let short = RampRow {
            held_until: now,
            traffic: 0.005,
            ..on.clone()
        };
        assert_eq!(
            ramp(&short, now),
            "ramp 0.5% (step 1 of 3), 0.5% -> 50%, 312 of 500 units"
        );
        let timed = ScheduleRow {
            stops_at: Some(now + TimeDelta::hours(26)),
            ramp: Some(RampRow {
                min_samples: 0,
                ..on
            }),
            ..ScheduleRow::default()
        };
        assert_eq!(
            sentences(&timed, now),
            [
                "ramp 5% (step 1 of 3), 5% -> 50% in 43m",
                "stops in 1d 2h, at 10-05 02:00Z"
            ]
        );
    }
}
