//! Answers of a daemon, for the golden tests of every command's text and JSON.

#[path = "../../tests/fixtures/alerts.rs"]
mod alerts;
mod guardrails;

use bandit::inference::{ArmPeriod, Period};
use chrono::{DateTime, TimeDelta, Utc};
use protocol::control::{AuditEntry, AuditPage, Health, PartHealth};
use protocol::decision::{Decision, DecisionCheck, DecisionLine, DecisionNumbers};
use protocol::evaluation::{Evaluation, WhatIf};
use protocol::evidence::{ArmEvidence, Contrast, LaneEvidence};
use protocol::experiments::{
    AllocationPoint, ArmInFlight, ArmInsight, ArmRow, Detail, EarnedRow, ExplainStep, Explanation,
    GuardrailRow, Insights, LaneDifference, LaneResults, RampRow, Results, Row, ScheduleRow,
    StoredAssignment, TimelineEntry,
};
use protocol::plans::{Applied, Change, ChangeKind, Effect, FieldChange, PlanReply};
use uuid::Uuid;

pub(super) use alerts::alerts;
pub(super) use guardrails::guardrails;

/// 2026-02-01 12:04:31Z
pub(super) fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_769_947_471)
}

fn ago(seconds: i64) -> DateTime<Utc> {
    now() - TimeDelta::seconds(seconds)
}

fn arm(name: &str, share: f64, alpha: f64, beta: f64, p_best: f64) -> ArmRow {
    let mean = alpha / (alpha + beta);
    ArmRow {
        name: name.into(),
        control: false,
        retired: false,
        quarantined: false,
        share,
        alpha,
        beta,
        assigned: 10_500,
        exposed: 10_400,
        resolved: (alpha + beta) as u64 - 2,
        reward_sum: alpha - 1.0,
        p_best,
        expected_loss: (1.0 - p_best) / 100.0,
        mean,
        low: mean - 0.005,
        high: mean + 0.005,
    }
}

fn arms() -> Vec<ArmRow> {
    vec![
        ArmRow {
            control: true,
            ..arm("green", 0.058, 812.0, 9188.0, 0.006)
        },
        arm("blue", 0.942, 1_030.0, 9_870.0, 0.994),
        ArmRow {
            retired: true,
            ..arm("grey", 0.0, 40.0, 900.0, 0.0)
        },
    ]
}

pub(super) fn row() -> Row {
    Row {
        key: "checkout_button".into(),
        name: Some("Colour of the checkout button".into()),
        owner: Some("payments".into()),
        state: "running".into(),
        since: Some(ago(525_600)),
        state_by: "ana (uid 1000)".into(),
        state_why: "launch".into(),
        policy: "thompson".into(),
        lane: "main".into(),
        revision: 12,
        traffic: 0.05,
        holdback: 0.05,
        floor: 0.01,
        reward: "purchase within 1d, revoked by refund".into(),
        scale: None,
        decisions_per_sec: 41.23,
        assigned: 1_482_390,
        version: 37,
        published_at: Some(ago(8)),
        burn_in: None,
        arms: arms(),
        guardrails: vec![GuardrailRow {
            name: "checkout errors".into(),
            limit: "checkout_error < 1%".into(),
            action: "rollback".into(),
            status: "warn".into(),
            said: "blue: 1.31% of 4,120 against 1.00%, evidence 5.1 of 9.2".into(),
        }],
        not_active: vec![],
        holds: vec![],
        decision: None,
        schedule: Some(ScheduleRow {
            stops_at: Some(ago(-93_600)),
            ramp: Some(RampRow {
                step: 1,
                steps: 3,
                traffic: 0.05,
                next: 0.5,
                held_until: ago(-2_580),
                samples: 312,
                min_samples: 500,
            }),
            ..ScheduleRow::default()
        }),
        stale: None,
    }
}

pub(super) fn young_row() -> Row {
    let untouched = |name: &str| ArmRow {
        assigned: 0,
        exposed: 0,
        resolved: 0,
        ..arm(name, 0.5, 1.0, 1.0, 0.5)
    };
    Row {
        key: "pricing".into(),
        name: None,
        state: "paused".into(),
        since: Some(ago(70)),
        state_why: "the price list changes".into(),
        version: 1,
        decisions_per_sec: 0.0,
        assigned: 0,
        burn_in: Some("burn-in: 0 of 100 rewards on list_price".into()),
        schedule: None,
        arms: vec![untouched("list_price"), untouched("discount")],
        guardrails: vec![],
        not_active: vec![],
        holds: vec!["paused by ana: the price list changes".into()],
        ..row()
    }
}

