//! The sections of a spec, compared field by field.

use std::collections::BTreeSet;

use crate::plan::fields::Fields;
use crate::plan::fields::words::{NONE, list};
use crate::spec::model::{
    BetaPrior, BurnIn, DecisionSpec, GuardrailSpec, Memory, OutcomeSpec, PolicyKind, PolicySpec,
    RampStep, RewardSpec, ScheduleSpec,
};
use crate::targeting::{Matcher, Targeting};

pub(in crate::plan) fn policy(fields: &mut Fields, from: &PolicySpec, to: &PolicySpec) {
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
    } = from;
    fields.compare("policy.kind", kind, &to.kind, kind_text);
    fields.text("policy.floor", floor, &to.floor);
    fields.option(
        "policy.control_floor",
        control_floor.as_ref(),
        to.control_floor.as_ref(),
    );
    fields.option(
        "policy.max_weight",
        max_weight.as_ref(),
        to.max_weight.as_ref(),
    );
    fields.compare("policy.posterior", posterior, &to.posterior, |it| {
        it.word().to_owned()
    });
    let BetaPrior { alpha, beta } = prior;
    fields.text("policy.prior.alpha", alpha, &to.prior.alpha);
    fields.text("policy.prior.beta", beta, &to.prior.beta);
    let BurnIn {
        for_,
        exposures_per_arm,
        rewards_per_arm,
    } = burn_in;
    fields.text("policy.burn_in.for", for_, &to.burn_in.for_);
    fields.text(
        "policy.burn_in.exposures_per_arm",
        exposures_per_arm,
        &to.burn_in.exposures_per_arm,
    );
    fields.text(
        "policy.burn_in.rewards_per_arm",
        rewards_per_arm,
        &to.burn_in.rewards_per_arm,
    );
    fields.text("policy.publish_every", publish_every, &to.publish_every);
    fields.compare("policy.memory", memory, &to.memory, |memory| {
        memory.map_or_else(|| "everything".to_owned(), Memory::describe)
    });
}

fn kind_text(kind: &PolicyKind) -> String {
    match kind {
        PolicyKind::TopTwoThompson { beta } => format!("{} (beta {beta})", kind.name()),
        PolicyKind::EpsilonGreedy {
            epsilon,
            decay: false,
        } => format!("{} (epsilon {epsilon})", kind.name()),
        PolicyKind::EpsilonGreedy {
            epsilon,
            decay: true,
        } => format!("{} (epsilon {epsilon}, decaying)", kind.name()),
        PolicyKind::Thompson
        | PolicyKind::Ucb1
        | PolicyKind::Ucb1Tuned
        | PolicyKind::KlUcb
        | PolicyKind::Fixed => kind.name().to_owned(),
    }
}

pub(super) fn reward(fields: &mut Fields, from: &RewardSpec, to: &RewardSpec) {
    let RewardSpec {
        outcome,
        negative,
        window,
        grace,
        credit,
        direction,
        max_events_per_unit,
    } = from;
    fields.compare("reward.outcome", outcome, &to.outcome, outcome_text);
    fields.compare("reward.negative", negative, &to.negative, |it| list(it));
    fields.text("reward.window", window, &to.window);
    fields.text("reward.grace", grace, &to.grace);
    fields.compare("reward.credit", credit, &to.credit, |it| {
        it.word().to_owned()
    });
    fields.compare("reward.direction", direction, &to.direction, |it| {
        it.word().to_owned()
    });
    fields.text(
        "reward.max_events_per_unit",
        max_events_per_unit,
        &to.max_events_per_unit,
    );
}

fn outcome_text(outcome: &OutcomeSpec) -> String {
    match outcome {
        OutcomeSpec::Binary { success } => {
            let words: Vec<String> = success
                .iter()
                .map(|success| match success.min {
                    Some(min) => format!("{} >= {min}", success.event),
                    None => success.event.clone(),
                })
                .collect();
            words.join(" or ")
        }
        OutcomeSpec::Scaled {
            event,
            aggregate,
            min,
            max,
            default,
        } => format!(
            "{} of {event}, {min} to {max}, {default} if none",
            aggregate.word()
        ),
    }
}

pub(super) fn targeting(fields: &mut Fields, from: &Targeting, to: &Targeting) {
    let attributes: BTreeSet<&String> = from.0.keys().chain(to.0.keys()).collect();
    for attribute in attributes {
        let (before, after) = (from.0.get(attribute), to.0.get(attribute));
        let same = match (before, after) {
            (Some(before), Some(after)) => before.same(after),
            _ => false,
        };
        if !same {
            let text = |matcher: Option<&Matcher>| {
                matcher.map_or_else(|| "(everyone)".to_owned(), Matcher::whole)
            };
            fields.push(
                format!("targeting.{attribute}"),
                &text(before),
                &text(after),
            );
        }
    }
}

