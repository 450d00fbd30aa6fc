//! A week of minutes, looked at as the daemon does.

use bandit::experiment::Millis;
use bandit::guardrail::{Limit, Minute, Rule, State, Watch, Window};
use bandit::simulate::Generator;
use bandit::spec::model::GuardrailTest;
use chrono::{DateTime, TimeDelta, Utc};

use crate::traffic::successes;

/// Requests of a minute.
const REQUESTS: u64 = 200;

/// Minutes until the rate changes, and until the week is over.
const CHANGE: i64 = 3 * 24 * 60;
const WEEK: i64 = 7 * 24 * 60;

/// When the week begins.
pub(crate) fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// At most 1 %, by windows of 5 minutes.
pub(crate) fn rule() -> Rule {
    Rule {
        limit: Limit::new(0.01).expect("1 % is a limit"),
        test: GuardrailTest::Sequential,
        window: Millis(5 * 60_000),
        whole: false,
    }
}

/// Minutes after the change until it fails, at least 1; of a rate that never changes, whether it fails at all. `None` if
/// it does not fail, or failed before the change.
pub(crate) fn found_after(before: f64, after: f64, run: u64) -> Option<i64> {
    let steady = (before - after).abs() < f64::EPSILON;
    let mut generator = Generator::new(17, run, 0);
    let mut watch = Watch::begun(start(), rule().window);
    let mut minutes: Vec<Minute> = Vec::new();
    for at in 0..WEEK {
        let rate = if at < CHANGE { before } else { after };
        let of_minute = start() + TimeDelta::minutes(at);
        minutes.push(Minute {
            at: of_minute,
            counted: Window::new(REQUESTS, successes(&mut generator, REQUESTS, rate)),
        });
        for seconds in [30, 60] {
            let now = of_minute + TimeDelta::seconds(seconds);
            let (next, sight) = watch.look(rule(), &minutes, now);
            watch = next;
            if sight.state == State::Fail {
                return (steady || at >= CHANGE).then_some(at + 1 - CHANGE);
            }
        }
        minutes.retain(|it| it.at >= watch.until);
    }
    None
}