pub(super) fn detail() -> Detail {
    Detail {
        source: None,
        lanes: Vec::new(),
        now: now(),
        row: row(),
        allocation: vec![AllocationPoint {
            at: ago(8),
            version: 37,
            shares: vec![0.058, 0.942, 0.0],
        }],
        events: vec![
            TimelineEntry {
                at: ago(8),
                kind: "policy".into(),
                text: "version 37: blue 91% -> 94%".into(),
            },
            TimelineEntry {
                at: ago(525_600),
                kind: "state".into(),
                text: "started by ana: launch".into(),
            },
        ],
        spec_toml: "[[experiment]]\nkey = \"checkout_button\"\n".into(),
        decision: Some(decision()),
    }
}

fn lane_results(lane: &str, policy: &str, share: f64, earned: (f64, f64, f64)) -> LaneResults {
    let (mean, low, high) = earned;
    LaneResults {
        lane: lane.into(),
        policy: policy.into(),
        version: 37,
        share,
        assigned: (21_000.0 * share) as u64,
        exposed: (20_800.0 * share) as u64,
        resolved: (20_000.0 * share) as u64,
        earned: Some(EarnedRow { mean, low, high }),
        burn_in: None,
        arms: arms(),
        evidence: Some(evidence()),
        learns_from: None,
        in_flight: Vec::new(),
    }
}

pub(super) fn results() -> Results {
    Results {
        source: None,
        experiment: "checkout_button".into(),
        state: "running".into(),
        as_of: now(),
        assignments: 21_000,
        exposures: 20_800,
        events: 2_204,
        events_by_name: vec![("purchase".into(), 2_090), ("refund".into(), 114)],
        duplicates: 3,
        conflicts: 0,
        frozen_conflicts: 2,
        late: 12,
        unassigned: 1,
        over_cap: 3,
        before_exposure: 2,
        early: 31,
        rewards: 20_000,
        pending: 800,
        unfolded: 7,
        versions: 37,
        lanes: vec![
            LaneResults {
                learns_from: Some("memory: the split learns from the last 14d".into()),
                in_flight: vec![
                    in_flight("green", 44, 2, Some(1.6)),
                    in_flight("blue", 756, 29, Some(41.3)),
                    in_flight("grey", 0, 0, None),
                ],
                ..lane_results("main", "thompson", 0.75, (0.0931, 0.0885, 0.0979))
            },
            lane_results("steady", "fixed", 0.25, (0.0842, 0.0767, 0.0923)),
        ],
        lane_differences: vec![LaneDifference {
            ahead: "main".into(),
            behind: "steady".into(),
            by: 0.0089,
            low: -0.0004,
            high: 0.0178,
        }],
        lane_comparison: Some(
            "main and steady are not to be told apart yet: 9.31% against 8.42% a unit".into(),
        ),
        scale: None,
        decision: Some(decision()),
    }
}

fn evidence() -> LaneEvidence {
    let of = |arm: &str, estimate, against_control| ArmEvidence {
        arm: arm.into(),
        estimate: Some(estimate),
        standard_error: Some(0.0027),
        low: Some(estimate - 0.0081),
        high: Some(estimate + 0.0081),
        against_control,
        drift_p: Some(0.31),
    };
    let better = Contrast {
        difference: 0.0128,
        standard_error: 0.0039,
        low: 0.0012,
        high: 0.0244,
        p_value: 0.021,
    };
    LaneEvidence {
        lane: "main".into(),
        srm_p: 0.412,
        srm_sequential_p: 1.0,
        drift_p: Some(0.226),
        arms: vec![
            of("green", 0.0809, None),
            of("blue", 0.0937, Some(better)),
            ArmEvidence {
                drift_p: None,
                ..of("grey", 0.0431, None)
            },
        ],
    }
}

