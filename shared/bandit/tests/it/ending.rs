//! When an experiment should end: gates, choices, and recommendations that do not come and go.

use bandit::decision::{
    Acts, ArmEvidence, Choice, Circumstances, Decision, Evidence, GuardrailEvidence,
    GuardrailStatus, LiftInterval, Memory, Rules, SampleRatio, Status, Versus, acts, decide,
};
use bandit::experiment::{ArmId, Millis, RunState};
use bandit::scale::Scale;
use bandit::spec::defaults;
use bandit::spec::model::{AutoDecision, DecisionPreset, DecisionSpec};

const DAY: u64 = 24 * 60 * 60 * 1_000;
const BLUE: ArmId = ArmId(1);
const RED: ArmId = ArmId(2);

fn spec(preset: DecisionPreset) -> DecisionSpec {
    defaults::decision(preset)
}

fn days(days: f64) -> Millis {
    Millis((days * DAY as f64) as u64)
}

/// Fourteen days of plenty: whatever the figures of the arms say can be followed.
fn evidence(arms: Vec<ArmEvidence>) -> Evidence {
    Evidence {
        running_for: days(14.1),
        matured_for: days(14.0),
        arms,
        value_remaining: Some(0.0),
        resolved_per_day: 2_000.0,
        sample_ratio: SampleRatio {
            p_value: Some(0.4),
            e_value: Some(0.1),
        },
        guardrails: Vec::new(),
        late_share: 0.0,
        scale: None,
    }
}

fn control() -> ArmEvidence {
    ArmEvidence {
        arm: ArmId(0),
        name: "green".to_owned(),
        control: true,
        at_floor: false,
        resolved: 14_000,
        reward_sum: 700.0,
        mean: 0.05,
        sd: 0.0018,
        p_best: 0.0,
        expected_loss: 0.0,
        p_below_leader: 0.0,
        versus: None,
    }
}

/// A treatment that is better than control with probability `p`.
fn treatment(arm: ArmId, name: &str, p: f64) -> ArmEvidence {
    ArmEvidence {
        arm,
        name: name.to_owned(),
        control: false,
        mean: 0.05 + 0.005 * (p - 0.5),
        p_best: p,
        expected_loss: 0.000_1 * (1.0 - p),
        versus: Some(Versus {
            p_better: p,
            p_worthwhile: p,
            p_same: 0.0,
            lift: Some(LiftInterval {
                estimate: 0.003,
                low: -0.001,
                high: 0.007,
            }),
        }),
        ..control()
    }
}

fn blue(p: f64) -> Evidence {
    evidence(vec![control(), treatment(BLUE, "blue", p)])
}

fn look(preset: DecisionPreset, evidence: &Evidence, memory: &Memory) -> Decision {
    decide(
        &Rules::new(&spec(preset), evidence.arms.len()),
        evidence,
        memory,
    )
}

fn standard(evidence: &Evidence) -> Decision {
    look(DecisionPreset::Standard, evidence, &Memory::default())
}

#[test]
fn ships_a_winner_at_the_end_of_whole_weeks_and_says_by_how_much() {
    let decision = standard(&blue(0.995));
    assert_eq!(decision.choice, Choice::Ship { arm: BLUE });
    assert_eq!(
        decision.sentence,
        "Ship \"blue\": 99.5% likely better than \"green\", by +0.30 points (-0.10 points to +0.70 points), after 14 days and 28,000 outcomes."
    );
    assert!(
        decision
            .gates
            .iter()
            .all(|gate| gate.status == Status::Pass)
    );
    assert_eq!(decision.reasons.len(), 3);
    assert_eq!(decision.reasons[0].value, Some(0.995));
    assert_eq!(
        decision.reasons[0].threshold,
        Some(decision.rules.p_ship.enter)
    );
}

