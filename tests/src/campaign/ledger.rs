//! What the ledgers hold, read behind the daemons' backs.

use bandit::assign::UnitKey;
use sqlx::PgConnection;
use uuid::Uuid;

/// A row of the events ledger.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct EventRow {
    /// The experiment's key.
    pub experiment: String,
    /// The ledger's id.
    pub event_id: Uuid,
    /// Who.
    pub unit_key: Vec<u8>,
    /// What.
    pub event: String,
    /// How much.
    pub value: Option<f64>,
}

/// A row of the assignments ledger.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AssignmentRow {
    /// Who.
    pub unit_key: Vec<u8>,
    /// The arm's name.
    pub arm: String,
    /// The policy version that drew it.
    pub version: i32,
}

impl EventRow {
    /// Who.
    pub fn unit(&self) -> Option<UnitKey> {
        Some(UnitKey(self.unit_key.as_slice().try_into().ok()?))
    }
}

impl AssignmentRow {
    /// Who.
    pub fn unit(&self) -> Option<UnitKey> {
        Some(UnitKey(self.unit_key.as_slice().try_into().ok()?))
    }
}

/// The whole events ledger.
pub async fn events(connection: &mut PgConnection) -> anyhow::Result<Vec<EventRow>> {
    let rows = sqlx::query_as(
        "select e.key as experiment, l.event_id, l.unit_key, l.event, l.value
         from experiment_events l join experiments e on e.id = l.experiment_id",
    );
    Ok(rows.fetch_all(connection).await?)
}

/// How many rows it has.
pub async fn event_count(connection: &mut PgConnection) -> anyhow::Result<i64> {
    let count = sqlx::query_scalar("select count(*) from experiment_events");
    Ok(count.fetch_one(connection).await?)
}

/// The whole assignments ledger.
pub async fn assignments(connection: &mut PgConnection) -> anyhow::Result<Vec<AssignmentRow>> {
    let rows = sqlx::query_as(
        "select l.unit_key, a.name as arm, l.version
         from experiment_assignments l join experiment_arms a using (experiment_id, arm)",
    );
    Ok(rows.fetch_all(connection).await?)
}

/// The reasons in the audit log.
pub async fn reasons(connection: &mut PgConnection) -> anyhow::Result<Vec<String>> {
    let rows = sqlx::query_scalar("select reason from experiment_audit_logs order by seq");
    Ok(rows.fetch_all(connection).await?)
}

/// Who leads `role` now, by the database's clock.
pub async fn leader(connection: &mut PgConnection, role: &str) -> anyhow::Result<Option<String>> {
    let holder =
        sqlx::query_scalar("select holder from leases where role = $1 and expires_at > now()");
    Ok(holder.bind(role).fetch_optional(connection).await?)
}

/// The longest that any session waits for a lock now, in seconds.
pub async fn longest_lock_wait(connection: &mut PgConnection) -> anyhow::Result<f64> {
    let wait = sqlx::query_scalar(
        "select coalesce(extract(epoch from max(clock_timestamp() - waitstart)), 0)::float8
         from pg_locks where not granted",
    );
    Ok(wait.fetch_one(connection).await?)
}
