//! The sections that protect users, recommend an end and follow the calendar.

use crate::experiment::Millis;
use crate::spec::defaults;
use crate::spec::model::{
    DecisionSpec, GuardrailCheck, GuardrailSpec, GuardrailTest, OnNoData, RampStep, ScheduleSpec,
};
use crate::spec::text;
use crate::spec::write::{Out, duration};

pub(super) fn write_guardrail(out: &mut Out, guardrail: &GuardrailSpec) {
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
    } = guardrail;
    out.section("[[experiment.guardrail]]");
    let default_name = defaults::guardrail_name(check).to_owned();
    out.other("name", name, &default_name, |name| text::quoted(name));
    out.line("kind", text::quoted(check.kind()));
    write_check(out, check);
    out.line("action", text::quoted(action.word()));
    out.other("test", test, &GuardrailTest::default(), |test| {
        text::quoted(test.word())
    });
    out.other("window", window, &defaults::GUARDRAIL_WINDOW, |it| {
        duration(*it)
    });
    out.other("cadence", cadence, &defaults::GUARDRAIL_CADENCE, |it| {
        duration(*it)
    });
    out.other("warm_up", warm_up, &Millis::default(), |it| duration(*it));
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
        GuardrailCheck::ErrorRate { event, of, limit } => {
            out.line("event", text::quoted(event));
            out.some("of", of.as_deref().map(text::quoted));
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
pub(super) fn short_decision(decision: &DecisionSpec) -> Option<String> {
    let short = *decision == defaults::decision(decision.preset);
    short.then(|| text::quoted(decision.preset.word()))
}

pub(super) fn write_decision(out: &mut Out, decision: &DecisionSpec) {
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

pub(super) fn write_schedule(out: &mut Out, schedule: &ScheduleSpec) {
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
