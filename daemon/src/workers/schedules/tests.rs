//! Schedules against a real database, at instants that the tests choose.

use bandit::assign::{Decision, Stored, UnitKey, decide};
use bandit::experiment::{Share, Verb};
use bandit::spec::model::Attributes;
use chrono::TimeDelta;
use protocol::control::{AuditQuery, VerbRequest};
use protocol::plans::{ApplyRequest, PlanRequest};
use uuid::Uuid;

use super::*;
use crate::operations::Caller;
use crate::store::TxFuture;
use crate::store::assignments::{self, Draw};
use crate::store::audit;
use crate::testing::{TestDatabase, database};
use crate::workers::fixture::Part;
use crate::workers::fold::{self as folding, RewardSpecs};
use crate::world::snapshot;

const CHECKOUT: &str = r#"
[[experiment]]
key = "checkout"
state = "running"
reward = "purchase"
arms = ["blue", "green"]
control = "blue"

[experiment.schedule]
start = 2100-01-01T09:00:00Z
stop = 2100-01-02T09:00:00Z
archive_after = "90d"
ramp = [
    { traffic = "10%", hold = "1h", min_samples = 20 },
    { traffic = "30%", hold = "2h" },
    { traffic = "60%", hold = "30m", min_samples = 1 },
]
"#;

const KEY: &str = "checkout";

/// So many minutes after the start.
fn minute(count: i64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2100-01-01T09:00:00Z".parse().unwrap();
    start + TimeDelta::minutes(count)
}

fn tenth() -> Share {
    Share::new(0.1).unwrap()
}

/// One of several daemons, with its schedule worker.
struct Daemon {
    part: Part,
    schedules: Schedules,
}

impl Daemon {
    async fn start(store: &Store) -> Self {
        let part = Part::start(store).await;
        let (world, operations) = (part.world.clone(), part.operations.clone());
        let schedules = Schedules::new(store.clone(), world, operations);
        Self { part, schedules }
    }

    /// A run after so many minutes.
    async fn run(&mut self, count: i64) -> Vec<String> {
        let kept = self.schedules.run_at(Some(minute(count))).await.unwrap();
        kept.done
    }

    fn live(&self) -> Arc<Live> {
        self.part.live(KEY)
    }

    /// State and traffic as they are served.
    fn serves(&self) -> (&'static str, f64) {
        let live = self.live();
        (live.serving.state.name(), live.serving.traffic.get())
    }

    async fn apply(&self, text: &str) -> Vec<String> {
        let plan = PlanRequest {
            file: "experiments.toml".into(),
            text: text.into(),
            prune: false,
            release_holds: false,
        };
        let planned = self.part.operations.plan(&plan).await.unwrap();
        let request = ApplyRequest {
            plan,
            base_revision: planned.base_revision,
            reason: "because".into(),
            request_id: Uuid::now_v7(),
        };
        let applied = self.part.operations.apply(request, ana()).await.unwrap();
        applied.changed
    }

    async fn act(&self, verb: Verb) {
        let request = VerbRequest {
            key: KEY.into(),
            reason: "because".into(),
            request_id: Uuid::now_v7(),
            expect_revision: None,
        };
        self.part
            .operations
            .act(verb, request, ana())
            .await
            .unwrap();
    }

    /// Units come; those in the traffic are exposed, and folded. Says how many there are.
    async fn expose(&self, units: std::ops::Range<u32>, at: DateTime<Utc>) -> usize {
        let live = self.live();
        let mut draws: Vec<Draw> = units
            .filter_map(|number| {
                let unit = UnitKey::derive(&[7; 32], &format!("unit-{number}"));
                let Decision::Draw {
                    lane, arm, version, ..
                } = decide(&live.serving, &unit, &Attributes::new())
                else {
                    return None;
                };
                Some(Draw {
                    place: (live.id, unit),
                    stored: Stored { lane, arm, version },
                    expose: true,
                    at,
                })
            })
            .collect();
        draws.sort_by_key(|draw| draw.place);
        let store = &self.schedules.store;
        let mut connection = store.pool.acquire().await.unwrap();
        assignments::record(&mut connection, &draws).await.unwrap();
        let specs = &RewardSpecs::default();
        let fold = store.run_tx("fold", |tx| {
            TxFuture::new(async move {
                folding::round(tx, specs, &folding::Known::default(), folding::BATCH, at).await
            })
        });
        fold.await.unwrap();
        draws.len()
    }
}

fn ana() -> Caller {
    Caller {
        actor: "ana (uid 1000)".into(),
        via: "test".into(),
    }
}

async fn bench(text: &str) -> (TestDatabase, Daemon) {
    let database = database().await;
    let daemon = Daemon::start(&database.store).await;
    daemon.apply(text).await;
    (database, daemon)
}

