//! Bringing the schema to the version of this build, and refusing one that is ahead of it.

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
    let mut connection = connect(options, pooler).await?;
    while apply_next(&mut connection).await? {}
    connection.close().await.map_err(StoreError::from)?;
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
async fn apply_next(connection: &mut PgConnection) -> Result<bool, MigrationError> {
    let mut tx = connection.begin().await.map_err(StoreError::from)?;
    let known = known(&mut tx).await.map_err(StoreError::from)?;
    let Some(migration) = next(&known)? else {
        return Ok(false);
    };
    let failed = |source| MigrationError::Failed {
        version: migration.version,
        source,
    };
    let started = Stopwatch::start();
    sqlx::raw_sql(migration.sql.clone())
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
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

/// Version and checksum of what has been applied, read under the lock.
async fn known(tx: &mut PgConnection) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    sql::query("select pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await?;
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
    use crate::workers::fold::{Openings, RewardSpecs, round};

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
        let options = database.cluster().connect_options().database("old");
        sqlx::query("create database old")
            .execute(&database.store.pool)
            .await
            .unwrap();
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
                    round(tx, specs, &Openings::default(), 10_000, now).await
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
    async fn daemons_that_start_together_migrate_once() {
        let database = crate::testing::database().await;
        let options = database.cluster().connect_options().database("fresh");
        sqlx::query("create database fresh")
            .execute(&database.store.pool)
            .await
            .unwrap();
        let together = [(); 4].map(|()| migrate(&options, Pooler::None));
        for migrated in futures::future::join_all(together).await {
            assert_eq!(migrated.unwrap(), newest());
        }
        assert_eq!(applied(&options, Pooler::None).await.unwrap(), newest());
    }
}
