//! Bringing the schema to the version of this build, and refusing one that is ahead of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::error::DatabaseError;
use sqlx::migrate::{Migration, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::{Pooler, StoreError, sql};
use crate::clock::Stopwatch;

/// The migrations of this build, embedded.
static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// A schema that this build cannot use.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// Another, newer pitbossd has been here.
    #[error(
        "the database's schema is version {found}, and this pitbossd knows versions up to {known}; start a newer pitbossd"
    )]
    Newer {
        /// The schema's version.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// An older one, where nothing may be changed.
    #[error(
        "the database's schema is version {found}, and this pitbossd needs {known}; bring it up to date with:  pitbossd migrate"
    )]
    Behind {
        /// The schema's version.
        found: i64,
        /// The one that is needed.
        known: i64,
    },
    /// A migration that was applied is not the one of this build.
    #[error(
        "migration {version} was applied from another source than this build's; the database belongs to a different pitbossd"
    )]
    Foreign {
        /// Which.
        version: i64,
    },
    /// A migration failed; it was rolled back.
    #[error("migration {version} failed")]
    Failed {
        /// Which.
        version: i64,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who migrates; any number that no other application takes for the same.
const LOCK: i64 = 0x7069_7462_6f73_7301;

/// The newest schema version this build knows.
pub fn newest() -> i64 {
    MIGRATOR.iter().map(|it| it.version).max().unwrap_or(0)
}

/// What identifies the schema of this build: changes with any migration.
pub fn fingerprint() -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for migration in MIGRATOR.iter() {
        hasher.update(&migration.checksum);
    }
    hasher.finalize()
}

/// Applies what is missing: of several daemons that start together one does it and the others wait and find it
/// done. Returns the schema's version.
///
/// Each migration is a transaction under a lock that ends with it, so it works through a pooler too. sqlx's own
/// migrator locks the session and names its statements; its table is kept as it left it.
pub async fn migrate(options: &PgConnectOptions, pooler: Pooler) -> Result<i64, MigrationError> {
    migrate_with(Turns::USUAL, options, pooler).await
}

async fn migrate_with(
    turns: Turns,
    options: &PgConnectOptions,
    pooler: Pooler,
) -> Result<i64, MigrationError> {
    let mut connection = connect(options, pooler).await?;
    let started = Stopwatch::start();
    let mut applied = 0;
    while apply_next(&mut connection, turns).await? {
        applied += 1;
    }
    connection.close().await.map_err(StoreError::from)?;
    if applied > 0 {
        let took = started.elapsed();
        tracing::info!(version = newest(), applied, ?took, "schema is up to date");
    }
    Ok(newest())
}

/// The newest migration that has been applied; 0 for an empty database.
pub async fn applied(options: &PgConnectOptions, pooler: Pooler) -> Result<i64, StoreError> {
    let mut connection = connect(options, pooler).await?;
    let mut tx = connection.begin().await?;
    let known: bool = sql::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *tx)
        .await?;
    if !known {
        return Ok(0);
    }
    let version = sql::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations")
        .fetch_one(&mut *tx)
        .await?;
    Ok(version)
}

/// A connection without the pool's time-outs: a migration may take its time.
async fn connect(options: &PgConnectOptions, pooler: Pooler) -> Result<PgConnection, StoreError> {
    pooler.prepare();
    Ok(PgConnection::connect_with(&pooler.options(options.clone())).await?)
}

/// Applies the next migration that is missing; `false` if none is.
async fn apply_next(connection: &mut PgConnection, turns: Turns) -> Result<bool, MigrationError> {
    let mut tx = connection.begin().await.map_err(StoreError::from)?;
    unhurried(&mut tx).await.map_err(StoreError::from)?;
    let known = known(&mut tx).await.map_err(StoreError::from)?;
    let Some(migration) = next(&known)? else {
        return Ok(false);
    };
    if !known.is_empty() {
        tracing::info!(
            version = migration.version,
            what = %migration.description,
            "bringing the schema up to date: reads every row of a large ledger, is undone if it is cut off, nothing to do but wait"
        );
    }
    let failed = |source| MigrationError::Failed {
        version: migration.version,
        source,
    };
    let started = Stopwatch::start();
    in_turns(turns, &mut tx, migration).await.map_err(failed)?;
    sql::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values ($1, $2, true, $3, $4)",
    )
    .bind(migration.version)
    .bind(&*migration.description)
    .bind(&*migration.checksum)
    .bind(i64::try_from(started.elapsed().as_nanos()).unwrap_or(i64::MAX))
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(true)
}