/// Who did what, oldest first; the chain must hold.
async fn audit(store: &Store) -> Vec<(String, String)> {
    assert_eq!(audit::verify(store).await.unwrap().fault, None);
    let query = AuditQuery {
        limit: 500,
        ..AuditQuery::default()
    };
    let rows = audit::page(store, &query).await.unwrap().entries;
    assert!(rows.iter().all(|row| row.result == "ok"));
    let rows = rows.into_iter().rev();
    rows.map(|row| (row.action, row.actor)).collect()
}

fn by_schedule(actions: &[&str]) -> Vec<(String, String)> {
    let actions = actions.iter();
    actions
        .map(|action| ((*action).to_owned(), "pitbossd (schedule)".to_owned()))
        .collect()
}

#[tokio::test]
async fn an_experiment_lives_by_its_dates_across_restarts() {
    let (database, mut daemon) = bench(CHECKOUT).await;
    let store = &database.store;
    assert_eq!(daemon.serves(), ("draft", 1.0));
    assert!(daemon.run(-1).await.is_empty());
    assert_eq!(daemon.run(0).await, ["checkout is running (was draft)"]);
    assert_eq!(daemon.serves(), ("running", 0.1), "at once");
    let live = daemon.live();
    assert_eq!(live.started_at, Some(minute(0)));
    assert!(live.holds.is_empty());

    let mut daemon = Daemon::start(store).await;
    assert_eq!(daemon.serves(), ("running", 0.1));
    let exposed = daemon.expose(0..400, minute(20)).await;
    assert!((20..=70).contains(&exposed), "a tenth of them: {exposed}");
    assert!(daemon.run(59).await.is_empty());
    assert_eq!(
        daemon.run(60).await,
        ["checkout serves 30% of its traffic (was 10%)"]
    );

    let mut daemon = Daemon::start(store).await;
    assert_eq!(
        daemon.run(24 * 60).await,
        ["checkout is stopped (was running)"]
    );
    assert!(daemon.run(24 * 60 + 90 * 24 * 60 - 1).await.is_empty());
    assert_eq!(
        daemon.run(24 * 60 + 90 * 24 * 60).await,
        ["checkout is archived (was stopped)"]
    );
    assert!(daemon.run(1_000_000).await.is_empty());
    let done = audit(store).await;
    assert_eq!(done[0].0, "apply");
    assert_eq!(
        done[1..],
        by_schedule(&["start", "ramp", "stop", "archive"])
    );
    // The file asked for all that: it is as it says.
    assert!(daemon.apply(CHECKOUT).await.is_empty());
}

#[tokio::test]
async fn what_passed_while_nobody_was_there_is_made_up_for_at_once() {
    let (_database, mut daemon) = bench(CHECKOUT).await;
    daemon.run(0).await;
    assert_eq!(
        daemon.run(5_000).await,
        ["checkout is stopped (was running)"]
    );
    assert!(daemon.apply(CHECKOUT).await.is_empty());

    // Who comes back after the stop does not start what is over.
    let (_database, mut daemon) = bench(CHECKOUT).await;
    assert!(daemon.run(5_000).await.is_empty());
    assert_eq!(daemon.serves().0, "draft");
}

#[tokio::test]
async fn a_gate_waits_for_its_units_and_overdue_steps_are_one() {
    let (database, mut daemon) = bench(CHECKOUT).await;
    daemon.run(0).await;
    let exposed = daemon.expose(0..100, minute(10)).await;
    assert!(exposed < 20, "{exposed}");
    assert!(daemon.run(60).await.is_empty());
    let kept = daemon.schedules.run_at(Some(minute(239))).await.unwrap();
    assert_eq!((kept.done.len(), kept.late), (0, 0));
    let kept = daemon.schedules.run_at(Some(minute(240))).await.unwrap();
    assert_eq!((kept.done.len(), kept.late), (0, 1), "three holds too long");
    let alerts = "select identity || ' ' || state from alerts order by opened_at";
    let alerts = async || -> Vec<String> {
        let rows = sqlx::query_scalar(alerts).fetch_all(&database.store.pool);
        rows.await.unwrap()
    };
    daemon.run(241).await;
    assert_eq!(alerts().await, ["schedule/checkout firing"], "told once");
    daemon.expose(100..400, minute(241)).await;
    // 30 % is held for 2 h from when the gate was seen to be open: nothing of it is overdue.
    assert_eq!(daemon.run(300).await.len(), 1);
    assert_eq!(alerts().await, ["schedule/checkout resolved"]);
    assert_eq!(daemon.serves(), ("running", 0.3));
    assert!(daemon.run(419).await.is_empty());
    // After 10 h without a daemon: 60 % is overdue, and nobody was exposed there.
    assert_eq!(
        daemon.run(1_000).await,
        ["checkout serves 60% of its traffic (was 30%)"]
    );
    assert!(daemon.run(1_001).await.is_empty());
    assert!(daemon.expose(400..500, minute(1_002)).await > 0);
    assert_eq!(
        daemon.run(1_003).await,
        ["checkout serves 100% of its traffic (was 60%)"]
    );
    let live = daemon.live();
    assert_eq!(live.ramp.unwrap().since, minute(1_003));
}