fn in_flight(arm: &str, pending: u64, early: u64, to_come: Option<f64>) -> ArmInFlight {
    ArmInFlight {
        arm: arm.into(),
        pending,
        early,
        early_sum: early as f64,
        to_come,
    }
}

pub(super) fn insights() -> Insights {
    let reading = |arm: &str, p_best: f64, p_beats_control, words: &str| ArmInsight {
        arm: arm.into(),
        samples: 10_898,
        exposed: 11_300,
        pending: 402,
        observed: Some(0.0944),
        rate: 0.0945,
        low: 0.089,
        high: 0.1002,
        p_best,
        p_beats_control,
        expected_loss: 0.0001,
        recommendation: words.into(),
    };
    Insights {
        source: None,
        experiment: "checkout_button".into(),
        as_of: now(),
        summary: "blue leads: 9.45% against 8.12%, P(best) 0.994".into(),
        arms: vec![
            reading(
                "blue",
                0.994,
                Some(0.994),
                "better than control, and that holds at any look: a candidate to ship",
            ),
            reading("green", 0.006, None, "the yardstick: keep it"),
            ArmInsight {
                samples: 0,
                pending: 11_300,
                observed: None,
                ..reading(
                    "violet",
                    0.0,
                    Some(0.5),
                    "too few samples to tell: 0 of at least 100 have resolved",
                )
            },
        ],
        caveats: vec!["the holdback lane is not part of these figures".into()],
        evidence: Some(evidence()),
        scale: None,
        decision: Some(decision()),
    }
}

pub(super) fn decision() -> Decision {
    let check = |name: &str, status: &str, text: &str| DecisionCheck {
        name: name.into(),
        status: status.into(),
        text: text.into(),
        arm: Some("blue".into()),
        value: None,
        threshold: None,
    };
    Decision {
        line: DecisionLine {
            decision: "keep_running".into(),
            arm: None,
            at: now(),
            since: ago(3_600),
            sentence: "Keep running: 8.2 days of resolved data; the next whole week is over at 14 days; \"blue\" leads with P(better) 0.9940.".into(),
            caution: Some("it finds a loser among equal arms in 56-60% (two) and 93-97% (four) of tests".into()),
        },
        preset: "fail_fast".into(),
        acts: Some("it is not carried out meanwhile: it is held (paused by ana: latency)".into()),
        days_left: Some(5.8),
        reasons: vec![check(
            "p_better",
            "fail",
            "P(\"blue\" better than \"green\") is 0.9840, needs 0.9900",
        )],
        gates: vec![
            check("samples", "pass", "10,898 outcomes or more on every compared arm"),
            check("sample_ratio", "unknown", "too few units to compare the split with its allocation"),
        ],
        numbers: vec![DecisionNumbers {
            arm: "blue".into(),
            samples: 10_898,
            mean: 0.0945,
            p_best: 0.984,
            expected_loss: 0.0001,
            p_better: Some(0.984),
            lift: Some(0.013),
            lift_low: Some(-0.002),
            lift_high: Some(0.028),
        }],
    }
}

pub(super) fn explanation(agrees: Option<bool>) -> Explanation {
    Explanation {
        experiment: "checkout_button".into(),
        unit_key: "9f0c2e7a5d1b4c38a6e0f1d2c3b4a596".into(),
        stored: agrees.map(|_| StoredAssignment {
            lane: "main".into(),
            arm: "blue".into(),
            version: 36,
            propensity: 0.91,
            at: ago(90),
            exposed_at: Some(ago(90)),
            reward: None,
        }),
        recomputed_arm: Some("blue".into()),
        agrees,
        steps: vec![
            ExplainStep {
                step: "traffic".into(),
                detail: "bucket 0.412 < 1".into(),
                outcome: "in".into(),
            },
            ExplainStep {
                step: "arm".into(),
                detail: "bucket 0.271 of blue 0.910, green 0.090".into(),
                outcome: "blue".into(),
            },
        ],
    }
}

pub(super) fn audit() -> AuditPage {
    AuditPage {
        entries: vec![AuditEntry {
            seq: 57,
            at: ago(60),
            actor: "ana (uid 1000)".into(),
            via: "cli".into(),
            action: "pause".into(),
            target: "pricing".into(),
            result: "ok".into(),
            revision: 12,
            reason: "the price list changes".into(),
            request_id: Uuid::nil(),
            body: "{}".into(),
        }],
        next: Some(57),
    }
}