#[test]
fn scaled_rewards_are_said_in_their_own_values() {
    let mut minutes = blue(0.995);
    minutes.scale = Some(Scale {
        at_zero: 60.0,
        at_one: 0.0,
    });
    let lift = LiftInterval {
        estimate: 0.08,
        low: 0.01,
        high: 0.15,
    };
    minutes.arms[1].versus.as_mut().unwrap().lift = Some(lift);
    let shipped = standard(&minutes).sentence;
    assert!(
        shipped.contains("better than \"green\", by -4.8 (-9.0 to -0.6), after"),
        "{shipped}"
    );
    let strict = look(DecisionPreset::Strict, &minutes, &Memory::default());
    assert_eq!(
        strict.reasons[0].text,
        "the weighted lift of \"blue\" is at most -0.6, needs to be below 0"
    );
    minutes.scale = Some(Scale {
        at_zero: 1.0,
        at_one: 5.0,
    });
    let shipped = standard(&minutes).sentence;
    assert!(shipped.contains("by +0.32 (+0.04 to +0.60)"), "{shipped}");
}

#[test]
fn keeps_running_between_two_ends_of_a_week() {
    let mut midweek = blue(0.995);
    midweek.matured_for = days(16.5);
    let decision = standard(&midweek);
    assert_eq!(decision.choice, Choice::KeepRunning);
    assert!(
        decision
            .sentence
            .contains("the next whole week is over at 21 days"),
        "{}",
        decision.sentence
    );
}

#[test]
fn an_end_of_a_week_is_one_look_however_often_it_is_looked_at() {
    let first = standard(&blue(0.9));
    assert_eq!(first.choice, Choice::KeepRunning);
    let mut an_hour_later = blue(0.995);
    an_hour_later.matured_for = days(14.05);
    let second = look(DecisionPreset::Standard, &an_hour_later, &first.memory);
    assert_eq!(second.choice, Choice::KeepRunning);
}

#[test]
fn every_gate_that_does_not_hold_stops_a_winner() {
    type Spoil = fn(&mut Evidence);
    let spoilt: [(&str, Status, Spoil); 9] = [
        ("samples", Status::Fail, |it| it.arms[1].resolved = 999),
        ("samples", Status::Fail, |it| it.arms[0].reward_sum = 24.0),
        ("runtime", Status::Fail, |it| it.matured_for = days(6.9)),
        ("sample_ratio", Status::Fail, |it| {
            it.sample_ratio.p_value = Some(0.000_9);
        }),
        ("sample_ratio", Status::Unknown, |it| {
            it.sample_ratio.p_value = None;
        }),
        ("guardrails", Status::Fail, |it| {
            it.guardrails = vec![guardrail(GuardrailStatus::Fail, Some(ArmId(0)))];
        }),
        ("guardrails", Status::Unknown, |it| {
            it.guardrails = vec![guardrail(GuardrailStatus::Unknown, None)];
        }),
        ("data_quality", Status::Fail, |it| it.late_share = 0.006),
        ("data_quality", Status::Fail, |it| it.late_share = f64::NAN),
    ];
    for (gate, status, spoil) in spoilt {
        let mut evidence = blue(0.995);
        spoil(&mut evidence);
        let decision = standard(&evidence);
        assert_eq!(decision.choice, Choice::KeepRunning, "{gate}");
        let found = decision.gates.iter().find(|it| it.name == gate).unwrap();
        assert_eq!(found.status, status, "{gate}: {}", found.text);
        assert!(
            decision.sentence.contains(&found.text),
            "{gate}: {}",
            decision.sentence
        );
    }
}

fn guardrail(status: GuardrailStatus, arm: Option<ArmId>) -> GuardrailEvidence {
    GuardrailEvidence {
        name: "checkout errors".to_owned(),
        arm,
        status,
    }
}

#[test]
fn failures_are_what_is_counted_where_they_are_rarer() {
    let mut evidence = blue(0.995);
    evidence.arms[1].reward_sum = 13_980.0;
    let decision = standard(&evidence);
    assert_eq!(decision.choice, Choice::KeepRunning);
    assert_eq!(decision.gates[0].text, "20 of 25 failures on \"blue\"");
}

