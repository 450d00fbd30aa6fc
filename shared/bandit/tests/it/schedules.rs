//! Schedules: what is due when, however often and late anybody looks.

use bandit::experiment::{ArmId, RunState, Share};
use bandit::schedule::{Action, Next, Obstacle, Ramp, Standing, look, served_traffic, stage};
use bandit::spec::{model::ExperimentSpec, parse};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::common::{same_cases, share};

fn spec(schedule: &str) -> ExperimentSpec {
    let text = format!(
        "[[experiment]]\nkey = \"checkout\"\nreward = \"purchase\"\ncontrol = \"a\"\narms = [\"a\", \"b\"]\ntraffic = \"80%\"\n\
         [experiment.schedule]\n{schedule}\n"
    );
    parse("schedules.toml", &text)
        .unwrap()
        .experiments
        .remove(0)
}

/// So many minutes after noon of a day.
fn minute(count: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(720 + count)
}

/// An experiment that lives by its schedule alone.
#[derive(Debug, Clone, PartialEq)]
struct Life {
    spec: ExperimentSpec,
    state: RunState,
    started_at: Option<DateTime<Utc>>,
    ramp: Option<Ramp>,
    exposed: u64,
    held: bool,
    done: Vec<Action>,
}

impl Life {
    fn draft(schedule: &str) -> Self {
        Self {
            spec: spec(schedule),
            state: RunState::Draft,
            started_at: None,
            ramp: None,
            exposed: 0,
            held: false,
            done: Vec::new(),
        }
    }

    /// Started by hand at noon.
    fn running(schedule: &str) -> Self {
        let mut life = Self::draft(schedule);
        life.start(minute(0));
        life
    }

    fn start(&mut self, at: DateTime<Utc>) {
        self.state = RunState::Running { since: at };
        self.started_at = Some(at);
        self.ramp = Ramp::begin(&self.spec, at, self.exposed);
    }

    fn standing(&self) -> Standing<'_> {
        Standing {
            spec: &self.spec,
            state: &self.state,
            started_at: self.started_at,
            ramp: self.ramp,
            exposed: self.exposed,
            held: self.held,
        }
    }

    fn look(&self, at: i64) -> Next {
        look(&self.standing(), minute(at))
    }

    fn traffic(&self) -> f64 {
        served_traffic(&self.spec, self.ramp).get()
    }

    /// Looks, and does what is due: one thing at most.
    fn live(&mut self, at: i64) {
        let Next::Due(action) = self.look(at) else {
            return;
        };
        let now = minute(at);
        match action {
            Action::Start => self.start(now),
            Action::Stop => self.stop(now),
            Action::Archive => self.state = RunState::Archived { since: now },
            Action::Step { to, since, .. } => {
                self.ramp = Some(Ramp {
                    traffic: to,
                    since,
                    exposed_before: self.exposed,
                });
            }
        }
        self.done.push(action);
    }

    fn stop(&mut self, at: DateTime<Utc>) {
        self.state = RunState::Stopped {
            since: at,
            by: "pitbossd (schedule)".into(),
            why: "stop".into(),
            shipped: None::<ArmId>,
        };
    }

    fn pause(&mut self, at: i64) {
        self.state = RunState::Paused {
            since: minute(at),
            by: "ana".into(),
            why: "latency".into(),
        };
    }
}

const TIMED: &str = r#"ramp = [{ traffic = "5%", hold = "10m" }, { traffic = "20%", hold = "30m" }, { traffic = "50%", hold = "5m" }]"#;
const GATED: &str = r#"ramp = [{ traffic = "5%", hold = "10m", min_samples = 100 }, { traffic = "20%", hold = "10m", min_samples = 50 }, { traffic = "50%", hold = "5m" }]"#;

#[test]
fn a_draft_starts_at_its_time_and_not_before() {
    let mut life = Life::draft(
        "start = 2024-10-04T12:10:00Z\nstop = 2024-10-04T13:00:00Z\narchive_after = \"2h\"",
    );
    assert_eq!(life.look(9), Next::At(minute(10)));
    for at in 0..=10 {
        life.live(at);
    }
    assert_eq!(life.state, RunState::Running { since: minute(10) });
    assert_eq!(life.look(59), Next::At(minute(60)));
    life.live(60);
    assert_eq!(life.look(179), Next::At(minute(180)));
    life.live(180);
    assert_eq!(life.done, [Action::Start, Action::Stop, Action::Archive]);
    assert_eq!(life.look(10_000), Next::Nothing);
}

#[test]
fn a_stop_that_passed_while_nobody_looked_stops_at_once() {
    let mut life = Life::running("stop = 2024-10-04T13:00:00Z");
    life.live(5_000);
    assert_eq!(life.done, [Action::Stop]);
}

