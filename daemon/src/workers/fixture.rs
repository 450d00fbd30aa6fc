//! For tests: a started experiment on a database of its own, units that are assigned at any time, and folds
//! that happen when the test says so.

mod part;

use bandit::assign::{Decision, Stored, UnitKey, decide};
use bandit::experiment::{Arm, ExperimentId, Revision, RunState};
use bandit::lanes::LaneNumbers;
use bandit::spec::model::{Attributes, ExperimentSpec};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::fold::{self, FoldError, Folded, Guarded, Known, RewardSpecs};
use crate::publication::serving_at;
use crate::store::assignments::{self, Draw};
use crate::store::landing::{self, Landed, LandedKind};
use crate::store::revisions::Numbered;
use crate::store::units::Drawn;
use crate::store::versions::{self, Change};
use crate::store::{Store, StoreError, TxFuture, revisions};
use crate::testing::{TestDatabase, database};

pub(crate) use part::Part;

/// Two arms, a window of a day, an hour of grace, an even split until 40 rewards an arm.
pub(crate) const CHECKOUT: &str = r#"
[[experiment]]
key = "checkout"
arms = ["blue", "green"]
control = "blue"
holdback = "20%"

[experiment.policy]
kind = "thompson"
floor = "5%"
burn_in = { for = "1h", exposures_per_arm = 0, rewards_per_arm = 40 }
publish_every = "1s"

[experiment.reward]
success = "purchase"
negative = "refund"
window = "24h"
grace = "1h"
"#;

/// What the tests derive unit keys with.
pub(crate) const SECRET: [u8; 32] = [7; 32];

/// A started experiment.
pub(crate) struct Fixture {
    pub(crate) database: TestDatabase,
    pub(crate) id: ExperimentId,
    pub(crate) spec: ExperimentSpec,
    pub(crate) arms: Vec<Arm>,
    pub(crate) lanes: LaneNumbers,
    /// When it was started; units and events are placed relative to it.
    pub(crate) start: DateTime<Utc>,
}

/// An event to land.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) unit: u32,
    pub(crate) name: &'static str,
    pub(crate) value: Option<f64>,
    pub(crate) id: u128,
    pub(crate) at: DateTime<Utc>,
}

/// The key of a test's unit.
pub(crate) fn unit(number: u32) -> UnitKey {
    UnitKey::derive(&SECRET, &format!("unit-{number}"))
}

/// So many hours.
pub(crate) fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

impl Fixture {
    /// The experiment of `text`, started at a fixed instant.
    pub(crate) async fn start(text: &str) -> Self {
        Self::start_at(text, DateTime::UNIX_EPOCH + TimeDelta::days(20_000)).await
    }

