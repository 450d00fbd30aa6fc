//! A spec as readable TOML that reads back as the same spec. Defaults are left out.

use crate::experiment::{Millis, Share};
use crate::spec::defaults;
use crate::spec::model::{
    ArmSpec, BetaPrior, BurnIn, Credit, DecisionSpec, Direction, ExperimentSpec, GuardrailCheck,
    GuardrailSpec, OnNoData, OnOutage, OutcomeSpec, PolicyKind, PolicySpec, RampStep, RewardSpec,
    ScheduleSpec, SuccessSpec,
};
use crate::spec::text;
use crate::targeting::{Matcher, Targeting};

/// The spec as a `[[experiment]]` section; [`crate::spec::parse`] reads it back as the same spec.
pub fn to_toml(spec: &ExperimentSpec) -> String {
    let ExperimentSpec {
        key,
        name,
        description,
        owner,
        state,
        salt,
        traffic,
        holdback,
        on_outage,
        arms,
        targeting,
        policy,
        reward,
        guardrails,
        decision,
        schedule,
    } = spec;
    let mut out = Out(String::from("[[experiment]]\n"));
    out.line("key", text::quoted(key.as_str()));
    out.some("name", name.as_deref().map(text::quoted));
    out.some("description", description.as_deref().map(text::paragraph));
    out.some("owner", owner.as_deref().map(text::quoted));
    out.some("state", state.map(|state| text::quoted(state.word())));
    out.other("salt", salt, &key.as_str().to_owned(), |salt| {
        text::quoted(salt)
    });
    out.share("traffic", *traffic, Share::ALL);
    out.share("holdback", *holdback, defaults::holdback());
    out.other("on_outage", on_outage, &OnOutage::default(), |choice| {
        text::quoted(choice.word())
    });
    let short_policy = short_policy(policy);
    out.some("policy", short_policy.clone());
    let short_reward = short_reward(reward);
    out.some("reward", short_reward.clone());
    let short_decision = decision.as_ref().and_then(short_decision);
    out.some("decision", short_decision.clone());
    if short_policy.is_none() {
        write_policy(&mut out, policy);
    }
    if short_reward.is_none() {
        write_reward(&mut out, reward);
    }
    for arm in arms {
        write_arm(&mut out, arm);
    }
    write_targeting(&mut out, targeting);
    for guardrail in guardrails {
        write_guardrail(&mut out, guardrail);
    }
    if let (Some(decision), None) = (decision, short_decision) {
        write_decision(&mut out, decision);
    }
    if let Some(schedule) = schedule {
        write_schedule(&mut out, schedule);
    }
    out.0
}

/// The text so far.
struct Out(String);

impl Out {
    fn section(&mut self, header: &str) {
        self.0.extend(["\n", header, "\n"]);
    }

    fn line(&mut self, key: &str, value: impl AsRef<str>) {
        self.0.extend([key, " = ", value.as_ref(), "\n"]);
    }

    fn some(&mut self, key: &str, value: Option<String>) {
        if let Some(value) = value {
            self.line(key, value);
        }
    }

    /// A line, unless the value is the default.
    fn other<T: PartialEq>(
        &mut self,
        key: &str,
        value: &T,
        default: &T,
        write: impl Fn(&T) -> String,
    ) {
        if value != default {
            self.line(key, write(value));
        }
    }

    fn share(&mut self, key: &str, value: Share, default: Share) {
        self.other(key, &value, &default, |share| text::share(*share));
    }
}

fn duration(length: Millis) -> String {
    text::quoted(&length.to_string())
}

/// A policy of which only the kind is not the default.
fn short_policy(policy: &PolicySpec) -> Option<String> {
    let kind_alone = match policy.kind {
        PolicyKind::Thompson | PolicyKind::Ucb1 | PolicyKind::Fixed => true,
        PolicyKind::TopTwoThompson { beta } => beta == defaults::top_two_beta(),
        PolicyKind::EpsilonGreedy { epsilon } => epsilon == defaults::epsilon(),
    };
    let short = kind_alone && *policy == defaults::policy(policy.kind.clone());
    short.then(|| text::quoted(policy.kind.name()))
}

fn write_policy(out: &mut Out, policy: &PolicySpec) {
    let PolicySpec {
        kind,
        floor,
        max_weight,
        prior,
        burn_in,
        publish_every,
    } = policy;
    out.section("[experiment.policy]");
    out.line("kind", text::quoted(kind.name()));
    match kind {
        PolicyKind::TopTwoThompson { beta } => out.line("beta", text::number(beta.get())),
        PolicyKind::EpsilonGreedy { epsilon } => out.line("epsilon", text::share(*epsilon)),
        PolicyKind::Thompson | PolicyKind::Ucb1 | PolicyKind::Fixed => {}
    }
    out.share("floor", *floor, defaults::floor(kind));
    out.some("max_weight", max_weight.map(text::share));
    out.other("prior", prior, &defaults::PRIOR, write_prior);
    out.other("burn_in", burn_in, &defaults::BURN_IN, write_burn_in);
    out.other(
        "publish_every",
        publish_every,
        &defaults::PUBLISH_EVERY,
        |length| duration(*length),
    );
}

