//! Where a queue begins, as far as is known, so that who looks at its head does not pass all that has left it.
//!
//! Rows leave from the front. While somebody reads inside one snapshot (`pg_dump`, `pitbossd verify`) the database keeps
//! each row that left since, and a look from the very beginning passes them all, at 65 to 300 ns a row: seconds, after
//! an hour of 10,000 events a second, several times a second.
//!
//! A bound is an economy and never the rule: a row has its number before it is committed, so it may appear in front of
//! rows that have long left, and nothing may read "what is new" by such a number (DESIGN, invariant 11). What keeps that
//! true is the look from the very beginning, once a minute and by whoever begins to lead. Everything else only makes it
//! rare that a row has to wait for it: the bound is where nothing was left a minute earlier, and an insert has 30 s.

use chrono::{DateTime, TimeDelta, Utc};

/// 1 min: twice what a statement may take, so that what had a number at one look from the very beginning is committed or
/// gone at the next; and the time that a row waits at most which was committed even later.
const WHOLE_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Below all numbers.
pub(super) const BEGINNING: i64 = i64::MIN;

/// What is known of where one queue begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// When the newest look from the very beginning was.
    whole_at: Option<DateTime<Utc>>,
    /// Where the others begin.
    from: i64,
    /// Where they may begin when it is old enough: at this time, nothing was left below this number.
    next: Option<(DateTime<Utc>, i64)>,
    /// Nothing was left below this number after the newest look.
    left: i64,
}

impl Default for Front {
    /// Nothing is known: looks begin at the very beginning.
    fn default() -> Self {
        Self {
            whole_at: None,
            from: BEGINNING,
            next: None,
            left: BEGINNING,
        }
    }
}

impl Front {
    /// The lowest number that a look at `now` has to take into account. Time is the database's.
    pub fn from(&self, now: DateTime<Utc>) -> i64 {
        if self.is_due(now) {
            BEGINNING
        } else {
            self.from
        }
    }

    /// A look began at `now`, at [`Front::from`], and has left nothing below `below`; `None`: the queue was empty.
    pub fn looked(&mut self, now: DateTime<Utc>, below: Option<i64>) {
        self.left = below.unwrap_or(self.left);
        if self.is_due(now) {
            self.whole_at = Some(now);
            match self.next {
                Some((at, number)) if is_over(at, now) => {
                    if now > at {
                        self.from = number;
                    }
                    self.next = Some((now, self.left));
                }
                Some(_) => {}
                None => self.next = Some((now, self.left)),
            }
        }
        // Of rows that appeared far in front some may be there still.
        self.from = self.from.min(self.left);
        if let Some((_, number)) = &mut self.next {
            *number = self.left.min(*number);
        }
    }

    /// The next look is one from the very beginning, whenever the last one was.
    pub fn doubt(&mut self) {
        self.whole_at = None;
    }

    /// A look has failed by `now`. If it was one from the very beginning, which may take longer than a statement may,
    /// the next minute's do not fail too.
    pub fn failed(&mut self, now: DateTime<Utc>) {
        if self.from != BEGINNING && self.is_due(now) {
            self.whole_at = Some(now);
        }
    }

    fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.whole_at.is_none_or(|at| is_over(at, now))
    }
}

/// Whether a minute has passed since `at`, or nobody knows because the clock was put back.
fn is_over(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now < at || now - at >= WHOLE_EVERY
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at these seconds, each leaving nothing below its number; gives where the next one, at `then`, begins.
    fn after(looks: &[(i64, Option<i64>)], then: i64) -> i64 {
        front(looks).from(at(then))
    }

    fn front(looks: &[(i64, Option<i64>)]) -> Front {
        let mut front = Front::default();
        for (secs, below) in looks {
            front.looked(at(*secs), *below);
        }
        front
    }

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(secs)
    }

    #[test]
    fn looks_begin_where_nothing_was_left_a_minute_earlier() {
        assert_eq!(after(&[], 0), BEGINNING);
        assert_eq!(after(&[(0, Some(100))], 1), BEGINNING, "it may be too new");
        let looks = [(0, Some(100)), (30, Some(200)), (60, Some(300))];
        assert_eq!(after(&looks, 61), 100);
        assert_eq!(after(&looks, 119), 100);
        assert_eq!(after(&looks, 120), BEGINNING, "once a minute");
        let looks = [(0, Some(100)), (60, Some(300)), (120, None), (121, None)];
        assert_eq!(after(&looks, 122), 300);
    }

    #[test]
    fn rows_that_appear_in_front_take_the_bound_with_them() {
        let looks = [(0, Some(100)), (60, Some(300)), (120, Some(20))];
        assert_eq!(after(&looks, 121), 20, "more may be there than was taken");
        let looks = [
            (0, Some(100)),
            (60, Some(300)),
            (120, Some(20)),
            (121, Some(400)),
            (180, Some(500)),
        ];
        assert_eq!(after(&looks, 181), 20);
    }

    #[test]
    fn doubt_looks_from_the_very_beginning_and_makes_nothing_older() {
        let mut front = front(&[(0, Some(100)), (60, Some(300))]);
        assert_eq!(front.from(at(61)), 100);
        front.doubt();
        assert_eq!(front.from(at(61)), BEGINNING);
        front.looked(at(61), Some(310));
        assert_eq!(front.from(at(62)), 100);
        front.looked(at(121), Some(400));
        assert_eq!(front.from(at(122)), 300);
    }

    #[test]
    fn a_clock_that_was_put_back_is_begun_with_anew() {
        let mut front = front(&[(1000, Some(100)), (1060, Some(300))]);
        assert_eq!(front.from(at(0)), BEGINNING);
        front.looked(at(0), Some(310));
        assert_eq!(front.from(at(1)), 100);
        front.looked(at(60), Some(400));
        assert_eq!(front.from(at(61)), 310);
    }

    #[test]
    fn a_look_that_fails_is_not_made_again_at_once() {
        let mut known = front(&[(0, Some(100)), (60, Some(300))]);
        known.failed(at(119));
        assert_eq!(known.from(at(120)), BEGINNING, "it was another one");
        known.failed(at(150));
        assert_eq!(known.from(at(151)), 100);
        assert_eq!(known.from(at(210)), BEGINNING);
        let mut unknown = front(&[(0, Some(100))]);
        unknown.failed(at(60));
        assert_eq!(unknown.from(at(60)), BEGINNING, "nothing else is possible");
    }
}