    /// The same, started at `start`.
    pub(crate) async fn start_at(text: &str, start: DateTime<Utc>) -> Self {
        let database = database().await;
        let spec = bandit::spec::parse("test.toml", text)
            .expect("the test's file is valid")
            .experiments
            .remove(0);
        let (id, numbered) = started(&database.store, &spec, start).await;
        Self {
            database,
            id,
            spec,
            arms: numbered.arms,
            lanes: numbered.lanes,
            start,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.database.store
    }

    /// Assigns a unit under the newest versions, exposed or not; says what it drew.
    pub(crate) async fn assign(&self, number: u32, at: DateTime<Utc>, expose: bool) -> Drawn {
        self.assign_all(&[number], at, expose).await[0]
    }

    /// Assigns units, each once.
    pub(crate) async fn assign_all(
        &self,
        numbers: &[u32],
        at: DateTime<Utc>,
        expose: bool,
    ) -> Vec<Drawn> {
        let mut connection = self.store().pool.acquire().await.unwrap();
        self.assign_on(&mut connection, numbers, at, expose).await
    }

    /// The same, in somebody's transaction.
    pub(crate) async fn assign_on(
        &self,
        connection: &mut PgConnection,
        numbers: &[u32],
        at: DateTime<Utc>,
        expose: bool,
    ) -> Vec<Drawn> {
        let mut lanes = Vec::new();
        for version in versions::newest(connection, &[self.id]).await.unwrap() {
            lanes.push(version.unwrap());
        }
        lanes.sort_by_key(|version| version.lane);
        let mut serving = serving_at(&self.spec, &self.arms, &self.lanes, &lanes[0]).unwrap();
        for (lane, version) in serving.lanes.iter_mut().zip(&lanes) {
            lane.version = version.version;
            lane.allocation = version.allocation.clone();
        }
        let mut draws = Vec::new();
        let mut drawn = Vec::new();
        for number in numbers {
            let decision = decide(&serving, &unit(*number), &Attributes::new());
            let Decision::Draw {
                lane, arm, version, ..
            } = decision
            else {
                panic!("unit {number} is not drawn: {decision:?}");
            };
            drawn.push(Drawn { lane, arm, version });
            draws.push(Draw {
                place: (self.id, unit(*number)),
                stored: Stored { lane, arm, version },
                expose,
                at,
            });
        }
        draws.sort_by_key(|draw| draw.place);
        assignments::record(connection, &draws).await.unwrap();
        drawn
    }

    /// Lands events, in this order.
    pub(crate) async fn land(&self, events: &[Event]) {
        let mut connection = self.store().pool.acquire().await.unwrap();
        self.land_on(&mut connection, events).await;
    }

    /// The same, in somebody's transaction.
    pub(crate) async fn land_on(&self, connection: &mut PgConnection, events: &[Event]) {
        let rows: Vec<Landed> = events
            .iter()
            .map(|event| Landed {
                experiment: self.id,
                event_id: Uuid::from_u128(event.id),
                unit: unit(event.unit),
                kind: LandedKind::Event,
                event: event.name.to_owned(),
                value: event.value,
                digest: u64::from(event.unit) ^ event.value.unwrap_or(0.0).to_bits(),
                at: event.at,
                received_at: event.at,
            })
            .collect();
        let rows: Vec<&Landed> = rows.iter().collect();
        landing::land(connection, &rows).await.unwrap();
    }

    /// Lands late exposures.
    pub(crate) async fn expose(&self, number: u32, at: DateTime<Utc>) {
        let row = Landed {
            experiment: self.id,
            event_id: Uuid::now_v7(),
            unit: unit(number),
            kind: LandedKind::Exposure,
            event: String::new(),
            value: None,
            digest: 0,
            at,
            received_at: at,
        };
        self.land_rows(&[row]).await;
    }

    pub(crate) async fn land_rows(&self, rows: &[Landed]) {
        let rows: Vec<&Landed> = rows.iter().collect();
        let mut connection = self.store().pool.acquire().await.unwrap();
        landing::land(&mut connection, &rows).await.unwrap();
    }

    /// One round of the fold, committed.
    pub(crate) async fn fold_batch(
        &self,
        now: DateTime<Utc>,
        batch: i64,
    ) -> Result<Folded, FoldError> {
        let specs = &RewardSpecs::default();
        specs.guard(self.guarded());
        self.store()
            .run_tx("fold", |tx| {
                TxFuture::new(
                    async move { fold::round(tx, specs, &Known::default(), batch, now).await },
                )
            })
            .await
    }

    /// What its guardrails ask for.
    fn guarded(&self) -> Guarded {
        let mut guarded = Guarded::default();
        guarded.declare(self.id, &self.spec.guardrails);
        guarded
    }

    /// Folds until nothing is left.
    pub(crate) async fn fold(&self, now: DateTime<Utc>) -> Folded {
        let mut total = Folded::default();
        loop {
            total.add(self.fold_batch(now, fold::BATCH).await.unwrap());
            if !total.more {
                return total;
            }
        }
    }

    /// Runs a statement; returns how many rows it changed.
    pub(crate) async fn execute(&self, sql: &'static str) -> u64 {
        let done = sqlx::query(sql).execute(&self.store().pool).await;
        done.unwrap().rows_affected()
    }

    /// Everything that the fold writes, as text, to be compared.
    pub(crate) async fn ledgers(&self) -> Vec<String> {
        let mut all = Vec::new();
        for sql in [
            "select t::text from (select experiment_id, unit_key, lane, arm, version, open, exposed_at
                 from experiment_assignments order by 1, 2) t",
            "select t::text from (select experiment_id, event_id, unit_key, event, value, at, outcome
                 from experiment_events order by 1, 2) t",
            "select t::text from (select distinct on (experiment_id, unit_key) experiment_id, unit_key,
                 kind, lane, arm, version, reward_micro
                 from experiment_rewards order by experiment_id, unit_key, entry desc) t",
            "select t::text from (select * from experiment_bandit_state order by 1, 2, 3, 4) t",
            "select t::text from (select experiment_id, lane, arm, event, sum(count)
                 from experiment_minutes group by 1, 2, 3, 4 order by 1, 2, 3, 4) t",
            "select t::text from (select * from experiment_event_repeats order by 1) t",
            "select t::text from (select experiment_id, event, outcome, week, count
                 from experiment_event_counts where count <> 0 order by 1, 2, 3, 4) t",
        ] {
            let rows: Vec<String> = sqlx::query_scalar(sql)
                .fetch_all(&self.store().pool)
                .await
                .unwrap();
            all.extend(rows);
        }
        all
    }
}

async fn started(
    store: &Store,
    spec: &ExperimentSpec,
    start: DateTime<Utc>,
) -> (ExperimentId, Numbered) {
    store
        .run_tx("test", |tx| {
            TxFuture::new(async move {
                let revision = Revision(1);
                let id = revisions::create(tx, spec.key.as_str(), revision, start).await?;
                let numbered = revisions::put_spec(tx, id, spec, revision, start).await?;
                let running = RunState::Running { since: start };
                revisions::put_state(tx, id, &running, revision).await?;
                let change = Change {
                    experiment: id,
                    revision,
                    spec,
                    arms: &numbered.arms,
                    lanes: &numbered.lanes,
                    started_at: start,
                    reason: "started",
                    at: start,
                };
                versions::publish_all_lanes(tx, &change)
                    .await
                    .map_err(|error| StoreError::unreadable("publication", error))?;
                Ok::<_, StoreError>((id, numbered))
            })
        })
        .await
        .unwrap()
}