/// A migration may count and index every row of a ledger, which takes minutes: a limit of the server's, the role's or
/// the database's would end it every time, and the daemon with it. How it waits for locks is its own: [`in_turns`].
async fn unhurried(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "set local statement_timeout = 0; set local lock_timeout = 0; \
         set local idle_in_transaction_session_timeout = 0",
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// How a migration waits for a table that somebody has: whoever wants it later queues behind the one that waits, so
/// that a backup of an hour would hold up the fold for an hour.
#[derive(Debug, Clone, Copy)]
struct Turns {
    /// For so long others queue behind it.
    wait: Duration,
    /// For so long it lets them go on.
    pause: Duration,
}

impl Turns {
    /// 3 s, which the end of most rounds of a busy fold falls into and a fold behind it survives; and 7 s, so that
    /// the fold has most of the time.
    const USUAL: Self = Self {
        wait: Duration::from_secs(3),
        pause: Duration::from_secs(7),
    };
}

/// Carries out a migration, again and again while it does not get a lock in time. Each try is a savepoint: giving it
/// up gives back what it had locked, and still nobody else migrates.
async fn in_turns(
    turns: Turns,
    tx: &mut PgConnection,
    migration: &Migration,
) -> Result<(), sqlx::Error> {
    let text = format!(
        "set local lock_timeout = {}; {}",
        turns.wait.as_millis(),
        migration.sql.as_str()
    );
    let mut told = None;
    loop {
        let mut attempt = tx.begin().await?;
        match sqlx::raw_sql(sqlx::AssertSqlSafe(text.clone()))
            .execute(&mut *attempt)
            .await
        {
            Ok(_) => return attempt.commit().await,
            Err(error) if is_lock_timeout(&error) => attempt.rollback().await?,
            Err(error) => return Err(error),
        }
        let holder = oldest_holder(tx).await?;
        if told.as_ref() != Some(&holder) {
            tracing::warn!(
                version = migration.version,
                holder,
                "the migration waits for a table that somebody has: it goes on when that transaction ends, and others are served meanwhile"
            );
            told = Some(holder);
        }
        tokio::time::sleep(turns.pause).await;
    }
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.as_deref() == Some("55P03")
}

/// Whose transaction has been in the way for longest, in words. PostgreSQL does not tell which lock it was, nor, after
/// the wait, who had it.
async fn oldest_holder(tx: &mut PgConnection) -> Result<String, sqlx::Error> {
    // Relations below 16384 are the catalog.
    let holder: Option<(i32, Option<String>, Option<DateTime<Utc>>)> = sql::query_as(
        "select a.pid, nullif(a.application_name, ''), a.xact_start
         from pg_locks l join pg_stat_activity a on a.pid = l.pid
         where l.locktype = 'relation' and l.granted and l.relation >= 16384 and l.pid <> pg_backend_pid()
             and l.database = (select oid from pg_database where datname = current_database())
         order by a.xact_start limit 1",
    )
    .fetch_optional(tx)
    .await?;
    Ok(match holder {
        None => "nobody any more".to_owned(),
        Some((pid, application, since)) => {
            let application = application.map_or(String::new(), |name| format!(" ({name})"));
            let since = since.map_or(String::new(), |at| format!(", in a transaction since {at}"));
            format!("pid {pid}{application}{since}")
        }
    })
}

/// Waits until nobody else migrates.
async fn lock(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let locked: bool = sql::query_scalar("select pg_try_advisory_xact_lock($1)")
        .bind(LOCK)
        .fetch_one(&mut *tx)
        .await?;
    if locked {
        return Ok(());
    }
    tracing::info!("another pitbossd is bringing the schema up to date: waiting for it");
    sql::query("select pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(tx)
        .await?;
    Ok(())
}

/// Version and checksum of what has been applied, read under the lock.
async fn known(tx: &mut PgConnection) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    lock(&mut *tx).await?;
    sql::query(
        "create table if not exists _sqlx_migrations (
             version bigint primary key,
             description text not null,
             installed_on timestamptz not null default now(),
             success boolean not null,
             checksum bytea not null,
             execution_time bigint not null
         )",
    )
    .execute(&mut *tx)
    .await?;
    sql::query_as("select version, checksum from _sqlx_migrations order by version")
        .fetch_all(tx)
        .await
}