#[test]
fn what_nothing_watches_is_said_and_stops_nothing() {
    let mut evidence = blue(0.995);
    evidence.guardrails = vec![guardrail(GuardrailStatus::NotWatched, None)];
    let decision = standard(&evidence);
    assert_eq!(decision.choice, Choice::Ship { arm: BLUE });
    assert_eq!(
        decision.gates[3].text,
        "declared, but not watched yet: checkout errors"
    );
}

#[test]
fn a_winner_with_a_guardrail_near_its_limit_is_a_reason_to_iterate() {
    let mut evidence = blue(0.995);
    evidence.guardrails = vec![guardrail(GuardrailStatus::Warn, Some(BLUE))];
    assert_eq!(standard(&evidence).choice, Choice::Iterate);
}

#[test]
fn a_recommendation_stays_until_its_figures_fall_by_a_margin() {
    let shipped = standard(&blue(0.995));
    let mut weaker = blue(0.96);
    weaker.matured_for = days(15.5);
    weaker.running_for = days(15.6);
    let still = look(DecisionPreset::Standard, &weaker, &shipped.memory);
    assert_eq!(still.choice, Choice::Ship { arm: BLUE });
    assert_eq!(still.memory.since, days(14.1), "since it was first said");
    let mut gone = blue(0.94);
    gone.matured_for = days(15.6);
    let over = look(DecisionPreset::Standard, &gone, &still.memory);
    assert_eq!(over.choice, Choice::KeepRunning);
    // And it does not come back before the next week is over.
    let mut back = blue(0.999);
    back.matured_for = days(15.7);
    let again = look(DecisionPreset::Standard, &back, &over.memory);
    assert_eq!(again.choice, Choice::KeepRunning);
}

#[test]
fn a_recommendation_falls_at_once_with_the_trust_in_its_data() {
    let shipped = standard(&blue(0.995));
    let mut broken = blue(0.995);
    broken.sample_ratio.p_value = Some(1e-6);
    let decision = look(DecisionPreset::Standard, &broken, &shipped.memory);
    assert_eq!(decision.choice, Choice::KeepRunning);
    assert!(decision.sentence.starts_with("Look into the data first"));
}

#[test]
fn ships_early_only_on_evidence_that_survives_looking() {
    let mut early = blue(0.999_5);
    early.matured_for = days(2.3);
    assert_eq!(standard(&early).choice, Choice::KeepRunning);
    let versus = early.arms[1].versus.as_mut().unwrap();
    versus.lift.as_mut().unwrap().low = 0.000_1;
    assert_eq!(standard(&early).choice, Choice::Ship { arm: BLUE });
    early.arms[1].resolved = 999;
    assert_eq!(standard(&early).choice, Choice::KeepRunning);
}

#[test]
fn strict_ships_on_the_confidence_sequence_alone() {
    let mut evidence = blue(0.98);
    let strict =
        |evidence: &Evidence| look(DecisionPreset::Strict, evidence, &Memory::default()).choice;
    assert_eq!(strict(&evidence), Choice::KeepRunning);
    let versus = evidence.arms[1].versus.as_mut().unwrap();
    versus.lift.as_mut().unwrap().low = 0.000_1;
    assert_eq!(strict(&evidence), Choice::Ship { arm: BLUE });
    evidence.arms[1].versus.as_mut().unwrap().lift = None;
    assert_eq!(strict(&evidence), Choice::KeepRunning);
}

#[test]
fn more_arms_need_more_evidence() {
    let four = evidence(vec![
        control(),
        treatment(BLUE, "blue", 0.995),
        treatment(RED, "red", 0.6),
        treatment(ArmId(3), "white", 0.4),
    ]);
    assert_eq!(standard(&four).choice, Choice::KeepRunning);
}

