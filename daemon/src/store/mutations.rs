//! The one lock that puts mutations in order, and the revision they count.

use bandit::experiment::Revision;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::audit::ChainHead;
use super::{StoreError, sql};

/// A mutation under way: it holds the installation's row until its transaction ends.
#[derive(Debug)]
pub struct Mutation {
    /// The revision before it.
    pub base: Revision,
    /// When it got the lock, by the database's clock.
    pub now: DateTime<Utc>,
    /// The audit chain's newest row.
    pub(super) chain: ChainHead,
}

impl Mutation {
    /// Waits for the lock. Mutations take milliseconds, so no limit is set beyond the connection's own.
    pub async fn begin(tx: &mut PgConnection) -> Result<Self, StoreError> {
        let (revision, seq, hash): (i64, i64, Vec<u8>) =
            sql::query_as("select revision, audit_seq, audit_head from installation for update")
                .fetch_one(&mut *tx)
                .await?;
        // Not now(), which is when the transaction began to wait: a later mutation would carry an
        // earlier time than the one before it.
        let (now,): (DateTime<Utc>,) = sql::query_as("select clock_timestamp()")
            .fetch_one(tx)
            .await?;
        Ok(Self {
            base: Revision(revision.cast_unsigned()),
            now,
            chain: ChainHead::stored(seq, hash)?,
        })
    }

    /// The revision after it, if it changes anything.
    pub fn next(&self) -> Revision {
        Revision(self.base.0 + 1)
    }
}

/// Everything this transaction reads from here on, it reads as of one instant. First in its transaction.
pub async fn read_one_instant(tx: &mut PgConnection) -> Result<(), StoreError> {
    sql::query("set transaction isolation level repeatable read read only")
        .execute(tx)
        .await?;
    Ok(())
}

/// The newest revision, and the database's clock; takes no lock.
pub async fn revision(tx: &mut PgConnection) -> Result<(Revision, DateTime<Utc>), StoreError> {
    let (revision, now): (i64, DateTime<Utc>) =
        sql::query_as("select revision, clock_timestamp() from installation")
            .fetch_one(tx)
            .await?;
    Ok((Revision(revision.cast_unsigned()), now))
}
