//! Any valid spec, written as TOML and read again, is the same spec; also through the JSON that is stored.

use bandit::experiment::{ArmName, LaneName, Millis, Share};
use bandit::spec::model::{
    Aggregate, ArmSpec, AutoDecision, BetaPrior, BurnIn, Credit, DecisionPreset, DecisionSpec,
    DeclaredState, Direction, EventMeasure, ExperimentSpec, GuardrailAction, GuardrailCheck,
    GuardrailSpec, GuardrailTest, LaneSpec, Memory, OnNoData, OnOutage, OnQuarantine, OutcomeSpec,
    PolicyKind, PolicySpec, PosteriorKind, RampStep, RewardSpec, ScheduleSpec, SuccessSpec,
};
use bandit::spec::{self, to_toml};
use bandit::targeting::{Matcher, Targeting};
use chrono::DateTime;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn share() -> impl Strategy<Value = Share> {
    prop_oneof![
        (0u32..=100).prop_map(|percent| f64::from(percent) / 100.0),
        0.0..=1.0
    ]
    .prop_map(|number| Share::new(number).expect("in range"))
}

/// Between 0 and 1, both excluded.
fn inner_share() -> impl Strategy<Value = Share> {
    (1u32..1_000_000).prop_map(|part| Share::new(f64::from(part) / 1_000_000.0).expect("in range"))
}

fn millis(most: u64) -> impl Strategy<Value = Millis> {
    prop_oneof![(1u64..=most / 1_000).prop_map(|s| s * 1_000), 1..=most].prop_map(Millis)
}

/// One line of text, with all that a quoted string must survive.
fn line() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 _.\"'\\\\#=äß€😀\u{a0}-]{0,20}[a-z]".prop_map(|text: String| text)
}

fn text() -> impl Strategy<Value = String> {
    "[a-z \"'\\\\\n\r\t\u{7f}\u{1}\u{85}ä#]{0,60}".prop_map(|text: String| text)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-1_000i32..1_000).prop_map(f64::from),
        prop::num::f64::NORMAL | prop::num::f64::ZERO
    ]
}

fn config() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e6..1e6f64).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn policy(arms: usize) -> impl Strategy<Value = PolicySpec> {
    let kind = prop_oneof![
        Just(PolicyKind::Thompson),
        Just(PolicyKind::Ucb1),
        Just(PolicyKind::Ucb1Tuned),
        Just(PolicyKind::KlUcb),
        Just(PolicyKind::Fixed),
        share().prop_map(|beta| PolicyKind::TopTwoThompson { beta }),
        (share(), any::<bool>())
            .prop_map(|(epsilon, decay)| PolicyKind::EpsilonGreedy { epsilon, decay }),
    ];
    let floor = prop_oneof![Just(0.01), Just(0.0), 0.0..0.99]
        .prop_map(move |part: f64| Share::new(part / arms as f64).expect("in range"));
    let most = (1.0..=1.0 + (arms - 1) as f64)
        .prop_map(move |part: f64| Share::new((part / arms as f64).min(1.0)).expect("in range"));
    let prior = prop_oneof![Just((1.0, 1.0)), (1e-3..1e6, 1e-3..1e6)];
    let burn_in = prop_oneof![
        Just((3_600_000, 100, 100)),
        (0..1u64 << 40, 0..1u64 << 40, 0..9u64)
    ];
    let memory = of((1..1u64 << 40, any::<bool>()).prop_map(|(length, window)| {
        let length = Millis(length % 1_000_000_000 + 1);
        if window {
            Memory::Window(length)
        } else {
            Memory::HalfLife(length)
        }
    }));
    let limits = (floor, of(0.0..0.99), of(most));
    let posterior = select(vec![PosteriorKind::Beta, PosteriorKind::StudentT]);
    let beliefs = (posterior, prior, memory);
    (kind, limits, beliefs, burn_in, millis(1 << 30)).prop_map(
        move |(
            kind,
            (floor, control, most),
            (posterior, (alpha, beta), memory),
            burn_in,
            every,
        )| {
            let (for_, exposures_per_arm, rewards_per_arm) = burn_in;
            // Between the floor and what the other arms' floors leave.
            let room = 1.0 - arms as f64 * floor.get();
            let control_floor =
                control.map(|part| Share::new(floor.get() + part * room).expect("in range"));
            let highest = control_floor.unwrap_or(floor);
            let learns = kind != PolicyKind::Fixed;
            PolicySpec {
                max_weight: most.filter(|most| *most > highest),
                kind,
                floor,
                control_floor,
                posterior,
                prior: BetaPrior { alpha, beta },
                burn_in: BurnIn {
                    for_: Millis(for_ % 1_000_000_000),
                    exposures_per_arm,
                    rewards_per_arm,
                },
                publish_every: every,
                memory: memory.filter(|_| learns),
            }
        },
    )
}

