//! How a statement is put to the database: the same three functions as sqlx's, and the one place that decides
//! whether it is prepared under a name.
//!
//! A prepared statement lives in the server's session. Behind a pooler in transaction mode every transaction may
//! get another session, where the name is unknown or stands for somebody else's statement. There, a statement
//! is prepared without a name, inside the transaction that runs it. `deallocate all` at the start of each
//! transaction would do as well, but it pulls names from under the poolers that keep track of them (`PgBouncer`
//! 1.21 and later).

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{FromRow, Postgres, SqlSafeStr};

/// Of the process, not of a pool: a query is written down before it meets its connection. Statements without a
/// name work everywhere and only cost more, so one pool that must not have names decides for all.
static NAMED: AtomicBool = AtomicBool::new(true);

/// From now on no statement of this process is prepared under a name.
pub(super) fn name_nothing() {
    NAMED.store(false, Ordering::Relaxed);
}

fn named() -> bool {
    NAMED.load(Ordering::Relaxed)
}

/// A statement with its parameters.
pub(super) fn query<'q>(text: impl SqlSafeStr) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(text).persistent(named())
}

/// One whose rows are read as `O`.
pub(super) fn query_as<'q, O>(text: impl SqlSafeStr) -> QueryAs<'q, Postgres, O, PgArguments>
where
    O: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(text).persistent(named())
}

/// One whose rows are a single value.
pub(super) fn query_scalar<'q, O>(
    text: impl SqlSafeStr,
) -> QueryScalar<'q, Postgres, O, PgArguments>
where
    (O,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar(text).persistent(named())
}
