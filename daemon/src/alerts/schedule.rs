//! When a delivery that failed is tried again, and when it is given up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The schedule of Standard Webhooks 1.0.0: how long after an attempt that failed the next one is made. The first is
/// made at once; three days after it the tenth is the last.
const WAITS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// 24 h: a receiver that asks for more time than the longest wait of ours gets that.
const LONGEST_ASKED: Duration = Duration::from_hours(24);

/// When to try again after attempt number `attempts` (from 1) failed at `now`; `None`: not any more. A receiver that
/// says when it wants to be asked again is not asked sooner.
pub fn next(attempts: u32, now: DateTime<Utc>, asked: Option<Duration>) -> Option<DateTime<Utc>> {
    let wait = WAITS.get(attempts.checked_sub(1)? as usize)?;
    let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
    let wait = TimeDelta::from_std(asked.max(*wait)).expect("a day fits");
    Some(now + wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_within_four_days_and_never_sooner_than_asked() {
        let start = DateTime::UNIX_EPOCH;
        let mut now = start;
        let mut attempts = 1;
        while let Some(next) = next(attempts, now, None) {
            assert!(next > now);
            now = next;
            attempts += 1;
        }
        assert_eq!(attempts, 10);
        assert_eq!(
            now - start,
            TimeDelta::minutes(75 * 60 + 35) + TimeDelta::seconds(5)
        );

        let asked = |seconds| next(1, start, Some(Duration::from_secs(seconds)));
        assert_eq!(asked(2), Some(start + TimeDelta::seconds(5)));
        assert_eq!(asked(90), Some(start + TimeDelta::seconds(90)));
        assert_eq!(asked(u64::MAX), Some(start + TimeDelta::hours(24)));
        assert_eq!(next(10, start, Some(Duration::from_secs(1))), None);
        assert_eq!(next(0, start, None), None);
    }
}
