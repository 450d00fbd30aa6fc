//! A spec as readable TOML that reads back as the same spec. Defaults are left out.

mod guarding;
mod learning;

use crate::experiment::{Millis, Share};
use crate::spec::defaults;
use crate::spec::model::{ArmSpec, ExperimentSpec, OnOutage, OnQuarantine};
use crate::spec::text;
use crate::targeting::{Matcher, Targeting};

use guarding::{short_decision, write_decision, write_guardrail, write_schedule};
use learning::{short_policy, short_reward, write_lane, write_names, write_policy, write_reward};

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
        on_quarantine,
        arms,
        targeting,
        policy,
        lanes,
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
    let keep = OnQuarantine::default();
    out.other("on_quarantine", on_quarantine, &keep, |choice| {
        text::quoted(choice.word())
    });
    let short_policy = short_policy(policy, &reward.outcome);
    out.some("policy", short_policy.clone());
    let short_reward = short_reward(reward);
    out.some("reward", short_reward.clone());
    let short_decision = decision.as_ref().and_then(short_decision);
    out.some("decision", short_decision.clone());
    if short_policy.is_none() {
        write_policy(&mut out, "[experiment.policy]", policy, &reward.outcome);
    }
    if short_reward.is_none() {
        write_reward(&mut out, reward);
    }
    for lane in lanes {
        write_lane(&mut out, lane, policy, &reward.outcome);
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
