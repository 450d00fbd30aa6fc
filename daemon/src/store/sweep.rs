//! The whole events ledger from its first block to its last, a stretch at a time, for `pitbossd verify`.
//!
//! Most events are no part of a reward and are in no index by unit, and the primary key leads through the ledger
//! in the order of the ids, which for callers' own ids is none: every row would be a block read. Blocks in their
//! order are read once, each statement ends soon, and nothing is kept between two.

use bandit::experiment::ExperimentId;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{StoreError, sql};

/// A table that has a part of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Part {
    /// Its name, quoted where it must be.
    name: String,
    /// Its blocks, some of which may have been added after the snapshot: nothing in them is seen.
    pub blocks: i64,
}

/// Blocks of one part, the last excluded.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// Of which part.
    pub part: &'a Part,
    /// The first.
    pub from: i64,
    /// The one after the last.
    pub until: i64,
}

/// The names of the events that are part of a reward, one experiment's beside the other's.
#[derive(Debug, Default)]
pub struct RewardNames {
    experiments: Vec<i32>,
    names: Vec<String>,
}

impl RewardNames {
    /// Adds one.
    pub fn push(&mut self, experiment: ExperimentId, name: &str) {
        self.experiments.push(experiment.0);
        self.names.push(name.to_owned());
    }
}

/// Events of one experiment, one name and one standing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Their name.
    pub event: String,
    /// The code of where they stand.
    pub standing: i16,
}

/// What a stretch holds.
#[derive(Debug, Default)]
pub struct Swept {
    /// How many events of each kind.
    pub counts: Vec<(ExperimentId, Kind, i64)>,
    /// Events that are no part of a reward although their unit has not met an arm.
    pub unexposed: Vec<(ExperimentId, i64)>,
    /// Events that are no part of a reward although their name is a reward's, each name and value once.
    pub named: Vec<(ExperimentId, String, Option<f64>)>,
}

/// Keeps the tables of the ledger from being dropped until the transaction ends. Comes before its first statement,
/// so that its snapshot has all that the tables hold.
pub async fn hold(view: &mut PgConnection) -> Result<(), StoreError> {
    sql::query("lock table experiment_events in access share mode")
        .execute(view)
        .await?;
    Ok(())
}

/// The tables that make up the ledger.
pub async fn parts(view: &mut PgConnection) -> Result<Vec<Part>, StoreError> {
    Ok(sql::query_as(
        "select oid::regclass::text as name,
             pg_relation_size(oid) / current_setting('block_size')::int8 as blocks
         from pg_class where relkind = 'r'
             and oid in (select relid from pg_partition_tree('experiment_events'))
         order by oid",
    )
    .fetch_all(view)
    .await?)
}

/// Reads one stretch.
pub async fn stretch(
    view: &mut PgConnection,
    stretch: Stretch<'_>,
    names: &RewardNames,
) -> Result<Swept, StoreError> {
    Ok(Swept {
        counts: counts(view, stretch).await?,
        unexposed: unexposed(view, stretch).await?,
        named: named(view, stretch, names).await?,
    })
}

impl Stretch<'_> {
    /// `select`, from the table, where the condition is the stretch; its parameters are the first two.
    fn sql(&self, select: &str) -> String {
        format!(
            "{select} from {} where ctid >= $1::text::tid and ctid < $2::text::tid",
            self.part.name
        )
    }

    fn bounds(&self) -> (String, String) {
        (format!("({},0)", self.from), format!("({},0)", self.until))
    }
}

async fn counts(
    view: &mut PgConnection,
    stretch: Stretch<'_>,
) -> Result<Vec<(ExperimentId, Kind, i64)>, StoreError> {
    let text = stretch.sql("select experiment_id, event, outcome, count(*)") + " group by 1, 2, 3";
    let (from, until) = stretch.bounds();
    let rows: Vec<(i32, String, i16, i64)> = sql::query_as(AssertSqlSafe(text))
        .bind(from)
        .bind(until)
        .fetch_all(view)
        .await?;
    let kind = |(experiment, event, standing, count)| {
        let kind = Kind { event, standing };
        (ExperimentId(experiment), kind, count)
    };
    Ok(rows.into_iter().map(kind).collect())
}

async fn unexposed(
    view: &mut PgConnection,
    stretch: Stretch<'_>,
) -> Result<Vec<(ExperimentId, i64)>, StoreError> {
    // A scalar subquery is a look-up by the primary key whatever the planner believes of the stretch's size; a join
    // may become a scan of all assignments, once a stretch.
    let units = stretch.sql("select experiment_id, unit_key, count(*) as events")
        + " and outcome = 5 group by 1, 2";
    let text = format!(
        "select experiment_id, sum(events)::int8 from ({units}) e
         where (select a.exposed_at from experiment_assignments a
                where a.experiment_id = e.experiment_id and a.unit_key = e.unit_key) is null
         group by 1"
    );
    let (from, until) = stretch.bounds();
    let rows: Vec<(i32, i64)> = sql::query_as(AssertSqlSafe(text))
        .bind(from)
        .bind(until)
        .fetch_all(view)
        .await?;
    let counted = |(experiment, count)| (ExperimentId(experiment), count);
    Ok(rows.into_iter().map(counted).collect())
}

async fn named(
    view: &mut PgConnection,
    stretch: Stretch<'_>,
    names: &RewardNames,
) -> Result<Vec<(ExperimentId, String, Option<f64>)>, StoreError> {
    let text = stretch.sql("select distinct experiment_id, event, value")
        + " and outcome = 5 and (experiment_id, event) in (select * from unnest($3::int4[], $4::text[]))";
    let (from, until) = stretch.bounds();
    let rows: Vec<(i32, String, Option<f64>)> = sql::query_as(AssertSqlSafe(text))
        .bind(from)
        .bind(until)
        .bind(&names.experiments)
        .bind(&names.names)
        .fetch_all(view)
        .await?;
    let told = |(experiment, event, value)| (ExperimentId(experiment), event, value);
    Ok(rows.into_iter().map(told).collect())
}

/// How many events of each kind of one experiment are kept count of.
pub async fn kept(
    view: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<Vec<(Kind, i64)>, StoreError> {
    let rows: Vec<(String, i16, i64)> = sql::query_as(
        "select event, outcome, sum(count)::int8 from experiment_event_counts
         where experiment_id = $1 group by 1, 2",
    )
    .bind(experiment.0)
    .fetch_all(view)
    .await?;
    let kind = |(event, standing, count)| (Kind { event, standing }, count);
    Ok(rows.into_iter().map(kind).collect())
}