#[test]
fn a_draft_whose_dates_are_over_waits_for_a_person() {
    let mut life = Life::draft("start = 2024-10-04T12:10:00Z\nstop = 2024-10-04T13:00:00Z");
    assert_eq!(life.look(60), Next::Waits(Obstacle::StopIsOver));
    life.start(minute(70));
    assert_eq!(
        life.look(80),
        Next::Nothing,
        "who starts it then wants it to run"
    );
}

#[test]
fn without_a_schedule_nothing_is_ever_due() {
    let mut life = Life::running("");
    assert_eq!(life.look(1_000_000), Next::Nothing);
    assert_eq!(life.traffic(), 0.8);
    life.stop(minute(0));
    assert_eq!(life.look(1_000_000), Next::Nothing);
}

#[test]
fn a_ramp_steps_up_to_the_traffic() {
    let mut life = Life::running(TIMED);
    let traffic: Vec<f64> = [0, 9, 10, 39, 40, 44, 45, 999]
        .into_iter()
        .map(|at| {
            life.live(at);
            life.traffic()
        })
        .collect();
    assert_eq!(traffic, [0.05, 0.05, 0.2, 0.2, 0.5, 0.5, 0.8, 0.8]);
    assert_eq!(life.look(1_000), Next::Nothing);
    assert_eq!(stage(&life.standing()), None);
}

#[test]
fn overdue_steps_are_one_step() {
    let mut life = Life::running(TIMED);
    life.live(41);
    let step = Action::Step {
        from: share(0.05),
        to: share(0.5),
        since: minute(40),
    };
    assert_eq!(life.done, [step]);
    assert_eq!(life.look(41), Next::At(minute(45)));
}

#[test]
fn a_step_that_was_never_served_has_no_samples_and_stops_the_fold() {
    let mut life = Life::running(GATED);
    life.exposed = 100_000;
    life.live(5_000);
    assert_eq!(life.traffic(), 0.2);
    assert_eq!(
        life.look(5_010),
        Next::Waits(Obstacle::Samples {
            have: 0,
            need: 50,
            late: false
        })
    );
}

#[test]
fn who_waits_for_samples_for_three_holds_is_late() {
    let mut life = Life::running(GATED);
    life.exposed = 99;
    let waits = |late| {
        Next::Waits(Obstacle::Samples {
            have: 99,
            need: 100,
            late,
        })
    };
    assert_eq!(life.look(9), Next::At(minute(10)));
    assert_eq!((life.look(10), life.look(39)), (waits(false), waits(false)));
    assert_eq!(
        (life.look(40), life.look(9_999)),
        (waits(true), waits(true))
    );
    life.exposed = 100;
    life.live(50);
    assert_eq!(
        life.look(59),
        Next::At(minute(60)),
        "held in full from then on"
    );
}

#[test]
fn where_the_ramp_stands_is_said() {
    let mut life = Life::running(GATED);
    life.exposed = 112;
    life.live(12);
    life.exposed = 143;
    let stage = stage(&life.standing()).unwrap();
    assert_eq!((stage.step, stage.steps), (2, 4));
    assert_eq!((stage.traffic, stage.next), (share(0.2), share(0.5)));
    assert_eq!((stage.have, stage.need), (31, 50));
    assert_eq!(stage.held_until, minute(22));
}

#[test]
fn nothing_happens_to_what_is_paused_or_held_but_a_stop_of_what_runs() {
    let schedule = format!("{TIMED}\nstop = 2024-10-04T13:00:00Z");
    let mut life = Life::running(&schedule);
    life.pause(5);
    assert_eq!(life.look(15), Next::Waits(Obstacle::Paused));
    assert_eq!(life.look(65), Next::Waits(Obstacle::Paused));
    life.state = RunState::Running { since: minute(20) };
    assert_eq!(life.look(29), Next::At(minute(30)), "held anew");
    life.held = true;
    assert_eq!(life.look(30), Next::Waits(Obstacle::Held));
    assert_eq!(life.look(60), Next::Due(Action::Stop));
}

