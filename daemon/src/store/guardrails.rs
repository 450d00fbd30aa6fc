//! Where guardrails stand, what they said, and what people said of them.

use std::collections::BTreeMap;

use bandit::experiment::{ArmId, ExperimentId, Millis};
use bandit::guardrail::{Because, Override, Run, Subject, Verdict, Watch};
use bandit::spec::model::{GuardrailCheck, GuardrailSpec, GuardrailTest};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{StoreError, sql};

/// One guardrail of an experiment, for one subject.
pub type Place = (String, Subject);

/// What a guardrail judges, and how: what was learned under another rule says nothing under this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judges {
    check: GuardrailCheck,
    test: GuardrailTest,
    window: Millis,
}

impl Judges {
    /// That of a guardrail of the file.
    pub fn of(spec: &GuardrailSpec) -> Self {
        Self {
            check: spec.check.clone(),
            test: spec.test,
            window: spec.window,
        }
    }
}

/// What is remembered of it between looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Under which rule.
    pub of: Judges,
    /// Since when it is remembered.
    pub armed_at: DateTime<Utc>,
    /// When a person took back what was done, and it began anew: what came before does not count.
    #[serde(default)]
    pub anew_at: Option<DateTime<Utc>>,
    /// What was counted, for checks that count: one of each limit.
    #[serde(default)]
    pub watches: Vec<Watch>,
    /// Fails in a row, and what came of them.
    pub run: Run,
    /// When it acted.
    #[serde(default)]
    pub acted_at: Option<DateTime<Utc>>,
    /// The newest verdict.
    pub said: Said,
}

/// A verdict with its figures; the row that is kept of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// What it is.
    pub verdict: Verdict,
    /// Where that comes from.
    pub because: Because,
    /// Begin of the window that it is about.
    pub window_start: DateTime<Utc>,
    /// When it was said last.
    pub at: DateTime<Utc>,
    /// How many units or events it goes by.
    pub samples: f64,
    /// The figure that is limited, where there is one.
    #[serde(default)]
    pub value: Option<f64>,
    /// The test's statistic.
    #[serde(default)]
    pub statistic: Option<f64>,
    /// What the statistic must not be beyond.
    #[serde(default)]
    pub bound: Option<f64>,
    /// The limit as a number.
    #[serde(default)]
    pub limit: Option<f64>,
    /// All of it in a sentence.
    pub sentence: String,
}

/// A verdict of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Of which guardrail.
    pub guardrail: String,
    /// On what.
    pub subject: Subject,
    /// The verdict.
    pub said: Said,
    /// What acted on it.
    pub action: Option<String>,
}

/// An arm's number in the tables; -1 is the experiment.
fn code(subject: Subject) -> i16 {
    match subject {
        Subject::Experiment => -1,
        Subject::Arm(arm) => arm.0.cast_signed(),
    }
}

fn subject(code: i16) -> Subject {
    u16::try_from(code).map_or(Subject::Experiment, |arm| Subject::Arm(ArmId(arm)))
}

