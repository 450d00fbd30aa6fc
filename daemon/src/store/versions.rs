//! Policy versions: immutable, numbered publications of a lane. The primary key is the compare-and-swap.

use bandit::allocation::Allocation;
use bandit::experiment::{Arm, ArmId, ExperimentId, LaneId, Millis, Revision, Version};
use bandit::lanes::LaneNumbers;
use bandit::policy::{self, Evidence, PolicyError};
use bandit::posterior::{ArmStats, Moments};
use bandit::spec::model::ExperimentSpec;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::state::{self, LaneStats};
use super::{StoreError, TransactionError, sql};
use crate::learning::{self, Learner, Readings};
use crate::publication::{self, LaneEvidence};

/// One published version, with all that it was computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyVersion {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The lane.
    pub lane: LaneId,
    /// Its number, from 1.
    pub version: Version,
    /// The revision of the spec that it was computed under.
    pub revision: Revision,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// The probability of each open arm.
    pub allocation: Allocation,
    /// What was known of each open arm, in the order of the allocation; of the counts, those that an allocation
    /// depends on: exposed, resolved and their sum.
    pub evidence: Vec<Evidence>,
    /// Which edition of the policies computed it; see [`bandit::policy::EDITION`].
    pub edition: u16,
    /// Time since the start.
    pub running_for: Millis,
    /// Why the split is still even.
    pub burn_in: Option<String>,
}

/// Why versions could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no allocation, or none of the stated accuracy.
    #[error("no allocation for lane {lane} of experiment {experiment}")]
    Policy {
        /// The experiment.
        experiment: ExperimentId,
        /// The lane.
        lane: LaneId,
        /// Why.
        #[source]
        source: PolicyError,
    },
}

impl TransactionError for PublishError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Policy { .. } => None,
        }
    }
}

/// A change that gives every lane of an experiment a new version.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The installation's revision after the change.
    pub revision: Revision,
    /// The spec in force after it.
    pub spec: &'a ExperimentSpec,
    /// Its arms after it, ascending number, retired ones included.
    pub arms: &'a [Arm],
    /// The numbers of its lanes after it.
    pub lanes: &'a LaneNumbers,
    /// When it was started first.
    pub started_at: DateTime<Utc>,
    /// Why, such as `started` or `applied revision 7`.
    pub reason: &'a str,
    /// Now.
    pub at: DateTime<Utc>,
}

/// Publishes a new version of every lane, from what the lanes have learned so far, in the transaction of
/// the change. Waits for a publisher that is just committing a version and then goes on from that one.
pub async fn publish_all_lanes(
    tx: &mut PgConnection,
    change: &Change<'_>,
) -> Result<Vec<(LaneId, Version)>, PublishError> {
    let learned = state::sums(tx, &[change.experiment]).await?;
    let nothing = LaneStats::new();
    let running_for = running_for(change.started_at, change.at);
    let mut published = Vec::new();
    for lane in change.lanes.lanes_of(change.spec) {
        let stats = learned.get(&(change.experiment, lane.id));
        let learner = Learner {
            experiment: change.experiment,
            lane: lane.id,
            reward: &change.spec.reward,
            memory: lane.policy.memory.filter(|_| lane.learns),
        };
        let (stats, readings) = (stats.unwrap_or(&nothing), Readings::default());
        let known = learning::evidence(tx, learner, stats, change.at, &readings).await?;
        let next =
            publication::next_publication(change.spec, change.arms, &lane, &known, running_for)
                .map_err(|source| PublishError::Policy {
                    experiment: change.experiment,
                    lane: lane.id,
                    source,
                })?;
        let mut version = PolicyVersion {
            experiment: change.experiment,
            lane: lane.id,
            version: Version(0),
            revision: change.revision,
            published_at: change.at,
            reason: change.reason.to_owned(),
            evidence: evidence_of(&next.allocation, &known),
            edition: policy::EDITION,
            allocation: next.allocation,
            running_for,
            burn_in: next.burn_in,
        };
        loop {
            let newest = newest_number(tx, change.experiment, lane.id).await?;
            version.version = Version(newest.0 + 1);
            if insert(tx, &version).await? {
                break;
            }
        }
        published.push((lane.id, version.version));
    }
    Ok(published)
}

/// Time since the start, 0 for a start in the future.
pub fn running_for(started_at: DateTime<Utc>, at: DateTime<Utc>) -> Millis {
    Millis(u64::try_from((at - started_at).num_milliseconds()).unwrap_or(0))
}

/// What a version records of its open arms.
pub fn evidence_of(allocation: &Allocation, known: &LaneEvidence) -> Vec<Evidence> {
    allocation
        .iter()
        .map(|(arm, _)| publication::recorded(&known.get(&arm).copied().unwrap_or_default()))
        .collect()
}

