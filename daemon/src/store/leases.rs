//! Who leads each background role. The database's clock decides, and a term fences what a deposed leader
//! still tries to write.
//!
//! A leader writes through [`Store::run_led_tx`](super::Store::run_led_tx), which asks for the lease last, and
//! believes itself the leader for [`TRUST`] from the moment it began to ask: less than what the row says, so that
//! it has stopped before another one starts. What it believes saves work; what the row says decides.

use std::time::Duration;

use sqlx::PgConnection;

use super::{Store, StoreError, sql};

/// 10 s: with the 5 s of the slowest worker's timer, a role is taken over within 15 s of its leader's last
/// sign of life. A daemon that stalls for longer is deposed, and what it then writes is refused by its old term.
const TTL: Duration = Duration::from_secs(10);

/// 9 s: how long a leader trusts its lease by its own clock, from when it began to ask for it. The second is for
/// a database clock that runs a little faster than ours.
pub const TRUST: Duration = Duration::from_secs(9);

/// 2 s: four renewals within a leader's trust, so that one that is lost or slow costs nothing.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another daemon leads now")]
pub struct Deposed;

impl Store {
    /// Takes or renews the lease of `role` for `holder`; `None` while another holder has it.
    pub async fn take_lease(
        &self,
        role: &'static str,
        holder: &str,
    ) -> Result<Option<Lease>, StoreError> {
        let mut session = self.session().await?;
        let term: Option<i64> = sql::query_scalar(
            "insert into leases as l (role, holder, term, expires_at, renewed_at)
             values ($1, $2, 1, now() + $3, now())
             on conflict (role) do update set
                 holder = excluded.holder,
                 term = case when l.holder = excluded.holder and l.expires_at >= now()
                             then l.term else l.term + 1 end,
                 expires_at = excluded.expires_at,
                 renewed_at = excluded.renewed_at
             where l.expires_at < now() or l.holder = excluded.holder
             returning term",
        )
        .bind(role)
        .bind(holder)
        .bind(TTL)
        .fetch_optional(&mut *session)
        .await?;
        session.keep().await?;
        Ok(term.map(|term| Lease {
            role,
            holder: holder.to_owned(),
            term,
        }))
    }

    /// Gives a lease back, so that another daemon need not wait for it to expire.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        sql::query(
            "update leases set expires_at = now() - interval '1 second'
             where role = $1 and holder = $2 and term = $3",
        )
        .bind(lease.role)
        .bind(&lease.holder)
        .bind(lease.term)
        .execute(&mut *session)
        .await?;
        session.keep().await
    }
}

/// The fence, last in a led transaction. It locks the lease's row until commit, so nobody can be
/// elected between the check and the commit. Last because a leader that stalls inside a transaction
/// must not hold up the election of the next.
pub async fn confirm(
    tx: &mut PgConnection,
    lease: &Lease,
) -> Result<Result<(), Deposed>, StoreError> {
    let ours: Option<i32> = sql::query_scalar(
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