/// Lanes with shares that sum to 1, each with the experiment's policy or its own.
fn lanes(arms: usize) -> impl Strategy<Value = Vec<(LaneName, Share, Option<PolicySpec>)>> {
    btree_map(
        "[a-g0-9][a-z0-9_.-]?[a-z0-9_-]{0,6}",
        (1u32..1_000, of(policy(arms))),
        0..5,
    )
    .prop_map(|lanes| {
        let sum: u32 = lanes.values().map(|(weight, _)| weight).sum();
        lanes
            .into_iter()
            .map(|(name, (weight, policy))| {
                let share = f64::from(weight) / f64::from(sum);
                (
                    name.parse().expect("a name"),
                    Share::new(share).expect("in range"),
                    policy,
                )
            })
            .collect()
    })
}

fn outcome() -> impl Strategy<Value = OutcomeSpec> {
    let binary = btree_map("[a-m]{1,8}", of(number()), 1..4).prop_map(|events| {
        let success = events
            .into_iter()
            .map(|(event, min)| SuccessSpec { event, min })
            .collect();
        OutcomeSpec::Binary { success }
    });
    let aggregates = [
        Aggregate::First,
        Aggregate::Last,
        Aggregate::Max,
        Aggregate::Sum,
    ];
    let scaled = (
        "[a-m]{1,8}",
        select(aggregates.to_vec()),
        -1e6..1e6,
        1e-3..1e6,
        0.0..=1.0,
    )
        .prop_map(
            |(event, aggregate, min, width, part): (String, _, f64, f64, f64)| {
                OutcomeSpec::Scaled {
                    event,
                    aggregate,
                    min,
                    max: min + width,
                    default: (min + part * width).clamp(min, min + width),
                }
            },
        );
    prop_oneof![binary, scaled]
}

fn reward() -> impl Strategy<Value = RewardSpec> {
    const DAY: u64 = 86_400_000;
    (
        outcome(),
        btree_set("[n-z]{1,8}", 0..3),
        prop_oneof![Just(Millis(DAY)), millis(90 * DAY)],
        of(0..90 * DAY),
        select(vec![Credit::Matured, Credit::Immediate, Credit::Corrected]),
        select(vec![Direction::Increase, Direction::Decrease]),
        prop_oneof![Just(100u32), 1..10_000u32],
    )
        .prop_map(
            |(outcome, negative, window, grace, credit, direction, most)| RewardSpec {
                outcome,
                negative: negative.into_iter().collect(),
                window,
                grace: grace.map_or(spec::defaults::grace(window), Millis),
                credit,
                direction,
                max_events_per_unit: most,
            },
        )
}

fn values() -> impl Strategy<Value = Vec<Value>> {
    let texts = btree_set(text(), 1..4)
        .prop_map(|texts| texts.into_iter().map(Value::from).collect::<Vec<_>>());
    let numbers = btree_set(any::<i64>(), 1..4)
        .prop_map(|numbers| numbers.into_iter().map(Value::from).collect::<Vec<_>>());
    let float = number().prop_map(|number| vec![json!(number)]);
    prop_oneof![
        texts,
        numbers,
        float,
        any::<bool>().prop_map(|flag| vec![json!(flag)])
    ]
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let prefixes = btree_set(line(), 1..3).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    let exists = of(Just(true));
    prop_oneof![
        values().prop_map(|any_of| Matcher {
            any_of,
            ..Matcher::default()
        }),
        (values(), exists.clone()).prop_map(|(not, exists)| Matcher {
            not,
            exists,
            ..Matcher::default()
        }),
        (of(-1e9..0.0), of(0.0..1e9), exists).prop_filter_map(
            "says something",
            |(min, max, exists)| {
                (min.is_some() || max.is_some()).then(|| Matcher {
                    min,
                    max,
                    exists,
                    ..Matcher::default()
                })
            }
        ),
        prefixes.prop_map(|prefix| Matcher {
            prefix,
            ..Matcher::default()
        }),
        any::<bool>().prop_map(|exists| Matcher {
            exists: Some(exists),
            ..Matcher::default()
        }),
    ]
}

fn targeting() -> impl Strategy<Value = Targeting> {
    let attribute = prop_oneof!["(min_|max_)?[a-z]{1,6}", line()];
    btree_map(attribute, matcher(), 0..5).prop_map(Targeting)
}

