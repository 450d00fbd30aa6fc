//! The kill switch against a real database that goes away and comes back.

use bandit::experiment::RunState;
use protocol::plans::{ApplyRequest, PlanRequest};
use tempfile::TempDir;

use super::*;
use crate::breaker::Probe;
use crate::postgres::Cluster;
use crate::store::Store;
use crate::testing::{TestDatabase, database, settings};
use crate::world::{Refresher, snapshot};

const FILE: &str = r#"
[[experiment]]
key = "checkout"
state = "running"
reward = "purchase"
arms = ["green", "blue"]
control = "green"
"#;

/// What a daemon has.
struct Daemon {
    world: WorldHandle,
    breaker: Breaker,
    kill_switch: KillSwitch,
    operations: Operations,
    stop: CancellationToken,
}

impl Daemon {
    fn on(store: &Store, world: WorldHandle, refresher: Refresher, directory: &Path) -> Self {
        let clock = Clock::system();
        let stop = CancellationToken::new();
        tokio::spawn(refresher.run(stop.clone()));
        let breaker = Breaker::closed(clock.clone());
        let options = store.pool.connect_options().as_ref().clone();
        tokio::spawn(Probe::new(breaker.clone(), options).run(stop.clone()));
        let kill_switch = KillSwitch::open(directory, &world, breaker.clone(), clock).unwrap();
        let operations =
            Operations::new(store.clone(), world.clone()).with_kill_switch(kill_switch.clone());
        tokio::spawn(kill_switch.clone().settle(operations.clone(), stop.clone()));
        Self {
            world,
            breaker,
            kill_switch,
            operations,
            stop,
        }
    }

    async fn act(&self, verb: Verb, request_id: Uuid) -> Result<Done, Refusal> {
        let request = VerbRequest {
            key: "checkout".into(),
            reason: "it burns".into(),
            request_id,
            expect_revision: None,
        };
        self.operations.act(verb, request, ana()).await
    }

    fn state(&self) -> RunState {
        let world = self.world.load();
        world.get("checkout").unwrap().serving.state.clone()
    }

    /// Waits until the rollback is the database's own.
    async fn settled(&self) {
        let mut changed = self.world.changed();
        loop {
            let world = self.world.load();
            if !world.get("checkout").unwrap().holds.is_empty() {
                return;
            }
            changed.changed().await.unwrap();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn ana() -> Caller {
    Caller {
        actor: "ana".into(),
        via: "test".into(),
    }
}

async fn running(directory: &TempDir) -> (TestDatabase, Daemon) {
    let database = database().await;
    let (world, refresher) = WorldHandle::open(database.store.clone()).await.unwrap();
    let daemon = Daemon::on(&database.store, world, refresher, directory.path());
    let plan = PlanRequest {
        file: "test.toml".into(),
        text: FILE.into(),
        prune: false,
        release_holds: false,
    };
    let request = ApplyRequest {
        plan,
        base_revision: 0,
        reason: "test".into(),
        request_id: Uuid::now_v7(),
    };
    daemon.operations.apply(request, ana()).await.unwrap();
    (database, daemon)
}

async fn number(store: &Store, query: &'static str) -> i64 {
    let asked = sqlx::query_scalar(query);
    asked.fetch_one(&store.pool).await.unwrap()
}

#[tokio::test]
async fn a_rollback_acts_without_the_database_survives_a_restart_and_is_written_once() {
    let directory = tempfile::tempdir().unwrap();
    let (database, daemon) = running(&directory).await;
    let store = database.store.clone();
    let saved = snapshot::write(&daemon.world.load(), [0; 16], DateTime::UNIX_EPOCH);
    let cluster_directory = database.stop().await;
    daemon.breaker.opened().await;

    let refused = daemon.act(Verb::Pause, Uuid::now_v7()).await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    assert!(refused.message.contains("rollback"), "{refused}");
    let request = Uuid::now_v7();
    let done = daemon.act(Verb::Rollback, request).await.unwrap();
    assert_eq!(done.state, "rolled_back");
    assert!(done.outcome.contains("on this daemon"), "{}", done.outcome);
    assert!(matches!(daemon.state(), RunState::RolledBack { .. }));
    let again = daemon.act(Verb::Rollback, request).await.unwrap();
    assert!(again.repeated);
    let another = daemon
        .act(Verb::Rollback, Uuid::now_v7())
        .await
        .unwrap_err();
    assert_eq!(another.code, Code::IllegalState);
    drop(daemon);

    // The next run begins with the world of before, and the switch puts it right.
    let world = snapshot::read(&saved).unwrap().world;
    let (world, refresher) = WorldHandle::resume(store.clone(), world);
    let daemon = Daemon::on(&store, world, refresher, directory.path());
    assert!(matches!(daemon.state(), RunState::RolledBack { .. }));

    let cluster = Cluster::start(settings(cluster_directory.path()))
        .await
        .unwrap();
    daemon.settled().await;
    let by = match daemon.state() {
        RunState::RolledBack { by, why, .. } => (by, why),
        other => panic!("{other:?}"),
    };
    assert_eq!(by, ("ana".into(), "it burns".into()));
    let rows = "select count(*) from experiment_audit_logs where action = 'rollback'";
    assert_eq!(number(&store, rows).await, 1);
    let mut waiting = daemon.kill_switch.0.waiting.subscribe();
    waiting.wait_for(|count| *count == 0).await.unwrap();
    assert_eq!(left_behind(&daemon.kill_switch.0.directory).unwrap(), []);

    // From here on the database decides again.
    daemon.act(Verb::Resume, Uuid::now_v7()).await.unwrap();
    assert!(matches!(daemon.state(), RunState::Running { .. }));
    cluster.stop().await;
}

#[tokio::test]
async fn with_the_database_there_a_rollback_is_what_it_always_was() {
    let directory = tempfile::tempdir().unwrap();
    let (database, daemon) = running(&directory).await;
    let done = daemon.act(Verb::Rollback, Uuid::now_v7()).await.unwrap();
    assert_eq!(done.outcome, "checkout is rolled_back (was running)");
    let holds = "select count(*) from experiment_holds where kind = 'rollback'";
    assert_eq!(number(&database.store, holds).await, 1);
    assert!(
        left_behind(&daemon.kill_switch.0.directory)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_damaged_file_is_kept_aside_and_stops_nobody() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join(NAME), "pitboss-rollbacks 1 rubbish").unwrap();
    let directory = Disk::open(root.path()).unwrap();
    assert_eq!(left_behind(&directory).unwrap(), []);
    assert!(root.path().join("rollbacks.pending.damaged").exists());
    assert_eq!(left_behind(&directory).unwrap(), []);
}
