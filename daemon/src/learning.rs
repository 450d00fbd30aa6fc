//! What a lane's policy learns from: its counts, after credit and memory. Publishing, applying and planning all ask
//! here; what came out is stored with the version, so that `verify` repeats the allocation from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bandit::credit::{self, Ages, Corrected, Curve, InFlight, Silence};
use bandit::experiment::{ArmId, ExperimentId, LaneId, Millis};
use bandit::memory;
use bandit::policy::Evidence;
use bandit::posterior::Moments;
use bandit::reward;
use bandit::spec::model::{Credit, Memory, RewardSpec};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::publication::{LaneEvidence, evidence_from};
use crate::store::StoreError;
use crate::store::delays::{self, Cohort};
use crate::store::slices::{self, Cut};
use crate::store::state::LaneStats;

/// 7 days: delays are estimated from the units that were exposed in that much time (STATS 4), or in [`WINDOWS`]
/// windows where that is less: an experiment that learns within minutes changes its habits within hours.
const SPAN: Millis = Millis(7 * 86_400_000);

/// See [`SPAN`].
const WINDOWS: u64 = 100;

/// Ages and delays are read again when a 200th of a window has passed: an age class of 64 is wider than that, and what
/// was counted meanwhile is known to be young. For a day that is a scan in seven minutes.
const READS_A_WINDOW: u64 = 200;

/// 1 s: the rhythm of the fold. Nothing can have changed sooner.
const LEAST_AGE: Millis = Millis(1_000);

/// 10 s: what memory remembers is read again, because that reads all versions of the lane. It moves with what closes,
/// at the pace of the window.
const SLICES_AGE: Millis = Millis(10_000);

/// A memory is cut into so many slices of equal weight, at least; the error of calling units of a slice evenly spread
/// is a fraction of one.
const SLICES: u64 = 100;

/// A lane that learns.
#[derive(Debug, Clone, Copy)]
pub struct Learner<'a> {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The lane.
    pub lane: LaneId,
    /// The experiment's reward, credit included.
    pub reward: &'a RewardSpec,
    /// The lane's memory.
    pub memory: Option<Memory>,
}

/// What was read a moment ago. Clones share it; it is bounded by the number of lanes.
#[derive(Debug, Clone, Default)]
pub struct Readings(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    delayed: BTreeMap<ExperimentId, Read<RewardSpec, Delayed>>,
    remembered: BTreeMap<(ExperimentId, LaneId), Read<(Memory, Millis), ByArm>>,
}

/// What was read, when, and under which part of the spec: a change of that part makes it useless at once.
#[derive(Debug)]
struct Read<U, T> {
    at: DateTime<Utc>,
    under: U,
    found: Arc<T>,
}

impl<U: PartialEq, T> Read<U, T> {
    /// What was read, if it was under `under` and less than `lasts` ago.
    fn fresh(&self, under: &U, now: DateTime<Utc>, lasts: Millis) -> Option<Arc<T>> {
        let young = (now - self.at).abs() < lasts.to_chrono();
        (young && self.under == *under).then(|| Arc::clone(&self.found))
    }
}

type ByArm = BTreeMap<ArmId, Moments>;

/// Ages of units in flight, and how much is known at an age.
#[derive(Debug, Default)]
struct Delayed {
    ages: BTreeMap<(LaneId, ArmId), Ages>,
    curves: BTreeMap<ArmId, Option<Curve>>,
}

/// What is known of the arms of a lane with these statistics, at `now`.
pub async fn evidence(
    connection: &mut PgConnection,
    learner: Learner<'_>,
    stats: &LaneStats,
    now: DateTime<Utc>,
    readings: &Readings,
) -> Result<LaneEvidence, StoreError> {
    let mut known = evidence_from(stats);
    if let Some(memory) = learner.memory {
        let remembered = remembered(connection, learner, memory, now, readings).await?;
        for (arm, evidence) in &mut known {
            evidence.learned = remembered.get(arm).copied().unwrap_or_default();
        }
    }
    match learner.reward.credit {
        Credit::Matured => {}
        Credit::Immediate => {
            for Evidence { stats, learned } in known.values_mut() {
                *learned = credit::immediate(learned, &InFlight::from(&*stats));
            }
        }
        Credit::Corrected => {
            if let Some(silence) = Silence::of(learner.reward) {
                let delayed = delayed(connection, learner, now, readings).await?;
                for (arm, evidence) in &mut known {
                    correct(evidence, (learner.lane, *arm), &delayed, silence);
                }
            }
        }
    }
    Ok(known)
}

