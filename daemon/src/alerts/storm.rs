//! The storm cap: how many notices are told one by one, and when the others become one digest.

use chrono::{DateTime, TimeDelta, Utc};

/// 20 a minute: more than that nobody reads one by one, and chats refuse about 60.
const TOLD_A_MINUTE: usize = 20;

/// What the cap counts in, and how long those beyond it are gathered.
pub const WINDOW: TimeDelta = TimeDelta::minutes(1);

/// What is done with the notices that wait, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// So many of the oldest are told one by one.
    pub told: usize,
    /// The rest is held back for a digest.
    pub held: usize,
    /// What was held back becomes a digest now, the rest with it.
    pub digest: bool,
}

/// What to do at `now` with `waiting` notices, of which none is held back yet, when `told` were told one by one within
/// the last [`WINDOW`] and the oldest one that is held back is from `held_since`.
pub fn share(
    now: DateTime<Utc>,
    told: usize,
    waiting: usize,
    held_since: Option<DateTime<Utc>>,
) -> Share {
    // In a storm everything goes the same way: a notice that overtook the digest would come before what it follows.
    if let Some(since) = held_since {
        return Share {
            told: 0,
            held: waiting,
            digest: now - since >= WINDOW,
        };
    }
    let told = waiting.min(TOLD_A_MINUTE.saturating_sub(told));
    Share {
        told,
        held: waiting - told,
        digest: false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn twenty_are_told_and_the_others_a_minute_later_at_once() {
        let share = |now, told, waiting, held| {
            let it = super::share(at(now), told, waiting, held);
            (it.told, it.held, it.digest)
        };
        assert_eq!(share(0, 0, 3, None), (3, 0, false));
        assert_eq!(share(0, 0, 500, None), (20, 480, false));
        assert_eq!(share(1, 20, 1, None), (0, 1, false));
        assert_eq!(share(30, 0, 5, Some(at(0))), (0, 5, false));
        assert_eq!(share(60, 0, 5, Some(at(0))), (0, 5, true));
        assert_eq!(share(120, 0, 5, None), (5, 0, false));
    }

    proptest! {
        /// Second by second: never more than 20 in a minute one by one, no digest within a minute of another, and
        /// every notice is told, alone or in a digest, within a minute and a second.
        #[test]
        fn a_storm_is_told_in_bounded_portions(arrivals in prop::collection::vec(0_usize..30, 1..300)) {
            let mut told: Vec<i64> = Vec::new();
            let mut digests: Vec<i64> = Vec::new();
            let mut held: Option<(i64, usize)> = None;
            let quiet = std::iter::repeat_n(0, 62);
            for (now, arrived) in arrivals.iter().copied().chain(quiet).enumerate() {
                let now = now as i64;
                let recently = told.iter().filter(|then| now - **then < 60).count();
                let share = share(at(now), recently, arrived, held.map(|held| at(held.0)));
                prop_assert_eq!(share.told + share.held, arrived);
                told.extend(std::iter::repeat_n(now, share.told));
                if share.held > 0 {
                    let (since, count) = held.unwrap_or((now, 0));
                    held = Some((since, count + share.held));
                }
                if share.digest {
                    let (since, count) = held.take().expect("there is something in a digest");
                    prop_assert!(count > 0 && now - since <= 61);
                    digests.push(now);
                }
                prop_assert!(told.iter().filter(|then| now - **then < 60).count() <= TOLD_A_MINUTE);
            }
            prop_assert!(held.is_none());
            prop_assert!(digests.windows(2).all(|pair| pair[1] - pair[0] >= 60));
        }
    }
}