#[test]
fn a_changed_ramp_goes_on_from_what_is_served() {
    let at = minute(100);
    let (old, new) = (spec(TIMED), |steps: &str| {
        spec(&format!("ramp = [{steps}]"))
    });
    let ramp = Ramp {
        traffic: share(0.2),
        since: minute(10),
        exposed_before: 7,
    };
    let carried = |new: &ExperimentSpec| Ramp::carried_on(Some(ramp), &old, new, at, 99);
    let finer = new(r#"{ traffic = "10%", hold = "1h" }, { traffic = "40%", hold = "1h" }"#);
    assert_eq!(carried(&finer), Some(ramp), "time and samples count on");
    let higher = new(r#"{ traffic = "60%", hold = "1h" }"#);
    let mut life = Life::running(TIMED);
    (life.spec, life.ramp) = (higher.clone(), carried(&higher));
    life.live(200);
    assert_eq!(
        (life.traffic(), life.look(259)),
        (0.6, Next::At(minute(260)))
    );

    let none = spec("stop = 2024-10-04T13:00:00Z");
    assert_eq!(carried(&none), None);
    assert_eq!(served_traffic(&none, None), share(0.8));
    // Without a ramp so far, everybody is in: none of them is sent away.
    let began = Ramp::carried_on(None, &none, &old, at, 99).unwrap();
    assert_eq!((began.traffic, began.since), (share(0.8), at));
    let mut lowered = old.clone();
    lowered.traffic = share(0.1);
    let carried = carried(&lowered).unwrap();
    assert_eq!((carried.traffic, carried.exposed_before), (share(0.1), 99));
}

fn ramp(gates: bool) -> impl Strategy<Value = String> {
    let step = (1u32..=20, 0u32..=30, 0u64..=if gates { 40 } else { 0 });
    proptest::collection::vec(step, 1..=5).prop_map(|steps| {
        let mut traffic = 0;
        let steps: Vec<String> = steps
            .into_iter()
            .filter_map(|(rise, hold, least)| {
                traffic += rise;
                (traffic <= 80).then(|| {
                    format!(r#"{{ traffic = "{traffic}%", hold = "{hold}m", min_samples = {least} }}"#)
                })
            })
            .collect();
        format!(
            "start = 2024-10-04T12:10:00Z\nstop = 2024-10-04T14:00:00Z\narchive_after = \"1h\"\nramp = [{}]",
            steps.join(", ")
        )
    })
}

/// How many were exposed by a minute, were it started at 10.
fn exposed(at: i64, per_minute: u64) -> u64 {
    per_minute * u64::try_from((at - 10).max(0)).unwrap()
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn any_looks_lead_to_what_looking_all_the_time_leads_to(
        schedule in ramp(false),
        mut looks in proptest::collection::vec(0i64..300, 0..30),
        end in 0i64..300,
    ) {
        let (mut all, mut some) = (Life::draft(&schedule), Life::draft(&schedule));
        // Whoever starts late is late with all that follows.
        looks.extend([10, end]);
        looks.retain(|at| *at <= end);
        looks.sort_unstable();
        for at in 0..=end {
            // More than one thing may be due after a while; each look does one.
            for _ in 0..8 { all.live(at) }
        }
        for at in looks {
            for _ in 0..8 { some.live(at) }
        }
        let runs = |life: &Life| matches!(life.state, RunState::Running { .. });
        prop_assert_eq!(runs(&all), runs(&some));
        if runs(&all) {
            prop_assert_eq!(all.traffic(), some.traffic());
            prop_assert_eq!(all.ramp.map(|it| it.since), some.ramp.map(|it| it.since));
        }
    }

    #[test]
    fn traffic_never_falls_and_no_gate_is_skipped_whatever_the_clock_does(
        schedule in ramp(true),
        looks in proptest::collection::vec((0i64..130, 0u64..30), 1..60),
    ) {
        let mut life = Life::draft(&schedule);
        let mut served_since = 0;
        for (at, more) in looks {
            life.exposed += more;
            let (before, steps) = (life.clone(), life.done.len());
            life.live(at);
            prop_assert!(life.done.len() <= steps + 1);
            let again = life.look(at);
            if life.state == before.state {
                prop_assert!(!matches!(again, Next::Due(_)), "done twice: {again:?}");
                prop_assert!(life.traffic() >= before.traffic());
            } else if before.state == RunState::Draft {
                served_since = life.exposed;
            }
            if let Some(Action::Step { from, to, .. }) = life.done.get(steps) {
                let ramp = &life.spec.schedule.as_ref().unwrap().ramp;
                let gate = |at: &Share| ramp.iter().find(|step| step.traffic == *at).unwrap().min_samples;
                prop_assert!(life.exposed - served_since >= gate(from));
                let passed = ramp.iter().filter(|step| step.traffic > *from && step.traffic < *to);
                prop_assert!(passed.clone().all(|step| step.min_samples == 0), "{from} -> {to}");
                served_since = life.exposed;
            }
        }
    }

    #[test]
    fn a_gated_ramp_is_never_ahead_of_one_that_is_looked_at_all_the_time(
        schedule in ramp(true),
        per_minute in 0u64..10,
        looks in proptest::collection::btree_set(10i64..119, 0..20),
    ) {
        let (mut all, mut some) = (Life::draft(&schedule), Life::draft(&schedule));
        for at in 10..119 {
            all.exposed = exposed(at, per_minute);
            for _ in 0..8 { all.live(at) }
            if at == 10 || looks.contains(&at) {
                some.exposed = exposed(at, per_minute);
                for _ in 0..8 { some.live(at) }
            }
            prop_assert!(some.traffic() <= all.traffic(), "at {at}");
        }
    }
}
