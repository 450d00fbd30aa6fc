//! Watching a share of bad ones over time: minutes of counts become windows, windows become evidence.

use std::f64::consts::LN_10;

use chrono::{DateTime, DurationRound, Utc};
use serde::{Deserialize, Serialize};

use super::{ALARM, Cusum, Limit, MIN_EXPECTED, State, Window, p_over};
use crate::experiment::Millis;
use crate::spec::model::GuardrailTest;

/// The posterior probability of being over the limit with which a window fails (STATS 7.4).
pub const SURELY_OVER: f64 = 0.99;

/// The one with which it warns.
pub const PROBABLY_OVER: f64 = 0.95;

/// `ln 10⁵`: the evidence that rings before a window is over.
pub const EARLY_ALARM: f64 = 5.0 * LN_10;

/// What is limited, and how it is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The greatest share that is good.
    pub limit: Limit,
    /// By which test.
    pub test: GuardrailTest,
    /// The length of the windows: whole minutes, at least one.
    pub window: Millis,
    /// Whether only windows that are over are judged: where what is wanted comes later than whom it is wanted of, the
    /// present one always looks worse than it is.
    pub whole: bool,
}

/// What was counted in a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    /// Its first instant.
    pub at: DateTime<Utc>,
    /// The counts.
    pub counted: Window,
}

/// What is remembered between looks; stored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// The windows before this instant are in.
    pub until: DateTime<Utc>,
    /// What they say together.
    pub cusum: Cusum,
    /// What the last of them says by itself, for tests that judge windows by themselves.
    pub whole: Option<Whole>,
    /// The newest minute that had anything.
    pub heard_at: Option<DateTime<Utc>>,
}

/// A whole window, judged by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Whole {
    /// The verdict.
    pub state: State,
    /// All that was counted.
    pub total: f64,
    /// The bad ones of it.
    pub bad: f64,
    /// The test's statistic.
    pub statistic: f64,
}

/// What a look sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// What the test says.
    pub state: State,
    /// Whether that is a judgement of something that the look before had not judged.
    pub anew: bool,
    /// What it is about: counts of the present window, or of the last whole one where those are judged.
    pub counted: Window,
    /// How many the test has to go on.
    pub samples: f64,
    /// Its statistic: evidence, a probability or a share.
    pub statistic: f64,
    /// What the statistic must not be above.
    pub bound: f64,
    /// When the window began.
    pub window_start: DateTime<Utc>,
}

impl Watch {
    /// One that begins to count with the window that `at` is in.
    pub fn begun(at: DateTime<Utc>, window: Millis) -> Self {
        Self {
            until: window_of(at, window),
            cusum: Cusum::default(),
            whole: None,
            heard_at: None,
        }
    }

    /// Looks at `minutes`, all there are since [`Self::until`], by ascending time; those before `now` are complete.
    ///
    /// A window counts into the evidence once, when it is over. The sequential test also judges the present window as far
    /// as it is known: the likelihood ratio may be stopped at any event of it, so an alarm may ring before its end, and
    /// then stands. So many more looks would find twice as many false alarms; [`EARLY_ALARM`] keeps them as rare as they
    /// are with whole windows, and still finds what is badly broken within a minute.
    pub fn look(mut self, rule: Rule, minutes: &[Minute], now: DateTime<Utc>) -> (Self, Sight) {
        let present = window_of(now, rule.window);
        let mut current = Window::default();
        let newest = minutes.iter().filter(|minute| minute.counted.total > 0.0);
        self.heard_at = newest.map(|minute| minute.at).max().max(self.heard_at);
        let mut last_whole = None;
        for window in windows(minutes, rule.window) {
            if window.at < self.until {
                continue;
            }
            if window.at >= present {
                current = window.counted;
            } else {
                self.cusum = self.cusum.after(rule.limit, window.counted);
                last_whole = Some(window);
            }
        }
        let over = present > self.until;
        if over {
            let of_last = last_whole
                .filter(|window| window.at + rule.window.to_chrono() >= present)
                .map_or_else(Window::default, |window| window.counted);
            self.whole = Some(Whole::of(rule, of_last));
            self.until = present;
        }
        let sight = match rule.test {
            GuardrailTest::Sequential if rule.whole => Sight {
                anew: over,
                counted: self.whole.map_or_else(Window::default, Whole::counted),
                ..self.so_far(rule.limit, Window::default())
            },
            GuardrailTest::Sequential => self.so_far(rule.limit, current),
            GuardrailTest::Posterior | GuardrailTest::Threshold => self.by_window(rule, over),
        };
        (self, sight)
    }