#[test]
fn stops_when_no_treatment_is_likely_to_be_worth_it() {
    let mut evidence = blue(0.3);
    evidence.arms[1].versus.as_mut().unwrap().p_worthwhile = 0.04;
    assert_eq!(standard(&evidence).choice, Choice::Kill);
    // One that is better, but not by enough, is not stopped for that.
    evidence.arms[1].versus.as_mut().unwrap().p_better = 0.6;
    assert_eq!(standard(&evidence).choice, Choice::KeepRunning);
}

#[test]
fn tries_something_else_when_there_is_no_difference_worth_having() {
    let mut evidence = blue(0.7);
    evidence.arms[1].versus.as_mut().unwrap().p_same = 0.96;
    let decision = standard(&evidence);
    assert_eq!(decision.choice, Choice::Iterate);
    assert_eq!(
        decision.sentence,
        "Try something else: P(\"blue\" within 1% of control) is 0.9600, at least 0.9500."
    );
}

/// What is less than enough keeps a recommendation only if that is what it was made for.
#[test]
fn an_end_for_another_reason_lends_a_finding_nothing() {
    let after = |before: &Decision, evidence: &Evidence| {
        let mut midweek = evidence.clone();
        midweek.matured_for = days(15.5);
        look(DecisionPreset::Standard, &midweek, &before.memory).choice
    };
    let (mut same, mut nearly) = (blue(0.7), blue(0.7));
    same.arms[1].versus.as_mut().unwrap().p_same = 0.96;
    nearly.arms[1].versus.as_mut().unwrap().p_same = 0.92;
    let mut warned = blue(0.995);
    warned.guardrails = vec![guardrail(GuardrailStatus::Warn, Some(BLUE))];
    assert_eq!(after(&standard(&same), &nearly), Choice::Iterate);
    assert_eq!(standard(&warned).choice, Choice::Iterate);
    assert_eq!(after(&standard(&warned), &nearly), Choice::KeepRunning);

    let (mut futile, mut barely) = (blue(0.3), blue(0.3));
    futile.arms[1].versus.as_mut().unwrap().p_worthwhile = 0.04;
    barely.arms[1].versus.as_mut().unwrap().p_worthwhile = 0.08;
    let mut invalid = blue(0.5);
    invalid.sample_ratio.e_value = Some(1_001.0);
    assert_eq!(after(&standard(&futile), &barely), Choice::Kill);
    assert_eq!(standard(&invalid).choice, Choice::Kill);
    assert_eq!(after(&standard(&invalid), &barely), Choice::KeepRunning);
}

#[test]
fn memories_of_before_findings_were_kept_can_be_read() {
    let mut stored = serde_json::to_value(standard(&blue(0.995)).memory).unwrap();
    stored.as_object_mut().unwrap().remove("finding").unwrap();
    let memory: Memory = serde_json::from_value(stored).unwrap();
    let mut weaker = blue(0.96);
    weaker.matured_for = days(15.5);
    let still = look(DecisionPreset::Standard, &weaker, &memory);
    assert_eq!(still.choice, Choice::Ship { arm: BLUE });
}

#[test]
fn time_ends_every_experiment() {
    let late = |p: f64| {
        let mut evidence = blue(p);
        evidence.running_for = days(28.0);
        evidence.matured_for = days(27.9);
        let mut spec = spec(DecisionPreset::Standard);
        spec.max_runtime = Some(days(28.0));
        decide(&Rules::new(&spec, 2), &evidence, &Memory::default()).choice
    };
    assert_eq!(late(0.4), Choice::Kill);
    assert_eq!(late(0.9), Choice::Iterate);
}