#[tokio::test]
async fn of_two_leaders_one_has_an_effect() {
    let (database, mut one) = bench(CHECKOUT).await;
    let mut other = Daemon::start(&database.store).await;
    one.part.world.refresh().await;
    for at in [0, 24 * 60, 200 * 24 * 60] {
        let (first, second) = futures::future::join(one.run(at), other.run(at)).await;
        // The second finds nothing to do, or what the first was told.
        assert!(!first.is_empty() || !second.is_empty());
        one.part.world.refresh().await;
        other.part.world.refresh().await;
    }
    let done = audit(&database.store).await;
    assert_eq!(done[1..], by_schedule(&["start", "stop", "archive"]));
}

#[tokio::test]
async fn a_leader_with_an_old_world_changes_nothing() {
    let (database, mut daemon) = bench(CHECKOUT).await;
    let stale = Daemon::start(&database.store).await;
    let errand = Errand::new(&stale.live().standing(0), Action::Start);
    daemon
        .apply(&CHECKOUT.replace("start = 2100", "start = 2099"))
        .await;
    let kept = stale
        .part
        .operations
        .keep_schedule(errand, Some(minute(0)))
        .await;
    assert_eq!(kept.unwrap(), None, "the file says something else by now");
    assert_eq!(daemon.run(0).await.len(), 1);
}

#[tokio::test]
async fn the_calendar_waits_for_what_is_paused() {
    let (database, mut daemon) = bench(CHECKOUT).await;
    daemon.run(0).await;
    daemon.expose(0..400, minute(10)).await;
    daemon.act(Verb::Pause).await;
    assert!(daemon.run(5_000).await.is_empty());
    assert_eq!(daemon.serves(), ("paused", 0.1));
    // It resumes by the real clock, which is before all these dates.
    daemon.act(Verb::Resume).await;
    assert_eq!(daemon.run(60).await.len(), 1);
    let hold = "insert into experiment_holds (experiment_id, kind, reason, placed_by)
         select id, 'pause', 'because', 'ana' from experiments";
    let held = sqlx::query(hold).execute(&database.store.pool).await;
    held.unwrap();
    daemon.part.world.refresh().await;
    assert!(daemon.run(600).await.is_empty(), "held");
    assert_eq!(
        daemon.run(5_000).await,
        ["checkout is stopped (was running)"]
    );
}

#[tokio::test]
async fn a_changed_ramp_goes_on_from_what_is_served() {
    let (_database, mut daemon) = bench(CHECKOUT).await;
    daemon.run(0).await;
    daemon.expose(0..400, minute(10)).await;
    daemon.run(60).await;
    let before = daemon.live().ramp.unwrap();
    let finer = CHECKOUT.replace("traffic = \"60%\"", "traffic = \"40%\"");
    assert_eq!(daemon.apply(&finer).await, [KEY]);
    assert_eq!(daemon.live().ramp, Some(before), "time and units count on");
    assert_eq!(daemon.serves(), ("running", 0.3));
    daemon.run(180).await;
    assert_eq!(daemon.serves(), ("running", 0.4));
    let without: String = finer
        .lines()
        .take_while(|line| !line.starts_with("ramp"))
        .flat_map(|line| [line, "\n"])
        .collect();
    daemon.apply(&without).await;
    assert_eq!(daemon.serves(), ("running", 1.0));
    assert_eq!(daemon.live().ramp, None);
    daemon.apply(CHECKOUT).await;
    assert_eq!(daemon.serves(), ("running", 1.0), "nobody is sent away");
}

#[tokio::test]
async fn a_start_by_hand_begins_the_ramp_too_and_the_saved_world_has_it() {
    let (database, daemon) = bench(CHECKOUT).await;
    daemon.act(Verb::Start).await;
    assert_eq!(daemon.serves(), ("running", 0.1));
    let file = snapshot::write(&daemon.part.world.load(), [7; 16], minute(0));
    let saved = snapshot::read(&file).unwrap().world;
    let live = saved.get(KEY).unwrap();
    assert_eq!(live.ramp, daemon.live().ramp);
    assert_eq!(live.serving.traffic, tenth());

    // And one that was started by a file, without a date.
    let other = Daemon::start(&database.store).await;
    let text = CHECKOUT
        .replace("checkout", "signup")
        .replace("start = 2100-01-01T09:00:00Z", "");
    other.apply(&text).await;
    let signup = other.part.live("signup");
    assert_eq!(signup.serving.traffic, tenth());
}