    /// What the evidence says with the present window as far as it is known.
    fn so_far(&mut self, limit: Limit, current: Window) -> Sight {
        let with_current = self.cusum.after(limit, current);
        let rings = with_current.alarmed && with_current.evidence > EARLY_ALARM;
        if rings && !self.cusum.alarmed {
            self.cusum.alarmed = true;
            self.cusum.quiet = 0;
        }
        let so_far = Cusum {
            alarmed: self.cusum.alarmed,
            ..with_current
        };
        Sight {
            state: so_far.state(limit),
            anew: true,
            counted: current,
            samples: so_far.seen,
            statistic: so_far.evidence,
            bound: ALARM,
            window_start: self.until,
        }
    }

    /// What the last whole window says.
    fn by_window(&self, rule: Rule, over: bool) -> Sight {
        let whole = self
            .whole
            .unwrap_or_else(|| Whole::of(rule, Window::default()));
        let counted = whole.counted();
        Sight {
            state: whole.state,
            anew: over,
            counted,
            samples: counted.total,
            statistic: whole.statistic,
            bound: match rule.test {
                GuardrailTest::Threshold => rule.limit.rate(),
                GuardrailTest::Sequential | GuardrailTest::Posterior => SURELY_OVER,
            },
            window_start: self.until - rule.window.to_chrono(),
        }
    }
}

impl Whole {
    fn counted(self) -> Window {
        Window {
            total: self.total,
            bad: self.bad,
        }
    }

    fn of(rule: Rule, counted: Window) -> Self {
        let (statistic, over) = match rule.test {
            GuardrailTest::Threshold => {
                let rate = counted.rate().unwrap_or(0.0);
                let state = if rate > rule.limit.rate() {
                    State::Fail
                } else {
                    State::Pass
                };
                (rate, state)
            }
            GuardrailTest::Sequential | GuardrailTest::Posterior => {
                let p = p_over(rule.limit, counted);
                let state = if p > SURELY_OVER {
                    State::Fail
                } else if p > PROBABLY_OVER {
                    State::Warn
                } else {
                    State::Pass
                };
                (p, state)
            }
        };
        let enough = counted.total * rule.limit.rate() >= MIN_EXPECTED;
        Self {
            state: if enough { over } else { State::Insufficient },
            total: counted.total,
            bad: counted.bad,
            statistic,
        }
    }
}

/// The first instant of the window that `at` is in. Windows are counted from the epoch, so that all daemons agree.
pub fn window_of(at: DateTime<Utc>, window: Millis) -> DateTime<Utc> {
    at.duration_trunc(window.to_chrono()).unwrap_or(at)
}

/// Minutes, added up by window.
fn windows(minutes: &[Minute], window: Millis) -> impl Iterator<Item = Minute> {
    let of = move |minute: &Minute| window_of(minute.at, window);
    minutes
        .chunk_by(move |one, next| of(one) == of(next))
        .map(move |minutes| Minute {
            at: of(&minutes[0]),
            counted: sum(minutes),
        })
}

/// More bad ones than there are in total, as when the units of one window send their errors in the next, count as all;
/// fewer than none, as when events that were wanted come later than their units, as none.
fn sum(minutes: &[Minute]) -> Window {
    let of = |pick: fn(&Window) -> f64| -> f64 { minutes.iter().map(|it| pick(&it.counted)).sum() };
    let total = of(|window| window.total);
    Window {
        total,
        bad: of(|window| window.bad).clamp(0.0, total),
    }
}