pub(super) fn health(ok: bool) -> Health {
    let part = |name: &str, ok, detail: &str| PartHealth {
        name: name.into(),
        ok,
        detail: detail.into(),
        last_run: Some(ago(1)),
    };
    Health {
        ok,
        build: "pitbossd 0.1.0".into(),
        now: now(),
        started_at: ago(7_300),
        parts: vec![
            part("database", ok, "3 of 16 connections in use"),
            part("fold", true, "214 events in 8 ms"),
        ],
    }
}

/// The plan of CONSOLE.md's screen: a change with a warning, an addition, a stop.
pub(super) fn plan() -> PlanReply {
    let field = |path: &str, from: &str, to: &str| FieldChange {
        path: path.into(),
        from: from.into(),
        to: to.into(),
    };
    let effect = |warning, text: &str| Effect {
        warning,
        text: text.into(),
    };
    let change = |key: &str, kind, fields, effects| Change {
        key: key.into(),
        kind,
        fields,
        effects,
        not_active: vec![],
        holds: vec![],
    };
    PlanReply {
        base_revision: 18_422,
        changes: vec![
            change(
                "checkout_button",
                ChangeKind::Change,
                vec![
                    field("policy.floor", "0.02", "0.05"),
                    field("guardrail.p95_latency", "< 300ms", "< 250ms"),
                ],
                vec![
                    effect(false, "green keeps 0.90 of traffic (now 0.96)"),
                    effect(
                        true,
                        "286 ms now, would breach at once and pause the experiment",
                    ),
                ],
            ),
            change(
                "promo_banner",
                ChangeKind::Stop,
                vec![field("state", "running", "stopped")],
                vec![effect(
                    true,
                    "12,410 decisions a day: callers get control \"off\"",
                )],
            ),
            Change {
                not_active: vec![],
                holds: vec!["rolled back by ana: kept".into()],
                ..change(
                    "search_ranker",
                    ChangeKind::Add,
                    vec![
                        field("policy", "(none)", "thompson"),
                        field("arms", "(none)", "3"),
                    ],
                    vec![],
                )
            },
        ],
        unchanged: vec!["pricing".into(), "payment_methods".into()],
        not_declared: vec!["old_test".into()],
        refused: vec![],
    }
}

pub(super) fn applied() -> Applied {
    Applied {
        revision: 18_423,
        changed: vec!["checkout_button".into()],
        outcome: "1 added, 1 changed, 1 stopped".into(),
        repeated: false,
    }
}

/// Always blue, on 20,000 units that two versions drew.
pub(super) fn what_if() -> WhatIf {
    let period = |blue: f64, counts: [(u64, f64); 2]| {
        let arms = [1.0 - blue, blue].into_iter().zip(counts);
        Period {
            arms: arms
                .map(|(propensity, (n, sum))| ArmPeriod {
                    propensity,
                    assigned: n,
                    n,
                    sum,
                    sum_sq: sum,
                })
                .collect(),
            ..Period::default()
        }
    };
    let periods = [
        period(0.5, [(4_988, 402.0), (5_012, 470.0)]),
        period(0.9, [(1_014, 83.0), (8_986, 850.0)]),
    ];
    let targets = [vec![0.0, 1.0], vec![0.0, 1.0]];
    let evaluation = bandit::offpolicy::what_if(&periods, &targets).expect("the counts fit");
    WhatIf {
        source: None,
        experiment: "checkout_button".into(),
        lane: "main".into(),
        policy: "arm:blue".into(),
        instead_of: "thompson".into(),
        as_of: now(),
        versions: 2,
        pending: 800,
        evaluation: Evaluation::from(&evaluation),
    }
}

/// As JSON with nine digits behind the point: the last ones are the quadrature's, not the command's.
pub(super) fn rounded(answer: &impl serde::Serialize) -> serde_json::Value {
    fn round(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Number(number) if number.is_f64() => {
                let exact = number.as_f64().expect("asked above");
                *value = serde_json::json!((exact * 1e9).round() / 1e9);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(round),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(round),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(answer).expect("answers are JSON");
    round(&mut value);
    value
}
