//! Against a real PostgreSQL: what happens when one of the two is killed.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};

use super::account::Account;
use super::{Binaries, Cluster, ClusterState, directory, postmaster, socket};
use crate::store::{StoreError, TxFuture};
use crate::testing;

async fn pid_when_ready(cluster: &Cluster) -> i32 {
    let mut state = cluster.state();
    let ready = state.wait_for(|it| matches!(it, ClusterState::Ready { .. }));
    let ready = tokio::time::timeout(Duration::from_mins(1), ready).await;
    match *ready.expect("ready in time").expect("the thread lives") {
        ClusterState::Ready { pid } => pid,
        other => panic!("{other:?}"),
    }
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_killed_postmaster_comes_back_with_every_acknowledged_row() {
    let database = testing::database().await;
    let store = &database.store;
    sqlx::query("create table kept (n bigint primary key)")
        .execute(&store.pool)
        .await
        .unwrap();
    let first = pid_when_ready(database.cluster()).await;
    for n in 0..200_i64 {
        if n == 100 {
            kill(first);
        }
        store
            .run_idempotent_tx("insert", |tx| {
                TxFuture::new(async move {
                    sqlx::query("insert into kept values ($1) on conflict do nothing")
                        .bind(n)
                        .execute(tx)
                        .await?;
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }
    let kept: i64 = sqlx::query_scalar("select count(*) from kept")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!(kept, 200);
    assert_ne!(pid_when_ready(database.cluster()).await, first);
}

/// Starts PostgreSQL the way an owner without a parent-death signal leaves it behind: with no parent.
fn start_without_owner(data_dir: &Path) {
    let cluster = directory::cluster_dir(data_dir);
    let account = Account::choose(&cluster).unwrap();
    let settings = testing::settings(data_dir);
    let path = settings.search_path.as_deref();
    let binaries = Binaries::find(settings.binaries.as_deref(), path, None).unwrap();
    let socket_dir = socket::choose(data_dir, None);
    socket::claim(&socket_dir, &account).unwrap();
    let options = format!("-c listen_addresses= -k {}", socket_dir.display());
    let status = account
        .command(&binaries.program("pg_ctl"), "clear")
        .unwrap()
        .args([
            "start",
            "--wait",
            "--silent",
            "--log=/dev/null",
            "--options",
        ])
        .arg(options)
        .arg("--pgdata")
        .arg(cluster)
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_postmaster_without_owner_is_adopted_watched_and_stopped() {
    let directory = testing::stopped_cluster().await;
    let cluster_dir = directory::cluster_dir(directory.path());
    start_without_owner(directory.path());
    let orphan = postmaster::find(&cluster_dir).unwrap().pid;

    let settings = testing::settings(directory.path());
    let cluster = Cluster::start(settings).await.unwrap();
    let adopted = pid_when_ready(&cluster).await;
    assert_eq!(adopted, orphan.as_raw_nonzero().get());

    kill(adopted);
    let mut state = cluster.state();
    let went_down = state.wait_for(|it| *it == ClusterState::Down);
    went_down.await.unwrap();
    assert_ne!(pid_when_ready(&cluster).await, adopted);

    cluster.stop().await;
    assert_eq!(postmaster::find(&cluster_dir), None);
    assert!(!socket::choose(directory.path(), None).exists());
}

#[tokio::test]
async fn the_cluster_listens_on_its_socket_only_and_is_durable() {
    let database = testing::database().await;
    for (setting, wanted) in [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
    ] {
        let found: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&database.store.pool)
            .await
            .unwrap();
        assert_eq!(found, wanted, "{setting}");
    }
    let options = database.cluster().connect_options().username("postgres");
    let refused = PgConnection::connect_with(&options).await;
    assert!(refused.is_err(), "only the role `pitboss` may come in");
}
