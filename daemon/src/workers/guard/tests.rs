//! Guardrails on a real database, at instants that the tests choose.

use bandit::experiment::ArmId;
use bandit::guardrail::{Subject, Verdict};
use bandit::spec::model::GuardrailAction;
use protocol::guardrails::OverrideRequest;
use uuid::Uuid;

use super::*;
use crate::operations::Caller;
use crate::store::guardrails::{Kept, Memory, Place};
use crate::workers::fixture::{Event, Fixture, Part};

fn checkout(guardrail: &str) -> String {
    format!(
        r#"
[[experiment]]
key = "checkout"
reward = "purchase"
arms = ["blue", "green", "teal"]
control = "blue"

[[experiment.guardrail]]
name = "errors"
{guardrail}
"#
    )
}

const ERRORS: &str = "kind = \"error_rate\"\nevent = \"error\"\nlimit = \"1%\"\naction = \"rollback\"\nmin_samples = 50";

/// One of several daemons, with its guardrail worker.
struct Daemon {
    part: Part,
    guard: Guard,
    lease: Lease,
}

impl Daemon {
    async fn start(store: &Store) -> Self {
        let part = Part::start(store).await;
        let (world, operations) = (part.world.clone(), part.operations.clone());
        // Both hold the same lease in these tests: two leaders at once.
        let lease = store.take_lease("guardrails", "a").await.unwrap().unwrap();
        Self {
            guard: Guard::new(store.clone(), world, operations),
            part,
            lease,
        }
    }

    async fn look(&mut self, now: DateTime<Utc>) -> Option<Act> {
        self.part.world.refresh().await;
        let live = self.part.live("checkout");
        let lease = self.lease.clone();
        self.guard.look(&live, now, &lease).await.unwrap()
    }

    fn state(&self) -> &'static str {
        self.part.live("checkout").serving.state.name()
    }
}

async fn memories(fixture: &Fixture) -> BTreeMap<Place, Memory> {
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    guardrails::memories(&mut connection, fixture.id)
        .await
        .unwrap()
}

async fn said(fixture: &Fixture, subject: Subject) -> (Verdict, String) {
    let memories = memories(fixture).await;
    let said = &memories[&("errors".to_owned(), subject)].said;
    (said.verdict, said.sentence.clone())
}

async fn acted(fixture: &Fixture) -> Vec<Kept> {
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    let acted = guardrails::acted(&mut connection, fixture.id, 10).await;
    acted.unwrap()
}

fn arm(fixture: &Fixture, name: &str) -> ArmId {
    let arm = fixture.arms.iter().find(|arm| arm.name.as_str() == name);
    arm.unwrap().id
}