/// The first migration that is not among `known`, unless something there is not of this build.
fn next(known: &[(i64, Vec<u8>)]) -> Result<Option<&'static Migration>, MigrationError> {
    let ours = |version: i64| MIGRATOR.iter().find(|it| it.version == version);
    for (version, checksum) in known {
        match ours(*version) {
            Some(migration) if *migration.checksum == **checksum => {}
            None if *version > newest() => {
                return Err(MigrationError::Newer {
                    found: *version,
                    known: newest(),
                });
            }
            _ => return Err(MigrationError::Foreign { version: *version }),
        }
    }
    let missing = |migration: &&Migration| !known.iter().any(|(it, _)| *it == migration.version);
    Ok(MIGRATOR.iter().find(missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{PoolSize, Store, TxFuture, fold};
    use crate::testing::TestDatabase;
    use crate::workers::fold::{Known, RewardSpecs, round};

    #[test]
    fn a_version_from_the_future_asks_for_a_newer_build() {
        let refused = |version| next(&[(version, Vec::new())]).unwrap_err().to_string();
        let text = refused(newest() + 1);
        assert!(text.contains("start a newer pitbossd"), "{text}");
        for version in [0, newest()] {
            let text = refused(version);
            assert!(text.contains("different pitbossd"), "{text}");
        }
    }

    /// Where to find an empty database beside the schema of `database`.
    async fn beside(database: &TestDatabase) -> PgConnectOptions {
        sqlx::query("create database beside")
            .execute(&database.store.pool)
            .await
            .unwrap();
        database.cluster().connect_options().database("beside")
    }

    /// The schema as of `version`.
    async fn migrated_to(version: i64, connection: &mut PgConnection) {
        let mut tx = connection.begin().await.unwrap();
        known(&mut tx).await.unwrap();
        for migration in MIGRATOR.iter().filter(|it| it.version <= version) {
            sqlx::raw_sql(migration.sql.clone())
                .execute(&mut *tx)
                .await
                .unwrap();
            sql::query("insert into _sqlx_migrations values ($1, '', now(), true, $2, 0)")
                .bind(migration.version)
                .bind(&*migration.checksum)
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_ledger_of_before_it_had_weeks_is_kept_as_it_is_and_its_ids_are_known() {
        let database = crate::testing::database().await;
        let options = beside(&database).await;
        let mut old = connect(&options, Pooler::None).await.unwrap();
        migrated_to(14, &mut old).await;
        // A thousand events of four experiments, an hour apart, and one from a clock that was months ahead.
        sqlx::raw_sql(
            "insert into experiment_events
             select 1 + n % 4, md5('event ' || n)::uuid, decode(md5('unit ' || n % 50), 'hex'), 'purchase', n, n,
                 received_at, received_at, (array[0, 1, 2, 5])[1 + n % 4]
             from generate_series(1, 1000) n, lateral (select now() - n * interval '1 hour'
                 + case n when 1000 then interval '150 days' else '0' end as received_at) r;
             insert into experiment_event_counts
             select experiment_id, event, outcome, count(*) from experiment_events group by 1, 2, 3;
             create table as_it_was as select * from experiment_events;
             insert into experiment_landing (experiment_id, event_id, unit_key, kind, event, value, digest, at, received_at)
             select experiment_id, event_id, unit_key, 0, event, value, digest, now(), now()
             from experiment_events",
        )
        .execute(&mut old)
        .await
        .unwrap();
        let file: i64 = sql::query_scalar(FILE).fetch_one(&mut old).await.unwrap();

        migrate(&options, Pooler::None).await.unwrap();

        let still: i64 =
            sql::query_scalar("select pg_relation_filenode('experiment_events_before')::int8")
                .fetch_one(&mut old)
                .await
                .unwrap();
        assert_eq!(still, file, "the ledger was written again");
        let store = Store::connect(options.clone(), PoolSize(4)).await.unwrap();
        let specs = RewardSpecs::default();
        let folded = store
            .run_tx("fold", |tx| {
                let specs = &specs;
                TxFuture::new(async move {
                    let now = fold::now(tx).await?;
                    round(tx, specs, &Known::default(), 10_000, now).await
                })
            })
            .await
            .unwrap();
        assert_eq!((folded.events, folded.repeats), (0, 1000));
        let (differing, miscounted): (i64, i64) = sql::query_as(
            "select
                 (select count(*) from ((table as_it_was except all table experiment_events)
                     union all (table experiment_events except all table as_it_was)) d),
                 (select count(*) from (select experiment_id, event, outcome, sum(count) from experiment_event_counts
                     group by 1, 2, 3 except select experiment_id, event, outcome, count(*) from experiment_events
                     group by 1, 2, 3) d)",
        )
        .fetch_one(&mut old)
        .await
        .unwrap();
        assert_eq!((differing, miscounted), (0, 0));
    }

    const FILE: &str = "select pg_relation_filenode('experiment_events')::int8";

    #[tokio::test]
    async fn no_limit_of_the_database_holds_for_a_migration() {
        let database = crate::testing::database().await;
        let mut connection = database.store.pool.acquire().await.unwrap();
        // The pool's own limits are set on its connections, as an administrator's would be on the database.
        let mut tx = connection.begin().await.unwrap();
        let limits = "select name from pg_settings where setting <> '0' and name in
            ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')";
        let set: Vec<String> = sqlx::query_scalar(limits)
            .fetch_all(&mut *tx)
            .await
            .unwrap();
        assert_eq!(set.len(), 3, "{set:?}");
        unhurried(&mut tx).await.unwrap();
        let set: Vec<String> = sqlx::query_scalar(limits)
            .fetch_all(&mut *tx)
            .await
            .unwrap();
        assert_eq!(set, [""; 0]);
    }

    #[tokio::test]
    async fn while_a_migration_waits_for_a_reader_of_the_ledger_the_fold_goes_on() {
        let database = crate::testing::database().await;
        let options = beside(&database).await;
        let mut reader = connect(&options, Pooler::None).await.unwrap();
        migrated_to(14, &mut reader).await;
        // As a backup has it, until it ends.
        sqlx::raw_sql("begin; lock table experiment_events in access share mode")
            .execute(&mut reader)
            .await
            .unwrap();
        let quick = Turns {
            wait: Duration::from_millis(100),
            pause: Duration::from_millis(1),
        };
        let mut fold = connect(&options, Pooler::None).await.unwrap();
        let migration =
            tokio::spawn(async move { migrate_with(quick, &options, Pooler::None).await });
        let waits = "select exists (select from pg_locks where mode = 'AccessExclusiveLock' and not granted)";
        while !sqlx::query_scalar::<_, bool>(waits)
            .fetch_one(&mut fold)
            .await
            .unwrap()
        {
            assert!(!migration.is_finished());
            tokio::task::yield_now().await;
        }
        // It queues behind the migration. 10 s is what a fold waits for a lock.
        sqlx::raw_sql(
            "set lock_timeout = '10s'; begin; lock table experiment_events in row exclusive mode; rollback",
        )
        .execute(&mut fold)
        .await
        .unwrap();
        let holder = oldest_holder(&mut fold).await.unwrap();
        assert!(holder.contains("(pitbossd), in a transaction"), "{holder}");
        assert!(!migration.is_finished());
        sqlx::raw_sql("rollback")
            .execute(&mut reader)
            .await
            .unwrap();
        assert_eq!(migration.await.unwrap().unwrap(), newest());
    }

    #[tokio::test]
    async fn daemons_that_start_together_migrate_once() {
        let database = crate::testing::database().await;
        let options = beside(&database).await;
        let together = [(); 4].map(|()| migrate(&options, Pooler::None));
        for migrated in futures::future::join_all(together).await {
            assert_eq!(migrated.unwrap(), newest());
        }
        assert_eq!(applied(&options, Pooler::None).await.unwrap(), newest());
    }
}