fn check() -> impl Strategy<Value = GuardrailCheck> {
    prop_oneof![
        (line(), of(line()), inner_share())
            .prop_map(|(event, of, limit)| GuardrailCheck::ErrorRate { event, of, limit }),
        (
            line(),
            inner_share(),
            prop_oneof![(1..1_000u32).prop_map(f64::from), 1e-3..1e6]
        )
            .prop_map(|(event, quantile, limit_ms)| GuardrailCheck::Latency {
                event,
                quantile,
                limit_ms
            }),
        inner_share().prop_map(|limit| GuardrailCheck::RewardDrop { limit }),
        inner_share().prop_map(|limit| GuardrailCheck::Concentration { limit }),
        inner_share().prop_map(|p_value| GuardrailCheck::Srm { p_value }),
        (line(), inner_share(), of(inner_share())).prop_map(|(event, one, other)| {
            let (one, other) = (one.get(), other.map(Share::get));
            GuardrailCheck::Event {
                event,
                measure: EventMeasure::Rate,
                min: Some(other.map_or(one, |other| one.min(other))),
                max: other.map(|other| one.max(other)),
            }
        }),
        (line(), number(), of(0.0..1e3)).prop_map(|(event, min, width)| {
            GuardrailCheck::Event {
                event,
                measure: EventMeasure::Mean,
                min: Some(min),
                max: width
                    .map(|width: f64| min + width)
                    .filter(|max| max.is_finite()),
            }
        }),
        millis(1 << 40).prop_map(|limit| GuardrailCheck::Staleness {
            limit: Millis(limit.0 % 1_000_000_000 + 1)
        }),
    ]
}

/// The test, the window, how often, and from when on.
fn timing() -> impl Strategy<Value = (GuardrailTest, Millis, Millis, Millis)> {
    let tests = vec![
        GuardrailTest::Sequential,
        GuardrailTest::Posterior,
        GuardrailTest::Threshold,
    ];
    (
        select(tests),
        (1..=1_440u64).prop_map(|minutes| Millis(minutes * 60_000)),
        (5_000..=3_600_000u64).prop_map(Millis),
        millis(1 << 30),
    )
}

fn guardrails() -> impl Strategy<Value = Vec<GuardrailSpec>> {
    let actions = vec![
        GuardrailAction::Alert,
        GuardrailAction::Quarantine,
        GuardrailAction::Pause,
        GuardrailAction::Rollback,
    ];
    let one = (
        check(),
        select(actions),
        timing(),
        1..1_000u32,
        0..1u64 << 40,
        select(vec![OnNoData::Hold, OnNoData::Pass, OnNoData::Fail]),
        millis(1 << 30),
        any::<bool>(),
    );
    btree_map(line(), one, 0..4).prop_map(|named| {
        named
            .into_iter()
            .map(
                |(
                    name,
                    (check, action, timing, breaches, min_samples, on_no_data, grace, dry_run),
                )| {
                    let (test, window, cadence, warm_up) = timing;
                    GuardrailSpec {
                        name,
                        check,
                        action,
                        test,
                        window,
                        cadence,
                        warm_up,
                        breaches,
                        min_samples,
                        on_no_data,
                        grace,
                        dry_run,
                    }
                },
            )
            .collect()
    })
}

fn decision() -> impl Strategy<Value = DecisionSpec> {
    let presets = vec![
        DecisionPreset::Standard,
        DecisionPreset::Strict,
        DecisionPreset::FailFast,
    ];
    let auto = btree_set(
        select(vec![
            AutoDecision::Ship,
            AutoDecision::Kill,
            AutoDecision::KillArm,
        ]),
        0..3,
    );
    (
        select(presets),
        of((
            0..1u64 << 30,
            0..1u64 << 30,
            of(1..1u64 << 30),
            share(),
            auto,
        )),
    )
        .prop_map(|(preset, rest)| match rest {
            None => spec::defaults::decision(preset),
            Some((min_runtime, min_samples, over, min_effect, auto)) => DecisionSpec {
                preset,
                min_runtime: Millis(min_runtime),
                min_samples,
                max_runtime: over.map(|over| Millis(min_runtime + over)),
                min_effect,
                auto: auto.into_iter().collect(),
            },
        })
}

fn schedule() -> impl Strategy<Value = ScheduleSpec> {
    let instant = (0i64..4_000_000_000_000)
        .prop_map(|at| DateTime::from_timestamp_millis(at).expect("in range"));
    let steps = btree_map(1u32..100, (millis(1 << 30), 0..1_000u64), 0..4).prop_map(|steps| {
        steps
            .into_iter()
            .map(|(percent, (hold, min_samples))| RampStep {
                traffic: Share::new(f64::from(percent) / 100.0).expect("in range"),
                hold,
                min_samples,
            })
            .collect::<Vec<_>>()
    });
    (of(instant), of(millis(1 << 30)), steps, millis(1 << 30)).prop_map(
        |(start, length, ramp, archive)| ScheduleSpec {
            start,
            stop: start.and_then(|start| Some(start + length?.to_chrono())),
            ramp,
            archive_after: Some(archive),
        },
    )
}