fn write_prior(prior: &BetaPrior) -> String {
    let BetaPrior { alpha, beta } = *prior;
    text::table([
        ("alpha", Some(text::number(alpha))),
        ("beta", Some(text::number(beta))),
    ])
}

fn write_burn_in(burn_in: &BurnIn) -> String {
    let BurnIn {
        for_,
        exposures_per_arm,
        rewards_per_arm,
    } = burn_in;
    text::table([
        ("for", Some(duration(*for_))),
        ("exposures_per_arm", Some(exposures_per_arm.to_string())),
        ("rewards_per_arm", Some(rewards_per_arm.to_string())),
    ])
}

fn write_success(success: &SuccessSpec) -> String {
    let SuccessSpec { event, min } = success;
    match min {
        None => text::quoted(event),
        Some(min) => text::table([
            ("event", Some(text::quoted(event))),
            ("min", Some(text::number(*min))),
        ]),
    }
}

fn write_names(names: &[String]) -> String {
    text::one_or_more(names.iter().map(|name| text::quoted(name)))
}

/// A reward of which only the success events are not the default.
fn short_reward(reward: &RewardSpec) -> Option<String> {
    let RewardSpec {
        outcome,
        negative,
        window,
        grace,
        credit,
        direction,
        max_events_per_unit,
    } = reward;
    let OutcomeSpec::Binary { success } = outcome else {
        return None;
    };
    let short = negative.is_empty()
        && *window == defaults::WINDOW
        && *grace == defaults::grace(*window)
        && *credit == Credit::default()
        && *direction == Direction::default()
        && *max_events_per_unit == defaults::MAX_EVENTS_PER_UNIT
        && success.iter().all(|success| success.min.is_none());
    short.then(|| text::one_or_more(success.iter().map(write_success)))
}

fn write_reward(out: &mut Out, reward: &RewardSpec) {
    let RewardSpec {
        outcome,
        negative,
        window,
        grace,
        credit,
        direction,
        max_events_per_unit,
    } = reward;
    out.section("[experiment.reward]");
    match outcome {
        OutcomeSpec::Binary { success } => {
            out.line(
                "success",
                text::one_or_more(success.iter().map(write_success)),
            );
        }
        OutcomeSpec::Scaled {
            event,
            aggregate,
            min,
            max,
            default,
        } => out.line(
            "scaled",
            text::table([
                ("event", Some(text::quoted(event))),
                ("aggregate", Some(text::quoted(aggregate.word()))),
                ("min", Some(text::number(*min))),
                ("max", Some(text::number(*max))),
                ("default", Some(text::number(*default))),
            ]),
        ),
    }
    out.other("negative", negative, &Vec::new(), |names| {
        write_names(names)
    });
    out.line("window", duration(*window));
    out.other("grace", grace, &defaults::grace(*window), |it| {
        duration(*it)
    });
    out.other("credit", credit, &Credit::default(), |credit| {
        text::quoted(credit.word())
    });
    out.other("direction", direction, &Direction::default(), |direction| {
        text::quoted(direction.word())
    });
    out.other(
        "max_events_per_unit",
        max_events_per_unit,
        &defaults::MAX_EVENTS_PER_UNIT,
        u32::to_string,
    );
}

fn write_arm(out: &mut Out, arm: &ArmSpec) {
    let ArmSpec {
        name,
        control,
        config,
        weight,
    } = arm;
    out.section("[[experiment.arm]]");
    out.line("name", text::quoted(name.as_str()));
    out.other("control", control, &false, bool::to_string);
    out.other("weight", weight, &1.0, |weight| text::number(*weight));
    if *config == serde_json::json!({}) {
        return;
    }
    match text::inline(config) {
        Some(value) => out.line("config", value),
        None => out.line("config_json", text::json(config)),
    }
}

fn write_targeting(out: &mut Out, targeting: &Targeting) {
    if targeting.0.is_empty() {
        return;
    }
    out.section("[experiment.targeting]");
    for (attribute, matcher) in &targeting.0 {
        out.line(&text::key(attribute), write_matcher(attribute, matcher));
    }
}

fn write_matcher(attribute: &str, matcher: &Matcher) -> String {
    let Matcher {
        any_of,
        not,
        min,
        max,
        prefix,
        exists,
    } = matcher;
    let values = |values: &[serde_json::Value]| {
        Some(values)
            .filter(|values| !values.is_empty())
            .map(|values| text::one_or_more(values.iter().filter_map(text::inline)))
    };
    let only_values = *matcher
        == Matcher {
            any_of: any_of.clone(),
            ..Matcher::default()
        };
    // `min_age = 5` would be read as the shorthand for `age = { min = 5 }`.
    let looks_short = attribute.starts_with("min_") || attribute.starts_with("max_");
    if let Some(list) = values(any_of)
        && only_values
        && !looks_short
    {
        return list;
    }
    text::table([
        ("any_of", values(any_of)),
        ("not", values(not)),
        ("min", min.map(text::number)),
        ("max", max.map(text::number)),
        (
            "prefix",
            Some(prefix)
                .filter(|prefix| !prefix.is_empty())
                .map(|prefix| write_names(prefix)),
        ),
        ("exists", exists.map(|exists| exists.to_string())),
    ])
}