/// The number of a lane's newest version; 0 if it has none.
pub async fn newest_number(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    lane: LaneId,
) -> Result<Version, StoreError> {
    let newest: Option<i32> = sql::query_scalar(
        "select version from experiment_policy_versions
         where experiment_id = $1 and lane = $2 order by version desc limit 1",
    )
    .bind(experiment.0)
    .bind(lane.0 as i16)
    .fetch_optional(connection)
    .await?;
    Ok(Version(newest.unwrap_or(0) as u32))
}

/// Publishes `version` unless its number is taken; says whether it did.
pub async fn insert(tx: &mut PgConnection, version: &PolicyVersion) -> Result<bool, StoreError> {
    let (arms, shares): (Vec<i16>, Vec<f64>) = version
        .allocation
        .iter()
        .map(|(arm, share)| (arm.0 as i16, share))
        .unzip();
    let counts = |pick: fn(&ArmStats) -> i64| -> Vec<i64> {
        let evidence = version.evidence.iter();
        evidence.map(|known| pick(&known.stats)).collect()
    };
    let learned = |pick: fn(&Moments) -> f64| -> Vec<f64> {
        let evidence = version.evidence.iter();
        evidence.map(|known| pick(&known.learned)).collect()
    };
    let done = sql::query(
        "insert into experiment_policy_versions (experiment_id, lane, version, revision,
             published_at, reason, arms, allocation, exposed, resolved, reward_sum_micro,
             learned_n, learned_sum, learned_sum_sq, edition, running_for_ms, burn_in)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         on conflict (experiment_id, lane, version) do nothing",
    )
    .bind(version.experiment.0)
    .bind(version.lane.0 as i16)
    .bind(version.version.0 as i32)
    .bind(version.revision.0 as i64)
    .bind(version.published_at)
    .bind(&version.reason)
    .bind(arms)
    .bind(shares)
    .bind(counts(|stats| stats.exposed as i64))
    .bind(counts(|stats| stats.resolved as i64))
    .bind(counts(|stats| stats.reward_sum_micro))
    .bind(learned(|moments| moments.n))
    .bind(learned(|moments| moments.sum))
    .bind(learned(|moments| moments.sum_sq))
    .bind(version.edition as i16)
    .bind(version.running_for.0 as i64)
    .bind(&version.burn_in)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    experiment_id: i32,
    lane: i16,
    version: i32,
    revision: i64,
    published_at: DateTime<Utc>,
    reason: String,
    arms: Vec<i16>,
    allocation: Vec<f64>,
    exposed: Vec<i64>,
    resolved: Vec<i64>,
    reward_sum_micro: Vec<i64>,
    learned_n: Vec<f64>,
    learned_sum: Vec<f64>,
    learned_sum_sq: Vec<f64>,
    edition: i16,
    running_for_ms: i64,
    burn_in: Option<String>,
}

impl VersionRow {
    fn read(self) -> Result<PolicyVersion, StoreError> {
        let what = format!(
            "version {} of lane {} of experiment {}",
            self.version, self.lane, self.experiment_id
        );
        let shares: Vec<(ArmId, f64)> = self
            .arms
            .iter()
            .map(|arm| ArmId(*arm as u16))
            .zip(self.allocation.iter().copied())
            .collect();
        let evidence = (0..self.arms.len()).map(|at| self.evidence(at)).collect();
        Ok(PolicyVersion {
            experiment: ExperimentId(self.experiment_id),
            lane: LaneId(self.lane as u16),
            version: Version(self.version as u32),
            revision: Revision(self.revision as u64),
            published_at: self.published_at,
            reason: self.reason,
            allocation: Allocation::new(shares)
                .map_err(|error| StoreError::unreadable(what, error))?,
            evidence,
            edition: self.edition as u16,
            running_for: Millis(self.running_for_ms as u64),
            burn_in: self.burn_in,
        })
    }

    /// Of the arm at this place. Versions of the first edition learned from the counts themselves.
    fn evidence(&self, at: usize) -> Evidence {
        let stats = ArmStats {
            exposed: self.exposed.get(at).copied().unwrap_or(0) as u64,
            resolved: self.resolved.get(at).copied().unwrap_or(0) as u64,
            reward_sum_micro: self.reward_sum_micro.get(at).copied().unwrap_or(0),
            ..ArmStats::default()
        };
        match (
            self.learned_n.get(at),
            self.learned_sum.get(at),
            self.learned_sum_sq.get(at),
        ) {
            (Some(&n), Some(&sum), Some(&sum_sq)) => Evidence {
                stats,
                learned: Moments { n, sum, sum_sq },
            },
            _ => Evidence::from(stats),
        }
    }
}

/// One version, if it was published.
pub async fn get(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    lane: LaneId,
    version: Version,
) -> Result<Option<PolicyVersion>, StoreError> {
    let row: Option<VersionRow> = sql::query_as(
        "select * from experiment_policy_versions
         where experiment_id = $1 and lane = $2 and version = $3",
    )
    .bind(experiment.0)
    .bind(lane.0 as i16)
    .bind(version.0 as i32)
    .fetch_optional(connection)
    .await?;
    row.map(VersionRow::read).transpose()
}