/// Units that meet their arm in this minute; every so manyth of each arm in `failing` sends `event` with `value`.
async fn traffic(
    fixture: &Fixture,
    minute: i64,
    units: std::ops::Range<u32>,
    (event, value): (&'static str, Option<f64>),
    failing: &[(&str, usize)],
) {
    let at = fixture.start + TimeDelta::minutes(minute);
    let units: Vec<u32> = units.collect();
    let drawn = fixture.assign_all(&units, at, true).await;
    let mut events = Vec::new();
    for (name, every) in failing {
        let arm = arm(fixture, name);
        let of_arm = units
            .iter()
            .zip(&drawn)
            .filter(|(_, drawn)| drawn.arm == arm);
        events.extend(of_arm.step_by(*every).map(|(unit, _)| Event {
            unit: *unit,
            name: event,
            value,
            id: u128::from(*unit) + 1,
            at,
        }));
    }
    fixture.land(&events).await;
    fixture.fold(at + TimeDelta::seconds(10)).await;
}

fn after(fixture: &Fixture, minute: i64, seconds: i64) -> DateTime<Utc> {
    fixture.start + TimeDelta::minutes(minute) + TimeDelta::seconds(seconds)
}

#[tokio::test]
async fn an_arm_that_fails_rolls_back_within_two_looks_and_says_why() {
    let fixture = Fixture::start(&checkout(ERRORS)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    traffic(&fixture, 0, 0..2_400, ("error", None), &[("green", 10)]).await;
    assert_eq!(daemon.look(after(&fixture, 0, 30)).await, None);
    let green = Subject::Arm(arm(&fixture, "green"));
    let (verdict, sentence) = said(&fixture, green).await;
    assert_eq!(verdict, Verdict::Fail, "{sentence}");
    assert!(sentence.starts_with("green: 10."), "{sentence}");
    assert!(sentence.contains("against 1.00%, evidence "), "{sentence}");
    assert_eq!(
        said(&fixture, Subject::Arm(arm(&fixture, "teal"))).await.0,
        Verdict::Pass
    );
    assert_eq!(daemon.state(), "running");

    assert_eq!(
        daemon.look(after(&fixture, 1, 0)).await,
        Some(Act::Rollback)
    );
    assert_eq!(daemon.state(), "rolled_back");
    let memory = &memories(&fixture).await[&("errors".to_owned(), green)];
    assert_eq!(memory.run.acted, Some(GuardrailAction::Rollback));
    let acted = acted(&fixture).await;
    assert!(
        acted
            .iter()
            .any(|kept| kept.subject == green && kept.action.as_deref() == Some("rollback")),
        "{acted:?}"
    );
    let audited: (String, String, String) = sqlx::query_as(
        "select actor, action, reason from experiment_audit_logs order by seq desc limit 1",
    )
    .fetch_one(&fixture.store().pool)
    .await
    .unwrap();
    assert_eq!(audited.0, "pitbossd (guardrail errors)");
    assert_eq!(audited.1, "rollback");
    assert!(audited.2.starts_with("guardrail errors: "), "{}", audited.2);
    let holds: i64 = sqlx::query_scalar(
        "select count(*) from experiment_holds where released_at is null and kind = 'rollback'",
    )
    .fetch_one(&fixture.store().pool)
    .await
    .unwrap();
    assert_eq!(holds, 1);
    let alert: (String, String, String) = sqlx::query_as(
        "select identity, state, severity from alerts where identity like '%/green'",
    )
    .fetch_one(&fixture.store().pool)
    .await
    .unwrap();
    let identity = "guardrail/checkout/errors/green".to_owned();
    assert_eq!(
        alert,
        (identity, "firing".to_owned(), "critical".to_owned())
    );

    // Stopped for good: nothing is wrong any more.
    let ended = "update experiments set state = 'stopped', run_state = jsonb_set(run_state, '{state}', '\"stopped\"') || '{\"shipped\": null}'";
    fixture.execute(ended).await;
    let lease = daemon.lease.clone();
    daemon.part.world.refresh().await;
    daemon.guard.run(&lease).await.unwrap();
    let open: i64 = sqlx::query_scalar("select count(*) from alerts where resolved_at is null")
        .fetch_one(&fixture.store().pool)
        .await
        .unwrap();
    assert_eq!(open, 0);
}

#[tokio::test]
async fn one_broken_arm_is_closed_and_a_second_one_rolls_back() {
    let spec = ERRORS.replace("rollback", "quarantine") + "\nbreaches = 1";
    let fixture = Fixture::start(&checkout(&spec)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    let green = arm(&fixture, "green");
    traffic(&fixture, 0, 0..2_400, ("error", None), &[("green", 10)]).await;
    assert_eq!(
        daemon.look(after(&fixture, 0, 30)).await,
        Some(Act::Quarantine(green))
    );
    assert_eq!(daemon.state(), "running");
    let open = |daemon: &Daemon| {
        let world = daemon.part.world.load();
        let live = world.get("checkout").unwrap();
        live.serving
            .arms
            .iter()
            .filter(|arm| !arm.quarantined)
            .count()
    };
    assert_eq!(open(&daemon), 2);
    assert_eq!(
        daemon.look(after(&fixture, 1, 0)).await,
        None,
        "it has been done"
    );
    let acted = acted(&fixture).await;
    assert_eq!(
        acted.len(),
        1,
        "one verdict did it, and not that of all arms: {acted:?}"
    );
    assert_eq!(acted[0].subject, Subject::Arm(green));
    assert!(
        acted[0].said.sentence.starts_with("green: 10."),
        "{acted:?}"
    );

    traffic(
        &fixture,
        2,
        10_000..12_400,
        ("error", None),
        &[("blue", 10)],
    )
    .await;
    assert_eq!(
        daemon.look(after(&fixture, 2, 30)).await,
        Some(Act::Rollback)
    );
    assert_eq!(daemon.state(), "rolled_back");
}

#[tokio::test]
async fn two_leaders_have_one_effect() {
    let fixture = Fixture::start(&checkout(ERRORS)).await;
    let mut one = Daemon::start(fixture.store()).await;
    let mut other = Daemon::start(fixture.store()).await;
    traffic(&fixture, 0, 0..2_400, ("error", None), &[("green", 10)]).await;
    one.look(after(&fixture, 0, 30)).await;
    // Both see the breach before either has acted on it.
    let now = after(&fixture, 1, 0);
    let (first, second) = tokio::join!(one.look(now), other.look(now));
    assert!(first.or(second) == Some(Act::Rollback));
    other.look(after(&fixture, 1, 30)).await;
    let audited: i64 = sqlx::query_scalar("select count(*) from experiment_audit_logs")
        .fetch_one(&fixture.store().pool)
        .await
        .unwrap();
    assert_eq!(audited, 1);
}

#[tokio::test]
async fn a_unit_that_sends_the_same_error_a_thousand_times_counts_once() {
    let fixture = Fixture::start(&checkout(ERRORS)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    traffic(&fixture, 0, 0..900, ("error", None), &[("green", 300)]).await;
    let at = after(&fixture, 0, 20);
    let broken: Vec<Event> = (0..1_000)
        .map(|n| Event {
            unit: 0,
            name: "error",
            value: None,
            id: 1_000_000 + n,
            at,
        })
        .collect();
    for batch in broken.chunks(100) {
        fixture.land(batch).await;
        fixture.fold(at).await;
    }
    assert_eq!(daemon.look(after(&fixture, 0, 30)).await, None);
    let (verdict, sentence) = said(&fixture, Subject::Experiment).await;
    assert_eq!(verdict, Verdict::Pass, "{sentence}");
    assert!(sentence.starts_with("all arms: 0."), "{sentence}");
}

#[tokio::test]
async fn silence_is_unknown_and_never_acts() {
    let spec = format!("{ERRORS}\nbreaches = 1\ngrace = \"2m\"");
    let fixture = Fixture::start(&checkout(&spec)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    for minute in 0..30 {
        assert_eq!(daemon.look(after(&fixture, minute, 0)).await, None);
        assert_eq!(
            said(&fixture, Subject::Experiment).await.0,
            Verdict::Unknown
        );
    }
    let spec = format!("{ERRORS}\nbreaches = 1\ngrace = \"2m\"\non_no_data = \"fail\"");
    let fixture = Fixture::start(&checkout(&spec)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    assert_eq!(daemon.look(after(&fixture, 0, 0)).await, None);
    assert_eq!(daemon.look(after(&fixture, 4, 0)).await, None);
    assert_eq!(
        daemon.look(after(&fixture, 6, 0)).await,
        Some(Act::Rollback)
    );
}

#[tokio::test]
async fn slow_requests_break_a_quantile_and_it_is_shown() {
    let spec = "kind = \"latency\"\nevent = \"took\"\nlimit = \"120ms\"\naction = \"alert\"\nmin_samples = 50\nbreaches = 1";
    let fixture = Fixture::start(&checkout(spec)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    traffic(
        &fixture,
        0,
        0..900,
        ("took", Some(80.0)),
        &[("blue", 1), ("green", 1)],
    )
    .await;
    traffic(
        &fixture,
        1,
        900..1_500,
        ("took", Some(400.0)),
        &[("teal", 1)],
    )
    .await;
    assert_eq!(daemon.look(after(&fixture, 1, 30)).await, None);
    let (verdict, sentence) = said(&fixture, Subject::Arm(arm(&fixture, "green"))).await;
    assert_eq!(
        (
            verdict,
            sentence.starts_with("green: p95 80 ms (0.00% above)")
        ),
        (Verdict::Pass, true),
        "{sentence}"
    );
    let (verdict, sentence) = said(&fixture, Subject::Arm(arm(&fixture, "teal"))).await;
    assert_eq!(
        (verdict, sentence.starts_with("teal: p95 40")),
        (Verdict::Fail, true),
        "{sentence}"
    );
    assert_eq!(daemon.state(), "running");
    let memory =
        &memories(&fixture).await[&("errors".to_owned(), Subject::Arm(arm(&fixture, "teal")))];
    assert_eq!(memory.run.acted, Some(GuardrailAction::Alert));
}

#[tokio::test]
async fn a_mean_beyond_its_limit_is_judged_by_whole_windows() {
    let spec = "kind = \"event\"\nevent = \"items\"\nmeasure = \"mean\"\nmin = 2.0\naction = \"alert\"\nmin_samples = 50\nbreaches = 2";
    let fixture = Fixture::start(&checkout(spec)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    // Three units that bought more keep the values from being all the same.
    traffic(&fixture, 0, 0..300, ("items", Some(1.0)), &[("green", 1)]).await;
    traffic(&fixture, 1, 300..310, ("items", Some(3.0)), &[("green", 1)]).await;
    traffic(&fixture, 6, 400..700, ("items", Some(1.0)), &[("green", 1)]).await;
    traffic(&fixture, 7, 700..710, ("items", Some(3.0)), &[("green", 1)]).await;
    let green = Subject::Arm(arm(&fixture, "green"));
    for seconds in [0, 30, 60, 90] {
        daemon.look(after(&fixture, 5, seconds)).await;
        let (verdict, sentence) = said(&fixture, green).await;
        assert_eq!(verdict, Verdict::Fail, "{sentence}");
        assert!(
            !memories(&fixture).await[&("errors".to_owned(), green)]
                .run
                .is_breached()
        );
    }
    daemon.look(after(&fixture, 10, 0)).await;
    assert!(
        memories(&fixture).await[&("errors".to_owned(), green)]
            .run
            .is_breached()
    );
}

#[tokio::test]
async fn an_override_keeps_it_from_acting_until_the_condition_clears() {
    let fixture = Fixture::start(&checkout(&format!(
        "{ERRORS}\nbreaches = 1\ndry_run = true"
    )))
    .await;
    let mut daemon = Daemon::start(fixture.store()).await;
    let ask = |length: Option<u64>| OverrideRequest {
        key: "checkout".to_owned(),
        guardrail: "errors".to_owned(),
        for_ms: length,
        rearm: false,
        reason: "a known outage of the payment provider".to_owned(),
        request_id: Uuid::now_v7(),
    };
    let ana = || Caller {
        actor: "ana".to_owned(),
        via: "test".to_owned(),
    };
    let refused = daemon
        .part
        .operations
        .override_guardrail(ask(None), ana())
        .await
        .unwrap_err();
    assert!(refused.message.contains("not in breach"), "{refused}");
    let wrong = OverrideRequest {
        guardrail: "error".to_owned(),
        ..ask(None)
    };
    let refused = daemon
        .part
        .operations
        .override_guardrail(wrong, ana())
        .await
        .unwrap_err();
    assert!(refused.message.contains("it has: errors"), "{refused}");

    // A dry run is in breach and does not act; that is what an override is placed on here.
    traffic(&fixture, 0, 0..2_400, ("error", None), &[("green", 10)]).await;
    assert_eq!(daemon.look(after(&fixture, 0, 30)).await, None);
    let done = daemon
        .part
        .operations
        .override_guardrail(ask(None), ana())
        .await
        .unwrap();
    assert!(
        done.outcome.ends_with("does not act until it clears"),
        "{}",
        done.outcome
    );
    daemon.look(after(&fixture, 1, 0)).await;
    assert_eq!(overrides(&fixture).await, 1);
    // Good windows until the alarm is over and three looks are good.
    let mut from = 10_000;
    for minute in 5..90 {
        traffic(&fixture, minute, from..from + 300, ("error", None), &[]).await;
        from += 300;
        daemon.look(after(&fixture, minute, 30)).await;
    }
    assert_eq!(said(&fixture, Subject::Experiment).await.0, Verdict::Pass);
    assert_eq!(overrides(&fixture).await, 0, "it is armed again");
}

/// A person resumes it at `at`.
async fn resume(fixture: &Fixture, at: DateTime<Utc>) {
    sqlx::query(
        "update experiments set revision = revision + 1, state = 'running',
             run_state = jsonb_build_object('state', 'running', 'since', $1::text)",
    )
    .bind(at.to_rfc3339())
    .execute(&fixture.store().pool)
    .await
    .unwrap();
}

/// Two guardrails that break at once, over a window in which the break and the resume both are.
#[tokio::test]
async fn what_a_person_takes_back_is_judged_anew_by_every_guardrail() {
    let spec = format!(
        "{ERRORS}\nbreaches = 1\nwindow = \"1h\"\n\n[[experiment.guardrail]]\nname = \"more\"\nkind = \"error_rate\"\n\
         event = \"error\"\nlimit = \"2%\"\naction = \"rollback\"\nbreaches = 2\nwindow = \"1h\""
    );
    let fixture = Fixture::start(&checkout(&spec)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    traffic(&fixture, 0, 0..2_400, ("error", None), &[("green", 5)]).await;
    assert_eq!(
        daemon.look(after(&fixture, 1, 0)).await,
        Some(Act::Rollback)
    );
    resume(&fixture, after(&fixture, 5, 0)).await;
    traffic(
        &fixture,
        6,
        10_000..10_900,
        ("error", None),
        &[("green", 300)],
    )
    .await;
    for seconds in [60, 90, 120, 150] {
        assert_eq!(daemon.look(after(&fixture, 6, seconds)).await, None);
    }
    assert_eq!(daemon.state(), "running");
    // Broken still, or again: that is new, and acts.
    traffic(
        &fixture,
        10,
        20_000..22_400,
        ("error", None),
        &[("green", 5)],
    )
    .await;
    assert_eq!(
        daemon.look(after(&fixture, 11, 0)).await,
        Some(Act::Rollback)
    );
}

#[tokio::test]
async fn what_was_learned_under_another_limit_says_nothing_under_this_one() {
    let fixture = Fixture::start(&checkout(ERRORS)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    traffic(&fixture, 0, 0..2_400, ("error", None), &[("green", 10)]).await;
    assert_eq!(daemon.look(after(&fixture, 0, 30)).await, None);
    let green = Subject::Arm(arm(&fixture, "green"));
    assert_eq!(said(&fixture, green).await.0, Verdict::Fail);
    fixture
        .execute("update experiment_revisions set spec = jsonb_set(spec, '{guardrails,0,check,limit}', '0.5')")
        .await;
    for minute in 1..4 {
        assert_eq!(daemon.look(after(&fixture, minute, 0)).await, None);
        assert_eq!(said(&fixture, green).await.0, Verdict::Pass);
    }
}

#[tokio::test]
async fn nothing_of_the_warm_up_is_held_against_anybody() {
    let spec = ERRORS.to_owned()
        + "\nbreaches = 1\nwarm_up = \"30m\"\n\n[[experiment.guardrail]]\nname = \"silence\"\n\
           kind = \"staleness\"\nlimit = \"5m\"\naction = \"pause\"\nbreaches = 1\nwarm_up = \"30m\"";
    let fixture = Fixture::start(&checkout(&spec)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    traffic(&fixture, 0, 0..2_400, ("error", None), &[("green", 10)]).await;
    for minute in [1, 10, 29] {
        assert_eq!(daemon.look(after(&fixture, minute, 0)).await, None);
        assert_eq!(
            said(&fixture, Subject::Experiment).await.0,
            Verdict::Unknown
        );
    }
    traffic(
        &fixture,
        30,
        10_000..10_900,
        ("error", None),
        &[("green", 300)],
    )
    .await;
    traffic(
        &fixture,
        31,
        11_000..11_900,
        ("error", None),
        &[("green", 300)],
    )
    .await;
    assert_eq!(daemon.look(after(&fixture, 31, 30)).await, None);
    assert_eq!(said(&fixture, Subject::Experiment).await.0, Verdict::Pass);
}

#[tokio::test]
async fn events_that_come_later_than_their_units_are_not_missing() {
    let spec = "kind = \"event\"\nevent = \"paid\"\nmin = \"80%\"\naction = \"rollback\"\nmin_samples = 50\nbreaches = 1\nwindow = \"1h\"";
    let fixture = Fixture::start(&checkout(spec)).await;
    let mut daemon = Daemon::start(fixture.store()).await;
    assert_eq!(daemon.look(after(&fixture, 0, 0)).await, None);
    // In turn a minute in which units come and one in which nine of ten of them pay.
    for turn in 0..20 {
        let (came, paid) = (
            after(&fixture, 2 * turn, 0),
            after(&fixture, 2 * turn + 1, 0),
        );
        let units: Vec<u32> = (turn as u32 * 100..turn as u32 * 100 + 90).collect();
        fixture.assign_all(&units, came, true).await;
        fixture.fold(came).await;
        assert_eq!(daemon.look(came + TimeDelta::seconds(30)).await, None);
        let events = units
            .iter()
            .filter(|unit| *unit % 10 != 0)
            .map(|unit| Event {
                unit: *unit,
                name: "paid",
                value: None,
                id: u128::from(*unit) + 1,
                at: paid,
            });
        fixture.land(&events.collect::<Vec<_>>()).await;
        fixture.fold(paid).await;
    }
    assert_eq!(daemon.look(after(&fixture, 60, 30)).await, None);
    let (verdict, sentence) = said(&fixture, Subject::Experiment).await;
    assert_eq!(verdict, Verdict::Pass, "{sentence}");
}

async fn overrides(fixture: &Fixture) -> usize {
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    guardrails::overrides(&mut connection, fixture.id)
        .await
        .unwrap()
        .len()
}