fn arms(count: usize) -> impl Strategy<Value = Vec<ArmSpec>> {
    let names = btree_set("[a-z0-9][a-z0-9_-]{0,12}", count);
    let rest = vec(
        (
            prop_oneof![Just(json!({})), config()],
            prop_oneof![Just(1.0), 0.01..1e6],
        ),
        count,
    );
    (names, rest, 0..count).prop_map(|(names, rest, control)| {
        names
            .into_iter()
            .zip(rest)
            .enumerate()
            .map(|(index, (name, (config, weight)))| ArmSpec {
                name: name.parse::<ArmName>().expect("a name"),
                control: index == control,
                config,
                weight,
            })
            .collect()
    })
}

fn experiment() -> impl Strategy<Value = ExperimentSpec> {
    let states = vec![
        DeclaredState::Draft,
        DeclaredState::Running,
        DeclaredState::Paused,
        DeclaredState::Stopped,
    ];
    let people = (
        of(line()),
        of(text()),
        of(line()),
        of(select(states)),
        of(line()),
    );
    let outages = select(vec![OnOutage::Control, OnOutage::Frozen]);
    let quarantines = select(vec![OnQuarantine::Keep, OnQuarantine::Control]);
    let shares = (share(), share(), outages, quarantines);
    let arms_and_policy =
        (2usize..6).prop_flat_map(|count| (arms(count), policy(count), lanes(count)));
    let sections = (
        reward(),
        targeting(),
        guardrails(),
        of(decision()),
        of(schedule()),
    );
    (
        "[a-z0-9][a-z0-9_-]{0,20}",
        people,
        shares,
        arms_and_policy,
        sections,
    )
        .prop_map(
            |(
                key,
                people,
                (traffic, holdback, on_outage, on_quarantine),
                (mut arms, mut policy, lanes),
                sections,
            )| {
                let (name, description, owner, state, salt) = people;
                let (reward, targeting, guardrails, decision, schedule) = sections;
                let binary = matches!(reward.outcome, OutcomeSpec::Binary { .. });
                let posterior_of = |policy: &mut PolicySpec| {
                    if binary {
                        policy.posterior = PosteriorKind::Beta;
                    }
                };
                posterior_of(&mut policy);
                let lanes: Vec<LaneSpec> = lanes
                    .into_iter()
                    .map(|(name, share, own)| {
                        let mut policy = own.unwrap_or_else(|| policy.clone());
                        posterior_of(&mut policy);
                        LaneSpec {
                            name,
                            share,
                            policy,
                        }
                    })
                    .collect();
                let fixed = match lanes.as_slice() {
                    [] => policy.kind == PolicyKind::Fixed,
                    some => some
                        .iter()
                        .any(|lane| lane.policy.kind == PolicyKind::Fixed),
                };
                if !fixed {
                    for arm in &mut arms {
                        arm.weight = 1.0;
                    }
                }
                // A ramp leads up to the traffic.
                let traffic = if schedule.is_some() {
                    Share::ALL
                } else {
                    traffic
                };
                ExperimentSpec {
                    salt: salt.unwrap_or_else(|| key.clone()),
                    key: key.parse().expect("a key"),
                    name,
                    description,
                    owner,
                    state,
                    traffic,
                    holdback,
                    on_outage,
                    on_quarantine,
                    arms,
                    targeting,
                    policy,
                    lanes,
                    reward,
                    guardrails,
                    decision,
                    schedule,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_as_the_same_spec(spec in experiment()) {
        let text = to_toml(&spec);
        let again = spec::parse("again.toml", &text);
        prop_assert!(again.is_ok(), "{text}\n{:#?}", again.unwrap_err());
        prop_assert_eq!(&again.expect("checked").experiments, &[spec], "{}", text);
    }

    #[test]
    fn what_is_stored_as_json_is_the_same_spec(spec in experiment()) {
        let text = serde_json::to_string(&spec).expect("a spec is JSON");
        let again: ExperimentSpec = serde_json::from_str(&text).expect("and comes back");
        prop_assert_eq!(again, spec, "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\[\\[experiment\\]\\]\n|key = \"a\"\n|reward = |\\[experiment\\.[a-z]{4,9}\\]\n|[a-z_]{2,9} = |[0-9.%]{1,5}\n|\"[^\"]{0,9}\"\n|'''|\\{|\\}|\\[|\\]|,|.){0,40}") {
        if let Err(problems) = spec::parse("any.toml", &text) {
            let lines = text.matches('\n').count() + 1;
            for problem in problems {
                prop_assert!(problem.line >= 1 && problem.line as usize <= lines, "{}", problem);
            }
        }
    }
}
