//! Who leads each background role. The database's clock decides, and a term fences what a deposed leader
//! still tries to write.

use std::time::Duration;

use sqlx::PgConnection;

use super::{Store, StoreError};

/// 15 s: three missed renewals of the slowest worker. A daemon that stalls for longer is taken over from,
/// and what it then writes is refused by its old term.
const TTL: Duration = Duration::from_secs(15);

/// Leadership of one role, until it expires by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What is led, such as `fold`.
    pub role: &'static str,
    /// Which run of which daemon leads.
    pub holder: String,
    /// Rises with every change of leader.
    pub term: i64,
}

/// The lease is no longer ours: what was being written must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposed;

impl Store {
    /// Takes or renews the lease of `role` for `holder`; `None` while another holder has it.
    pub async fn take_lease(
        &self,
        role: &'static str,
        holder: &str,
    ) -> Result<Option<Lease>, StoreError> {
        let term: Option<i64> = sqlx::query_scalar(
            "insert into leases as l (role, holder, term, expires_at)
             values ($1, $2, 1, now() + $3)
             on conflict (role) do update set
                 holder = excluded.holder,
                 term = case when l.holder = excluded.holder and l.expires_at >= now()
                             then l.term else l.term + 1 end,
                 expires_at = excluded.expires_at
             where l.expires_at < now() or l.holder = excluded.holder
             returning term",
        )
        .bind(role)
        .bind(holder)
        .bind(TTL)
        .fetch_optional(&self.pool)
        .await?;
        Ok(term.map(|term| Lease {
            role,
            holder: holder.to_owned(),
            term,
        }))
    }

    /// Gives a lease back, so that another daemon need not wait for it to expire.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        sqlx::query(
            "update leases set expires_at = now() - interval '1 second'
             where role = $1 and holder = $2 and term = $3",
        )
        .bind(lease.role)
        .bind(&lease.holder)
        .bind(lease.term)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// The fence: called last in a led transaction. It locks the lease's row until commit, so nobody can be
/// elected between the check and the commit. Called last because a leader that stalls inside a transaction
/// must not hold up the election of the next.
pub async fn confirm(
    tx: &mut PgConnection,
    lease: &Lease,
) -> Result<Result<(), Deposed>, StoreError> {
    let ours: Option<i32> = sqlx::query_scalar(
        "select 1 from leases
         where role = $1 and holder = $2 and term = $3 and expires_at > clock_timestamp()
         for share",
    )
    .bind(lease.role)
    .bind(&lease.holder)
    .bind(lease.term)
    .fetch_optional(tx)
    .await?;
    Ok(ours.map(|_| ()).ok_or(Deposed))
}