#[test]
fn closes_a_harmful_arm_at_any_look_and_stops_when_none_is_left() {
    let mut two = blue(0.000_5);
    two.matured_for = days(2.3);
    assert_eq!(standard(&two).choice, Choice::Kill);
    let mut three = evidence(vec![
        control(),
        treatment(BLUE, "blue", 0.000_4),
        treatment(RED, "red", 0.5),
    ]);
    three.matured_for = days(2.3);
    let decision = standard(&three);
    assert_eq!(decision.choice, Choice::KillArm { arm: BLUE });
    assert_eq!(
        decision.sentence,
        "Close \"blue\": P(\"blue\" worse than control) is 0.9996, at least 0.9995."
    );
}

#[test]
fn three_days_in_a_row_close_an_arm_and_three_looks_on_one_day_do_not() {
    let against = |p_better: f64, matured: f64| {
        let mut evidence = evidence(vec![
            control(),
            treatment(BLUE, "blue", p_better),
            treatment(RED, "red", 0.5),
        ]);
        evidence.matured_for = days(matured);
        evidence
    };
    let bad = |matured: f64| against(0.004, matured);
    let mut memory = Memory::default();
    for matured in [8.1, 8.2, 8.3, 8.9, 9.1, 9.2] {
        let decision = look(DecisionPreset::Standard, &bad(matured), &memory);
        assert_eq!(decision.choice, Choice::KeepRunning, "day {matured}");
        memory = decision.memory;
    }
    let third = look(DecisionPreset::Standard, &bad(10.1), &memory);
    assert_eq!(third.choice, Choice::KillArm { arm: BLUE });
    // Two treatments share the error: 0.992 would do for one of them alone.
    let recovered = look(DecisionPreset::Standard, &against(0.008, 10.1), &memory);
    assert_eq!(recovered.choice, Choice::KeepRunning);
}

#[test]
fn an_invalid_experiment_and_one_that_hurts_everywhere_are_stopped_at_once() {
    let mut invalid = blue(0.5);
    invalid.matured_for = days(0.1);
    invalid.sample_ratio.e_value = Some(1_001.0);
    assert_eq!(standard(&invalid).choice, Choice::Kill);
    let mut hurting = blue(0.5);
    hurting.matured_for = days(0.1);
    hurting.guardrails = vec![guardrail(GuardrailStatus::Fail, Some(BLUE))];
    let decision = standard(&hurting);
    assert_eq!(decision.choice, Choice::Kill);
    assert_eq!(
        decision.sentence,
        "Stop it and keep control: every treatment is over a limit: checkout errors."
    );
}

#[test]
fn fail_fast_is_the_rule_of_the_brief_and_says_its_price() {
    let at = |resolved: u64, p_below: f64| {
        let mut evidence = blue(0.5);
        evidence.matured_for = days(0.1);
        evidence.arms[1].resolved = resolved;
        evidence.arms[1].mean = 0.01;
        evidence.arms[1].p_below_leader = p_below;
        look(DecisionPreset::FailFast, &evidence, &Memory::default())
    };
    assert_eq!(at(100, 0.951).choice, Choice::Kill);
    assert_eq!(at(99, 0.951).choice, Choice::KeepRunning);
    assert_eq!(at(100, 0.949).choice, Choice::KeepRunning);
    let caution = at(100, 0.949).caution.unwrap();
    assert!(caution.contains("among equal arms"), "{caution}");
    assert_eq!(standard(&blue(0.5)).caution, None);
}

#[test]
fn fail_fast_closes_the_worst_and_ships_the_last() {
    let three = |control_lost: f64, red_lost: f64| {
        let mut evidence = evidence(vec![
            control(),
            treatment(BLUE, "blue", 0.9),
            treatment(RED, "red", 0.1),
        ]);
        evidence.arms[0].p_below_leader = control_lost;
        evidence.arms[2].p_below_leader = red_lost;
        look(DecisionPreset::FailFast, &evidence, &Memory::default()).choice
    };
    assert_eq!(three(0.5, 0.96), Choice::KillArm { arm: RED });
    assert_eq!(three(0.96, 0.96), Choice::Ship { arm: BLUE });
    // Control is what everyone has: it cannot be closed.
    assert_eq!(three(0.96, 0.5), Choice::KeepRunning);
}