/// Of the units in flight of each arm, the conversions that are still to come; empty where credit is not corrected.
pub async fn to_come(
    connection: &mut PgConnection,
    learner: Learner<'_>,
    stats: &LaneStats,
    now: DateTime<Utc>,
    readings: &Readings,
) -> Result<BTreeMap<ArmId, f64>, StoreError> {
    let (Credit::Corrected, Some(silence)) = (learner.reward.credit, Silence::of(learner.reward))
    else {
        return Ok(BTreeMap::new());
    };
    let delayed = delayed(connection, learner, now, readings).await?;
    let to_come = |(arm, mut evidence): (ArmId, Evidence)| {
        let corrected = correct(&mut evidence, (learner.lane, arm), &delayed, silence)?;
        Some((arm, corrected.to_come))
    };
    let known = evidence_from(stats);
    Ok(known.into_iter().filter_map(to_come).collect())
}

/// An arm without a curve learns from its matured units alone.
fn correct(
    evidence: &mut Evidence,
    of: (LaneId, ArmId),
    delayed: &Delayed,
    silence: Silence,
) -> Option<Corrected> {
    let curve = delayed.curves.get(&of.1)?.as_ref()?;
    let in_flight = InFlight::from(&evidence.stats);
    let nothing = Ages::default();
    let ages = delayed.ages.get(&of).unwrap_or(&nothing);
    let corrected = credit::corrected(&evidence.learned, &in_flight, ages, curve, silence);
    evidence.learned = corrected.learned;
    Some(corrected)
}

async fn delayed(
    connection: &mut PgConnection,
    learner: Learner<'_>,
    now: DateTime<Utc>,
    readings: &Readings,
) -> Result<Arc<Delayed>, StoreError> {
    let closes_after = learner.reward.closes_after();
    let lasts = Millis(closes_after.0 / READS_A_WINDOW).max(LEAST_AGE);
    let fresh = readings
        .lock()
        .delayed
        .get(&learner.experiment)
        .and_then(|kept| kept.fresh(learner.reward, now, lasts));
    if let Some(delayed) = fresh {
        return Ok(delayed);
    }
    let until = before(now, closes_after);
    let span = SPAN.min(Millis(closes_after.0.saturating_mul(WINDOWS)));
    let cohort = Cohort {
        experiment: learner.experiment,
        closes_after,
        default_micro: reward::of_silence(learner.reward),
        since: before(until, span),
        until,
    };
    let read = Arc::new(Delayed {
        ages: delays::ages(connection, learner.experiment, closes_after, now).await?,
        curves: credit::curves(&delays::delays(connection, cohort).await?),
    });
    let kept = Read {
        at: now,
        under: learner.reward.clone(),
        found: Arc::clone(&read),
    };
    readings.lock().delayed.insert(learner.experiment, kept);
    Ok(read)
}

async fn remembered(
    connection: &mut PgConnection,
    learner: Learner<'_>,
    memory: Memory,
    now: DateTime<Utc>,
    readings: &Readings,
) -> Result<Arc<ByArm>, StoreError> {
    let place = (learner.experiment, learner.lane);
    let under = (memory, learner.reward.closes_after());
    let fresh = readings
        .lock()
        .remembered
        .get(&place)
        .and_then(|kept| kept.fresh(&under, now, SLICES_AGE));
    if let Some(remembered) = fresh {
        return Ok(remembered);
    }
    let (Memory::Window(length) | Memory::HalfLife(length)) = memory;
    let cut = Cut {
        experiment: learner.experiment,
        lane: learner.lane,
        youngest: before(now, learner.reward.closes_after()),
        age: memory::forgotten_after(memory),
        length: Millis(length.0 / SLICES),
    };
    let by_arm = slices::slices(connection, cut).await?;
    let read = Arc::new(
        by_arm
            .iter()
            .map(|(arm, slices)| (*arm, memory::remembered(memory, slices)))
            .collect(),
    );
    let kept = Read {
        at: now,
        under,
        found: Arc::clone(&read),
    };
    readings.lock().remembered.insert(place, kept);
    Ok(read)
}

fn before(at: DateTime<Utc>, length: Millis) -> DateTime<Utc> {
    at.checked_sub_signed(length.to_chrono())
        .unwrap_or(DateTime::UNIX_EPOCH)
}

impl Readings {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
