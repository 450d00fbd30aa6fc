//! What a round adds to the state, to the minute rollups and to the counts of the events ledger, summed up so that
//! each row is written once and in key order.

use std::collections::{BTreeMap, BTreeSet};

use bandit::experiment::ExperimentId;
use bandit::posterior::{ArmStats, squared_micro};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use crate::store::events::{CountKey, Restood, Standing};
use crate::store::fold::{Counted, Settled};
use crate::store::state::{MINUTE_EXPOSED, MINUTE_REWARD, MinuteKey, MinuteSums, StateKey};
use crate::store::units::Drawn;
use crate::store::weeks::week_of;

/// The sums of one round.
#[derive(Debug, Default)]
pub struct Gains {
    /// For the state.
    pub state: BTreeMap<StateKey, ArmStats>,
    /// For the rollups.
    pub minutes: BTreeMap<MinuteKey, MinuteSums>,
    /// For the counts of the events ledger.
    pub events: BTreeMap<CountKey, i64>,
}

/// Who gains: an experiment and what the unit drew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arm {
    pub(super) experiment: ExperimentId,
    pub(super) drawn: Drawn,
}

impl Gains {
    /// The experiments that gain.
    pub fn experiments(&self) -> BTreeSet<ExperimentId> {
        self.state.keys().map(|key| key.experiment).collect()
    }

    pub(super) fn add_counted(&mut self, counted: Counted) {
        for (key, gain) in counted.state {
            let sum = self.state.entry(key).or_default();
            sum.assigned += gain.assigned;
            sum.exposed += gain.exposed;
        }
        for (key, gain) in counted.minutes {
            self.minutes.entry(key).or_default().count += gain.count;
        }
    }

    /// A unit met its arm.
    pub(super) fn exposed(&mut self, arm: Arm, at: DateTime<Utc>) {
        self.stats(arm).exposed += 1;
        self.minute(arm, MINUTE_EXPOSED, at).count += 1;
    }

    /// `units` windows closed with the same outcome each.
    pub(super) fn resolved(&mut self, arm: Arm, reward_micro: i32, units: u64, at: DateTime<Utc>) {
        let stats = self.stats(arm);
        stats.resolved += units;
        stats.reward_sum_micro += i64::from(reward_micro) * units as i64;
        stats.reward_sq_sum_micro += squared_micro(reward_micro) * units as i64;
        let reward = f64::from(reward_micro) / 1e6;
        let sums = self.minute(arm, MINUTE_REWARD, at);
        sums.count += units as i64;
        sums.sum += reward * units as f64;
        sums.sum_sq += reward * reward * units as f64;
    }

    /// A unit in flight whose outcome so far went from `before` to `after`, in millionths; `default_micro` is that
    /// of one without events.
    pub(super) fn early(&mut self, arm: Arm, default_micro: i32, before: i32, after: i32) {
        *self.stats(arm) += ArmStats::of_early_change(default_micro, before, after);
    }

    /// Events that nobody had to judge.
    pub(super) fn settled(&mut self, settled: Settled) {
        let Settled {
            experiment,
            drawn,
            event,
            standing,
            minute,
            week,
            sums,
        } = settled;
        let key = CountKey {
            experiment,
            event: event.clone(),
            standing: standing.code(),
            week,
        };
        self.counted(key, sums.count);
        let Some((lane, arm)) = drawn else { return };
        let key = MinuteKey {
            experiment,
            minute,
            lane,
            arm,
            event,
        };
        let of_minute = self.minutes.entry(key).or_default();
        of_minute.count += sums.count;
        of_minute.sum += sums.sum;
        of_minute.sum_sq += sums.sum_sq;
    }

    /// So many more events of the ledger stand there.
    pub(super) fn counted(&mut self, key: CountKey, more: i64) {
        *self.events.entry(key).or_default() += more;
    }

    /// Events stand elsewhere now.
    pub(super) fn restood(&mut self, restood: &[Restood]) {
        for Restood {
            experiment,
            event,
            standing,
        } in restood
        {
            let key = |standing: Standing| CountKey {
                experiment: *experiment,
                event: event.event.clone(),
                standing: standing.code(),
                week: week_of(event.received_at),
            };
            self.counted(key(event.standing), -1);
            self.counted(key(*standing), 1);
        }
    }

    /// An event of an assigned unit, whatever its standing.
    pub(super) fn event(&mut self, arm: Arm, event: &str, value: Option<f64>, at: DateTime<Utc>) {
        let value = value.unwrap_or(0.0);
        let sums = self.minute(arm, event, at);
        sums.count += 1;
        sums.sum += value;
        sums.sum_sq += value * value;
    }

    fn stats(&mut self, arm: Arm) -> &mut ArmStats {
        let key = StateKey {
            experiment: arm.experiment,
            lane: arm.drawn.lane,
            arm: arm.drawn.arm,
            version: arm.drawn.version,
        };
        self.state.entry(key).or_default()
    }

    fn minute(&mut self, arm: Arm, event: &str, at: DateTime<Utc>) -> &mut MinuteSums {
        let minute = at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at);
        let key = MinuteKey {
            experiment: arm.experiment,
            minute,
            lane: arm.drawn.lane,
            arm: arm.drawn.arm,
            event: event.to_owned(),
        };
        self.minutes.entry(key).or_default()
    }
}