/// The newest version of each lane in force of each of `experiments`. A version that cannot be read does not hide
/// the others.
pub async fn newest(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
) -> Result<Vec<Result<PolicyVersion, StoreError>>, StoreError> {
    let rows: Vec<VersionRow> = sql::query_as(
        "select v.* from experiments e
         cross join lateral unnest(e.lanes) as l (lane)
         cross join lateral (
             select * from experiment_policy_versions v
             where v.experiment_id = e.id and v.lane = l.lane order by version desc limit 1
         ) v
         where e.id = any ($1)",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(VersionRow::read).collect())
}

/// Up to `limit` versions of an experiment after `after`, by lane and number. A version that cannot be read
/// does not hide the others.
pub async fn page(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    after: (LaneId, Version),
    limit: i64,
) -> Result<Vec<((LaneId, Version), Result<PolicyVersion, StoreError>)>, StoreError> {
    let rows: Vec<VersionRow> = sql::query_as(
        "select * from experiment_policy_versions
         where experiment_id = $1 and (lane, version) > ($2, $3)
         order by lane, version limit $4",
    )
    .bind(experiment.0)
    .bind(after.0.0 as i16)
    .bind(after.1.0 as i32)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let number = (LaneId(row.lane as u16), Version(row.version as u32));
            (number, row.read())
        })
        .collect())
}

/// A lane's allocation from one moment on.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When it was published.
    pub at: DateTime<Utc>,
    /// The version.
    pub version: Version,
    /// Why it was published.
    pub reason: String,
    /// Why the split was still even.
    pub burn_in: Option<String>,
    /// The open arms and their probabilities, ascending number.
    pub shares: Vec<(ArmId, f64)>,
}

type PointRow = (
    i32,
    DateTime<Utc>,
    String,
    Option<String>,
    Vec<i16>,
    Vec<f64>,
);

fn point((version, at, reason, burn_in, arms, shares): PointRow) -> Point {
    Point {
        at,
        version: Version(version as u32),
        reason,
        burn_in,
        shares: arms
            .into_iter()
            .map(|arm| ArmId(arm as u16))
            .zip(shares)
            .collect(),
    }
}

/// A lane's versions over time, oldest first, thinned evenly to at most `limit`; the newest is always there.
pub async fn history(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    lane: LaneId,
    limit: u32,
) -> Result<Vec<Point>, StoreError> {
    let newest = newest_number(connection, experiment, lane).await?;
    let step = newest.0.div_ceil(limit.max(2) - 1).max(1);
    let rows: Vec<PointRow> = sql::query_as(
        "select version, published_at, reason, burn_in, arms, allocation
         from experiment_policy_versions
         where experiment_id = $1 and lane = $2 and (version % $3 = 0 or version = $4)
         order by version",
    )
    .bind(experiment.0)
    .bind(lane.0 as i16)
    .bind(step as i32)
    .bind(newest.0 as i32)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(point).collect())
}

/// What the publisher writes as the reason of an everyday version, before the number.
pub const LEARNED: &str = "learned from ";

/// A lane's newest milestones, and its newest everyday versions, newest first; at most `limit` of each.
pub async fn milestones(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    lane: LaneId,
    limit: i64,
) -> Result<Vec<Point>, StoreError> {
    let rows: Vec<PointRow> = sql::query_as(
        "(select version, published_at, reason, burn_in, arms, allocation
          from experiment_policy_versions
          where experiment_id = $1 and lane = $2 and not starts_with(reason, $4)
          order by version desc limit $3)
         union all
         (select version, published_at, reason, burn_in, arms, allocation
          from experiment_policy_versions
          where experiment_id = $1 and lane = $2 and starts_with(reason, $4)
          order by version desc limit $3)
         order by 1 desc",
    )
    .bind(experiment.0)
    .bind(lane.0 as i16)
    .bind(limit)
    .bind(LEARNED)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(point).collect())
}

/// The spec that was in force at `revision`.
pub async fn spec_at(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    revision: Revision,
) -> Result<ExperimentSpec, StoreError> {
    let spec: serde_json::Value = sql::query_scalar(
        "select spec from experiment_revisions
         where experiment_id = $1 and revision <= $2 order by revision desc limit 1",
    )
    .bind(experiment.0)
    .bind(revision.0 as i64)
    .fetch_one(connection)
    .await?;
    serde_json::from_value(spec).map_err(|error| {
        StoreError::unreadable(
            format!("spec of experiment {experiment} at revision {revision}"),
            error,
        )
    })
}

/// How many versions an experiment has, all lanes together.
pub async fn count(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<u64, StoreError> {
    let count: i64 = sql::query_scalar(
        "select count(*) from experiment_policy_versions where experiment_id = $1",
    )
    .bind(experiment.0)
    .fetch_one(connection)
    .await?;
    Ok(count as u64)
}
