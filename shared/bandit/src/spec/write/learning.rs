//! The sections that say how a lane learns, and from what.

use crate::spec::defaults;
use crate::spec::model::{
    BetaPrior, BurnIn, Credit, Direction, LaneSpec, Memory, OutcomeSpec, PolicyKind, PolicySpec,
    RewardSpec, SuccessSpec,
};
use crate::spec::text;
use crate::spec::write::{Out, duration};

/// A lane; its policy only where it is not the experiment's.
pub(super) fn write_lane(
    out: &mut Out,
    lane: &LaneSpec,
    experiment: &PolicySpec,
    outcome: &OutcomeSpec,
) {
    let LaneSpec {
        name,
        share,
        policy,
    } = lane;
    out.section("[[experiment.lane]]");
    out.line("name", text::quoted(name.as_str()));
    out.line("share", text::share(*share));
    if policy == experiment {
        return;
    }
    match short_policy(policy, outcome) {
        Some(word) => out.line("policy", word),
        None => write_policy(out, "[experiment.lane.policy]", policy, outcome),
    }
}

/// A policy of which only the kind is not the default.
pub(super) fn short_policy(policy: &PolicySpec, outcome: &OutcomeSpec) -> Option<String> {
    let kind_alone = match policy.kind {
        PolicyKind::Thompson
        | PolicyKind::Ucb1
        | PolicyKind::Ucb1Tuned
        | PolicyKind::KlUcb
        | PolicyKind::Fixed => true,
        PolicyKind::TopTwoThompson { beta } => beta == defaults::top_two_beta(),
        PolicyKind::EpsilonGreedy { epsilon, decay } => epsilon == defaults::epsilon() && !decay,
    };
    let short = kind_alone && *policy == defaults::policy_for(policy.kind.clone(), outcome);
    short.then(|| text::quoted(policy.kind.name()))
}

pub(super) fn write_policy(
    out: &mut Out,
    header: &str,
    policy: &PolicySpec,
    outcome: &OutcomeSpec,
) {
    let PolicySpec {
        kind,
        floor,
        control_floor,
        max_weight,
        posterior,
        prior,
        burn_in,
        publish_every,
        memory,
    } = policy;
    out.section(header);
    out.line("kind", text::quoted(kind.name()));
    match kind {
        PolicyKind::TopTwoThompson { beta } => out.line("beta", text::number(beta.get())),
        PolicyKind::EpsilonGreedy { epsilon, decay } => {
            out.line("epsilon", text::share(*epsilon));
            out.other("decay", decay, &false, bool::to_string);
        }
        PolicyKind::Thompson
        | PolicyKind::Ucb1
        | PolicyKind::Ucb1Tuned
        | PolicyKind::KlUcb
        | PolicyKind::Fixed => {}
    }
    out.share("floor", *floor, defaults::floor(kind));
    out.some("control_floor", control_floor.map(text::share));
    out.some("max_weight", max_weight.map(text::share));
    out.other(
        "posterior",
        posterior,
        &defaults::posterior(outcome),
        |it| text::quoted(it.word()),
    );
    out.other("prior", prior, &defaults::PRIOR, write_prior);
    out.other("burn_in", burn_in, &defaults::BURN_IN, write_burn_in);
    out.other(
        "publish_every",
        publish_every,
        &defaults::PUBLISH_EVERY,
        |length| duration(*length),
    );
    out.some("memory", memory.map(write_memory));
}

fn write_memory(memory: Memory) -> String {
    match memory {
        Memory::Window(window) => text::table([("window", Some(duration(window)))]),
        Memory::HalfLife(half_life) => text::table([("half_life", Some(duration(half_life)))]),
    }
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

pub(super) fn write_names(names: &[String]) -> String {
    text::one_or_more(names.iter().map(|name| text::quoted(name)))
}

/// A reward of which only the success events are not the default.
pub(super) fn short_reward(reward: &RewardSpec) -> Option<String> {
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

pub(super) fn write_reward(out: &mut Out, reward: &RewardSpec) {
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
