//! The audit log: one row per mutation, in its transaction, chained by hashes over the stored values.
//!
//! The database refuses updates and deletes. Whoever gets round that breaks the chain, which
//! [`verify`] finds, up to cutting the tail together with the installation's copy of the head; against
//! that the head is written to the application log with every mutation.

mod chain;
#[cfg(test)]
mod tests;
mod verify;

use bandit::experiment::Revision;
use chrono::{DateTime, Utc};
use protocol::control::{AuditEntry, AuditPage, AuditQuery};
use sqlx::PgConnection;
use uuid::Uuid;

use super::mutations::Mutation;
use super::{Store, StoreError, sql};

pub use chain::ChainHead;
pub use verify::{ChainCheck, Fault, verify};

/// Rows of one page, at most: more than a screen's history needs at once.
const MAX_PAGE: u32 = 500;

/// Bytes of bodies of one page, at most: half a frame, so that quoting them as JSON still fits.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// What a mutation says about itself.
#[derive(Debug, Clone)]
pub struct NewEntry<'a> {
    /// Who.
    pub actor: &'a str,
    /// Through what.
    pub via: &'a str,
    /// The verb.
    pub action: &'a str,
    /// On what.
    pub target: &'a str,
    /// `ok` or `refused`.
    pub result: &'a str,
    /// The installation's revision after it.
    pub revision: Revision,
    /// Why.
    pub reason: &'a str,
    /// The request's id.
    pub request_id: Uuid,
    /// What changed and what was answered: JSON text, kept and hashed as it is.
    pub body: &'a str,
}

/// One row as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Row {
    seq: i64,
    at: DateTime<Utc>,
    actor: String,
    via: String,
    action: String,
    target: String,
    result: String,
    revision: i64,
    reason: String,
    request_id: Uuid,
    body: String,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
}

/// Appends the mutation's row and moves the installation to its revision. Call it last, and once.
pub async fn append(
    tx: &mut PgConnection,
    mutation: Mutation,
    entry: &NewEntry<'_>,
) -> Result<ChainHead, StoreError> {
    let mut row = Row {
        seq: mutation.chain.seq + 1,
        at: mutation.now,
        actor: entry.actor.to_owned(),
        via: entry.via.to_owned(),
        action: entry.action.to_owned(),
        target: entry.target.to_owned(),
        result: entry.result.to_owned(),
        revision: entry.revision.0.cast_signed(),
        reason: entry.reason.to_owned(),
        request_id: entry.request_id,
        body: entry.body.to_owned(),
        previous_hash: mutation.chain.hash.to_vec(),
        hash: Vec::new(),
    };
    let hash = row.link();
    row.hash = hash.to_vec();
    insert(tx, &row).await?;
    sql::query("update installation set revision = $1, audit_seq = $2, audit_head = $3")
        .bind(row.revision)
        .bind(row.seq)
        .bind(&row.hash)
        .execute(tx)
        .await?;
    Ok(ChainHead { seq: row.seq, hash })
}

async fn insert(tx: &mut PgConnection, row: &Row) -> Result<(), StoreError> {
    sql::query(
        "insert into experiment_audit_logs (seq, at, actor, via, action, target, result, revision,
             reason, request_id, body, previous_hash, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(row.seq)
    .bind(row.at)
    .bind(&row.actor)
    .bind(&row.via)
    .bind(&row.action)
    .bind(&row.target)
    .bind(&row.result)
    .bind(row.revision)
    .bind(&row.reason)
    .bind(row.request_id)
    .bind(&row.body)
    .bind(&row.previous_hash)
    .bind(&row.hash)
    .execute(tx)
    .await?;
    Ok(())
}

/// The body of the row that a request left behind, if it was carried out or refused before.
pub async fn body_of_request(
    tx: &mut PgConnection,
    request_id: Uuid,
) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> =
        sql::query_as("select body from experiment_audit_logs where request_id = $1")
            .bind(request_id)
            .fetch_optional(tx)
            .await?;
    Ok(row.map(|(body,)| body))
}

/// One page, newest first.
pub async fn page(store: &Store, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    // PostgreSQL's texts cannot hold NUL, so no stored target has one.
    if query.key.as_deref().is_some_and(|key| key.contains('\0')) {
        return Ok(AuditPage {
            entries: Vec::new(),
            next: None,
        });
    }
    let limit = query.limit.clamp(1, MAX_PAGE);
    let before = query
        .before
        .map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
    let mut session = store.session().await?;
    let mut rows: Vec<Row> = sql::query_as(
        "select seq, at, actor, via, action, target, result, revision, reason, request_id, body,
             previous_hash, hash
         from experiment_audit_logs
         where seq < $1 and ($2::text is null or target = $2)
         order by seq desc limit $3",
    )
    .bind(before)
    .bind(query.key.as_deref())
    .bind(i64::from(limit) + 1)
    .fetch_all(&mut *session)
    .await?;
    let fits = rows_within(&rows, MAX_PAGE_BYTES).min(limit as usize);
    let more = rows.len() > fits;
    rows.truncate(fits);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|row| row.seq.cast_unsigned());
    Ok(AuditPage {
        entries: rows.into_iter().map(AuditEntry::from).collect(),
        next,
    })
}

/// How many of the first rows have bodies of at most `bytes` together; at least one, or no page ends.
fn rows_within(rows: &[Row], bytes: usize) -> usize {
    let mut sum = 0;
    let fitting = rows.iter().take_while(|row| {
        sum += row.body.len();
        sum <= bytes
    });
    fitting.count().max(1)
}

impl From<Row> for AuditEntry {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq.cast_unsigned(),
            at: row.at,
            actor: row.actor,
            via: row.via,
            action: row.action,
            target: row.target,
            result: row.result,
            revision: row.revision.cast_unsigned(),
            reason: row.reason,
            request_id: row.request_id,
            body: row.body,
        }
    }
}