pub(super) fn guardrails(fields: &mut Fields, from: &[GuardrailSpec], to: &[GuardrailSpec]) {
    for before in from {
        match to.iter().find(|after| after.name == before.name) {
            Some(after) => guardrail(fields, before, after),
            None => fields.push(
                format!("guardrail \"{}\"", before.name),
                &summary(before),
                NONE,
            ),
        }
    }
    for after in to {
        if !from.iter().any(|before| before.name == after.name) {
            fields.push(
                format!("guardrail \"{}\"", after.name),
                NONE,
                &summary(after),
            );
        }
    }
}

fn summary(guardrail: &GuardrailSpec) -> String {
    format!(
        "{}, else {}",
        guardrail.describe_limit(),
        guardrail.action.word()
    )
}

fn guardrail(fields: &mut Fields, from: &GuardrailSpec, to: &GuardrailSpec) {
    let GuardrailSpec {
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
    } = from;
    let path = |field: &str| format!("guardrail \"{name}\".{field}");
    fields.compare(path("kind"), check.kind(), to.check.kind(), str::to_owned);
    if *check != to.check {
        fields.push(path("limit"), &from.describe_limit(), &to.describe_limit());
    }
    fields.compare(path("action"), action, &to.action, |it| {
        it.word().to_owned()
    });
    fields.compare(path("test"), test, &to.test, |it| it.word().to_owned());
    fields.text(path("window"), window, &to.window);
    fields.text(path("cadence"), cadence, &to.cadence);
    fields.text(path("warm_up"), warm_up, &to.warm_up);
    fields.text(path("breaches"), breaches, &to.breaches);
    fields.text(path("min_samples"), min_samples, &to.min_samples);
    fields.compare(path("on_no_data"), on_no_data, &to.on_no_data, |it| {
        it.word().to_owned()
    });
    fields.text(path("grace"), grace, &to.grace);
    fields.text(path("dry_run"), dry_run, &to.dry_run);
}

pub(super) fn decision(
    fields: &mut Fields,
    from: Option<&DecisionSpec>,
    to: Option<&DecisionSpec>,
) {
    let (Some(from), Some(to)) = (from, to) else {
        fields.compare("decision", &from, &to, |decision| {
            decision.map_or(NONE, |it| it.preset.word()).to_owned()
        });
        return;
    };
    let DecisionSpec {
        preset,
        min_runtime,
        min_samples,
        max_runtime,
        min_effect,
        auto,
    } = from;
    fields.compare("decision.preset", preset, &to.preset, |it| {
        it.word().to_owned()
    });
    fields.text("decision.min_runtime", min_runtime, &to.min_runtime);
    fields.text("decision.min_samples", min_samples, &to.min_samples);
    fields.option(
        "decision.max_runtime",
        max_runtime.as_ref(),
        to.max_runtime.as_ref(),
    );
    fields.text("decision.min_effect", min_effect, &to.min_effect);
    fields.compare("decision.auto", auto, &to.auto, |auto| {
        let words: Vec<&str> = auto.iter().map(|choice| choice.word()).collect();
        list(&words)
    });
}

pub(super) fn schedule(
    fields: &mut Fields,
    from: Option<&ScheduleSpec>,
    to: Option<&ScheduleSpec>,
) {
    const EMPTY: &ScheduleSpec = &ScheduleSpec {
        start: None,
        stop: None,
        ramp: Vec::new(),
        archive_after: None,
    };
    let ScheduleSpec {
        start,
        stop,
        ramp,
        archive_after,
    } = from.unwrap_or(EMPTY);
    let to = to.unwrap_or(EMPTY);
    fields.option("schedule.start", start.as_ref(), to.start.as_ref());
    fields.option("schedule.stop", stop.as_ref(), to.stop.as_ref());
    fields.compare("schedule.ramp", ramp, &to.ramp, |it| ramp_text(it));
    fields.option(
        "schedule.archive_after",
        archive_after.as_ref(),
        to.archive_after.as_ref(),
    );
}

/// Such as `5% for 1h and 500 samples, 50% for 1d`.
pub(in crate::plan) fn ramp_text(steps: &[RampStep]) -> String {
    let words: Vec<String> = steps
        .iter()
        .map(|step| {
            let RampStep {
                traffic,
                hold,
                min_samples,
            } = step;
            match min_samples {
                0 => format!("{traffic} for {hold}"),
                least => format!("{traffic} for {hold} and {least} samples"),
            }
        })
        .collect();
    list(&words)
}