#[test]
fn projects_when_the_leader_could_be_shipped() {
    // One standard error ahead: (2.326 / 1)² as many outcomes, 5.4 times 28,000, at 2,000 a day, to a whole week.
    let mut evidence = blue(0.84);
    evidence.arms[1].mean = 0.05 + 0.0018 * 2f64.sqrt();
    let decision = standard(&evidence);
    let weeks = decision.days_left.unwrap() / 7.0;
    assert_eq!(weeks, 9.0);
    assert!(
        decision
            .sentence
            .ends_with("not enough yet; about 63 days to go."),
        "{}",
        decision.sentence
    );
    evidence.resolved_per_day = 0.0;
    assert_eq!(standard(&evidence).days_left, None);
}

#[test]
fn a_decision_can_be_read_back_and_repeated() {
    let decision = standard(&blue(0.995));
    let text = serde_json::to_string(&decision).unwrap();
    let stored: Decision = serde_json::from_str(&text).unwrap();
    assert_eq!(stored, decision);
    let again = decide(&stored.rules, &stored.evidence, &Memory::default());
    assert_eq!(again, decision);
}

#[test]
fn nothing_to_compare_keeps_running() {
    for arms in [vec![], vec![control()], vec![treatment(BLUE, "blue", 0.9)]] {
        assert_eq!(standard(&evidence(arms)).choice, Choice::KeepRunning);
    }
}

/// What becomes of a decision to ship blue, or of another one.
fn becomes(decision: &Decision, auto: &[AutoDecision], now: &Circumstances<'_>) -> Acts {
    let spec = DecisionSpec {
        auto: auto.to_vec(),
        ..spec(DecisionPreset::Standard)
    };
    acts(decision, &spec, now)
}

#[test]
fn a_decision_acts_where_the_file_lets_it_and_nothing_is_in_the_way() {
    let since = chrono::DateTime::UNIX_EPOCH;
    let running = RunState::Running { since };
    let fine = Circumstances {
        state: &running,
        held: None,
        opened_again: false,
    };
    let ship = standard(&blue(0.995));
    let all = [
        AutoDecision::Ship,
        AutoDecision::Kill,
        AutoDecision::KillArm,
    ];
    assert_eq!(becomes(&ship, &[AutoDecision::Ship], &fine), Acts::Now);
    assert_eq!(becomes(&ship, &all[1..], &fine), Acts::Never);
    let keep = standard(&blue(0.6));
    assert_eq!(keep.choice, Choice::KeepRunning);
    assert_eq!(becomes(&keep, &all, &fine), Acts::Never);

    let (by, why) = ("ana".to_owned(), "latency".to_owned());
    let paused = RunState::Paused { since, by, why };
    let held = "paused by ana: latency";
    let mut watched = ship.clone();
    let gate = watched.gates.iter_mut().find(|it| it.name == "guardrails");
    let gate = gate.unwrap();
    (gate.status, gate.text) = (Status::Unknown, "not known yet: errors".to_owned());
    for (decision, now, why) in [
        (
            &ship,
            Circumstances {
                state: &paused,
                ..fine
            },
            "it is paused",
        ),
        (
            &ship,
            Circumstances {
                held: Some(held),
                ..fine
            },
            "it is held (paused by ana: latency)",
        ),
        (
            &watched,
            fine,
            "its guardrails do not pass (not known yet: errors)",
        ),
        (
            &ship,
            Circumstances {
                opened_again: true,
                ..fine
            },
            "a person has opened the arm again after a decision closed it",
        ),
    ] {
        let waits = Acts::Waits(why.to_owned());
        assert_eq!(becomes(decision, &all, &now), waits);
        assert_eq!(becomes(decision, &[], &now), Acts::Never);
    }
}
