//! Walks the whole chain and names the first row that does not fit.

use futures::TryStreamExt;

use super::{ChainHead, Row};
use crate::store::{Store, StoreError, sql};

/// What walking the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainCheck {
    /// Rows that fit.
    pub rows: u64,
    /// The newest row that fits; compare it with the application log's newest.
    pub head: ChainHead,
    /// The first thing that does not fit, if any.
    pub fault: Option<Fault>,
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Rows are missing before this one.
    #[error("audit row {0} is missing")]
    Missing(i64),
    /// The row was put in or its predecessor was changed.
    #[error("audit row {0} does not follow the row before it")]
    Unlinked(i64),
    /// The row was changed.
    #[error("audit row {0} was changed after it was written")]
    Changed(i64),
    /// The chain ends elsewhere than the installation says.
    #[error("the audit log ends at row {found}, but row {recorded} was written last")]
    Cut {
        /// The newest row there is.
        found: i64,
        /// The newest row that was written.
        recorded: i64,
    },
}

/// Reads every row in order, as of one instant, and stops at the first fault.
pub async fn verify(store: &Store) -> Result<ChainCheck, StoreError> {
    let mut tx = store.begin().await?;
    sql::query("set transaction isolation level repeatable read read only")
        .execute(&mut *tx)
        .await?;
    let (seq, hash): (i64, Vec<u8>) =
        sql::query_as("select audit_seq, audit_head from installation")
            .fetch_one(&mut *tx)
            .await?;
    let recorded = ChainHead::stored(seq, hash)?;
    let mut check = ChainCheck {
        rows: 0,
        head: ChainHead::START,
        fault: None,
    };
    let mut rows = sql::query_as::<Row>(
        "select seq, at, actor, via, action, target, result, revision, reason, request_id, body,
             previous_hash, hash
         from experiment_audit_logs order by seq",
    )
    .fetch(&mut *tx);
    while let Some(row) = rows.try_next().await? {
        check.fault = fault_of(&row, check.head);
        if check.fault.is_some() {
            return Ok(check);
        }
        check.rows += 1;
        check.head = ChainHead::stored(row.seq, row.hash)?;
    }
    if check.head != recorded {
        check.fault = Some(Fault::Cut {
            found: check.head.seq,
            recorded: recorded.seq,
        });
    }
    Ok(check)
}

fn fault_of(row: &Row, before: ChainHead) -> Option<Fault> {
    if row.seq != before.seq + 1 {
        return Some(Fault::Missing(before.seq + 1));
    }
    if row.previous_hash != before.hash {
        return Some(Fault::Unlinked(row.seq));
    }
    if row.hash != row.link() {
        return Some(Fault::Changed(row.seq));
    }
    None
}