fn write_guardrail(out: &mut Out, guardrail: &GuardrailSpec) {
    let GuardrailSpec {
        name,
        check,
        action,
        window,
        breaches,
        min_samples,
        on_no_data,
        grace,
        dry_run,
    } = guardrail;
    out.section("[[experiment.guardrail]]");
    let default_name = defaults::guardrail_name(check).to_owned();
    out.other("name", name, &default_name, |name| text::quoted(name));
    out.line("kind", text::quoted(check.kind()));
    write_check(out, check);
    out.line("action", text::quoted(action.word()));
    out.other("window", window, &defaults::GUARDRAIL_WINDOW, |it| {
        duration(*it)
    });
    out.other(
        "breaches",
        breaches,
        &defaults::GUARDRAIL_BREACHES,
        u32::to_string,
    );
    out.other(
        "min_samples",
        min_samples,
        &defaults::GUARDRAIL_MIN_SAMPLES,
        u64::to_string,
    );
    out.other("on_no_data", on_no_data, &OnNoData::default(), |choice| {
        text::quoted(choice.word())
    });
    out.other("grace", grace, &defaults::GUARDRAIL_GRACE, |it| {
        duration(*it)
    });
    out.other("dry_run", dry_run, &false, bool::to_string);
}

fn write_check(out: &mut Out, check: &GuardrailCheck) {
    match check {
        GuardrailCheck::ErrorRate { event, limit } => {
            out.line("event", text::quoted(event));
            out.line("limit", text::share(*limit));
        }
        GuardrailCheck::Latency {
            event,
            quantile,
            limit_ms,
        } => {
            out.line("event", text::quoted(event));
            out.other("quantile", quantile, &defaults::latency_quantile(), |q| {
                text::number(q.get())
            });
            out.line("limit_ms", text::number(*limit_ms));
        }
        GuardrailCheck::RewardDrop { limit } | GuardrailCheck::Concentration { limit } => {
            out.line("limit", text::share(*limit));
        }
        GuardrailCheck::Srm { p_value } => {
            out.other("p_value", p_value, &defaults::srm_p_value(), |p| {
                text::number(p.get())
            });
        }
        GuardrailCheck::Event {
            event,
            measure,
            min,
            max,
        } => {
            out.line("event", text::quoted(event));
            out.line("measure", text::quoted(measure.word()));
            out.some("min", min.map(text::number));
            out.some("max", max.map(text::number));
        }
        GuardrailCheck::Staleness { limit } => out.line("limit", duration(*limit)),
    }
}

/// A decision section of which only the preset is not the default.
fn short_decision(decision: &DecisionSpec) -> Option<String> {
    let short = *decision == defaults::decision(decision.preset);
    short.then(|| text::quoted(decision.preset.word()))
}

fn write_decision(out: &mut Out, decision: &DecisionSpec) {
    let DecisionSpec {
        preset,
        min_runtime,
        min_samples,
        max_runtime,
        min_effect,
        auto,
    } = decision;
    let default = defaults::decision(*preset);
    out.section("[experiment.decision]");
    out.line("preset", text::quoted(preset.word()));
    out.other("min_runtime", min_runtime, &default.min_runtime, |it| {
        duration(*it)
    });
    out.other(
        "min_samples",
        min_samples,
        &default.min_samples,
        u64::to_string,
    );
    out.some("max_runtime", max_runtime.map(duration));
    out.share("min_effect", *min_effect, default.min_effect);
    out.other("auto", auto, &Vec::new(), |auto| {
        text::list(auto.iter().map(|choice| text::quoted(choice.word())))
    });
}

fn write_schedule(out: &mut Out, schedule: &ScheduleSpec) {
    let ScheduleSpec {
        start,
        stop,
        ramp,
        archive_after,
    } = schedule;
    let instant = |at: &chrono::DateTime<chrono::Utc>| {
        at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    };
    out.section("[experiment.schedule]");
    out.some("start", start.as_ref().map(instant));
    out.some("stop", stop.as_ref().map(instant));
    out.other("ramp", ramp, &Vec::new(), |steps| {
        text::list(steps.iter().map(write_step))
    });
    out.some("archive_after", archive_after.map(duration));
}

fn write_step(step: &RampStep) -> String {
    let RampStep {
        traffic,
        hold,
        min_samples,
    } = step;
    text::table([
        ("traffic", Some(text::share(*traffic))),
        ("hold", Some(duration(*hold))),
        (
            "min_samples",
            Some(min_samples.to_string()).filter(|_| *min_samples > 0),
        ),
    ])
}