/// All that is remembered of an experiment's guardrails. What another build wrote and this one cannot read is forgotten.
pub async fn memories(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<BTreeMap<Place, Memory>, StoreError> {
    let rows: Vec<(String, i16, serde_json::Value)> = sql::query_as(
        "select guardrail, arm, memory from experiment_guardrails where experiment_id = $1",
    )
    .bind(experiment.0)
    .fetch_all(connection)
    .await?;
    let read = |(guardrail, arm, memory): (String, i16, serde_json::Value)| {
        match serde_json::from_value(memory) {
            Ok(memory) => Some(((guardrail, subject(arm)), memory)),
            Err(error) => {
                tracing::warn!(target: "pitboss::guardrail", %experiment, guardrail, %error, "guardrail's memory unreadable: it begins anew");
                None
            }
        }
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// The newest verdicts on many experiments: each guardrail's, for each subject.
pub async fn newest(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
) -> Result<BTreeMap<ExperimentId, Vec<(Place, Memory)>>, StoreError> {
    let rows: Vec<(i32, String, i16, serde_json::Value)> = sql::query_as(
        "select experiment_id, guardrail, arm, memory from experiment_guardrails
         where experiment_id = any ($1) order by experiment_id, guardrail, arm",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(connection)
    .await?;
    let mut all: BTreeMap<ExperimentId, Vec<(Place, Memory)>> = BTreeMap::new();
    for (experiment, guardrail, arm, memory) in rows {
        if let Ok(memory) = serde_json::from_value(memory) {
            let of = all.entry(ExperimentId(experiment)).or_default();
            of.push(((guardrail, subject(arm)), memory));
        }
    }
    Ok(all)
}

/// Writes what is remembered, and keeps the verdicts. A window that is judged again and again keeps its newest verdict; one
/// that has acted keeps the verdict that it acted on.
pub async fn put(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    memories: &BTreeMap<Place, Memory>,
    action: impl Fn(&Place) -> Option<&'static str>,
) -> Result<(), StoreError> {
    if memories.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = memories.keys().map(|(name, _)| name.as_str()).collect();
    let arms: Vec<i16> = memories.keys().map(|(_, subject)| code(*subject)).collect();
    let said = || memories.values().map(|memory| &memory.said);
    let looked: Vec<DateTime<Utc>> = said().map(|it| it.at).collect();
    sql::query(
        "insert into experiment_guardrails (experiment_id, guardrail, arm, memory, looked_at)
         select $1, * from unnest($2::text[], $3::int2[], $4::jsonb[], $5::timestamptz[])
         on conflict (experiment_id, guardrail, arm) do update set
             memory = excluded.memory, looked_at = excluded.looked_at",
    )
    .bind(experiment.0)
    .bind(&names)
    .bind(&arms)
    .bind(memories.values().map(Json).collect::<Vec<_>>())
    .bind(&looked)
    .execute(&mut *tx)
    .await?;
    sql::query(
        "insert into experiment_guardrail_verdicts as v (experiment_id, guardrail, arm, window_start,
             evaluated_at, verdict, samples, value, bound, limit_value, action, detail)
         select $1, * from unnest($2::text[], $3::int2[], $4::timestamptz[], $5::timestamptz[], $6::text[],
             $7::int8[], $8::float8[], $9::float8[], $10::float8[], $11::text[], $12::jsonb[])
         on conflict (experiment_id, guardrail, arm, window_start) do update set
             evaluated_at = excluded.evaluated_at, verdict = excluded.verdict,
             samples = excluded.samples, value = excluded.value, bound = excluded.bound,
             limit_value = excluded.limit_value, action = excluded.action, detail = excluded.detail
         where v.action is null",
    )
    .bind(experiment.0)
    .bind(&names)
    .bind(&arms)
    .bind(said().map(|it| it.window_start).collect::<Vec<_>>())
    .bind(&looked)
    .bind(said().map(|it| it.verdict.word()).collect::<Vec<&str>>())
    .bind(said().map(|it| it.samples as i64).collect::<Vec<i64>>())
    .bind(said().map(|it| it.value).collect::<Vec<_>>())
    .bind(said().map(|it| it.bound).collect::<Vec<_>>())
    .bind(said().map(|it| it.limit).collect::<Vec<_>>())
    .bind(memories.keys().map(action).collect::<Vec<_>>())
    .bind(said().map(Json).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets guardrails that the spec in force does not have any more, and arms that are retired. The verdicts stay.
pub async fn forget_others(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    declared: &[&str],
) -> Result<(), StoreError> {
    sql::query(
        "delete from experiment_guardrails g where experiment_id = $1 and (not guardrail = any ($2)
             or exists (select from experiment_arms a
                 where a.experiment_id = $1 and a.arm = g.arm and a.retired))",
    )
    .bind(experiment.0)
    .bind(declared)
    .execute(tx)
    .await?;
    Ok(())
}

/// Drops verdicts from before `until` that led to nothing. Those that acted stay.
pub async fn drop_verdicts(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
    until: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let done = sql::query(
        "delete from experiment_guardrail_verdicts
         where experiment_id = any ($1) and window_start < $2 and action is null",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .bind(until)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Experiments that have ended and of which something is still remembered.
pub async fn ended(connection: &mut PgConnection) -> Result<Vec<ExperimentId>, StoreError> {
    let rows: Vec<(i32,)> = sql::query_as(
        "select distinct g.experiment_id from experiment_guardrails g
         join experiments e on e.id = g.experiment_id where e.state in ('stopped', 'archived')",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id,)| ExperimentId(id)).collect())
}

type KeptRow = (String, i16, Option<String>, Json<Said>);

/// The newest verdicts on an experiment, newest window first, at most `limit`.
pub async fn verdicts(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    limit: i64,
) -> Result<Vec<Kept>, StoreError> {
    let rows: Vec<KeptRow> = sql::query_as(
        "select guardrail, arm, action, detail from experiment_guardrail_verdicts
         where experiment_id = $1 order by window_start desc, guardrail, arm limit $2",
    )
    .bind(experiment.0)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(kept).collect())
}

/// The newest verdicts that acted, newest first, at most `limit`.
pub async fn acted(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    limit: i64,
) -> Result<Vec<Kept>, StoreError> {
    let rows: Vec<KeptRow> = sql::query_as(
        "select guardrail, arm, action, detail from experiment_guardrail_verdicts
         where experiment_id = $1 and action is not null
         order by window_start desc, guardrail, arm limit $2",
    )
    .bind(experiment.0)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(kept).collect())
}

fn kept((guardrail, arm, action, Json(said)): KeptRow) -> Kept {
    Kept {
        guardrail,
        subject: subject(arm),
        said,
        action,
    }
}

type OverrideRow = (String, DateTime<Utc>, String, String, Option<DateTime<Utc>>);

/// The overrides of an experiment's guardrails that have not ended.
pub async fn overrides(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<BTreeMap<String, Override>, StoreError> {
    let rows: Vec<OverrideRow> = sql::query_as(
        "select guardrail, placed_at, placed_by, reason, until from experiment_guardrail_overrides
         where experiment_id = $1 and ended_at is null order by placed_at",
    )
    .bind(experiment.0)
    .fetch_all(connection)
    .await?;
    let read = |(guardrail, at, by, why, until): OverrideRow| {
        let given = Override { until, by, why, at };
        (guardrail, given)
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Places an override; one that stands is replaced.
pub async fn put_override(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    guardrail: &str,
    given: &Override,
) -> Result<(), StoreError> {
    end_override(tx, experiment, guardrail, given.at).await?;
    sql::query(
        "insert into experiment_guardrail_overrides
             (experiment_id, guardrail, placed_at, placed_by, reason, until)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(experiment.0)
    .bind(guardrail)
    .bind(given.at)
    .bind(&given.by)
    .bind(&given.why)
    .bind(given.until)
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends the override of a guardrail, if there is one: it is armed again.
pub async fn end_override(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    guardrail: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "update experiment_guardrail_overrides set ended_at = $3
         where experiment_id = $1 and guardrail = $2 and ended_at is null",
    )
    .bind(experiment.0)
    .bind(guardrail)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}
