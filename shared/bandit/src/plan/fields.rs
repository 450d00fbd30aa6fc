//! The typed diff: every field of a spec, compared and put into words. Nothing is left out by `..`.

pub(super) mod sections;
pub(super) mod words;

use crate::experiment::{ArmName, RunState, Verb};
use crate::plan::{FieldChange, arms, lanes};
use crate::spec::defaults;
use crate::spec::model::{ExperimentSpec, PolicySpec};

use sections::{decision, guardrails, policy, reward, schedule, targeting};
use words::NONE;

/// Collects what differs.
#[derive(Default)]
pub(super) struct Fields(Vec<FieldChange>);

impl Fields {
    /// Adds the field if its values differ; only then are they put into words.
    pub(super) fn compare<T: PartialEq + ?Sized>(
        &mut self,
        path: impl Into<String>,
        from: &T,
        to: &T,
        text: impl Fn(&T) -> String,
    ) {
        if from != to {
            self.push(path, &text(from), &text(to));
        }
    }

    /// The same for values that are their own text.
    pub(super) fn text<T: PartialEq + ToString>(
        &mut self,
        path: impl Into<String>,
        from: &T,
        to: &T,
    ) {
        self.compare(path, from, to, T::to_string);
    }

    /// The same for values that may be missing.
    pub(super) fn option<T: PartialEq + ToString>(
        &mut self,
        path: impl Into<String>,
        from: Option<&T>,
        to: Option<&T>,
    ) {
        self.compare(path, &from, &to, |value| words::or_none(*value));
    }

    /// Adds what `compare` finds, as parts of `path`.
    pub(super) fn within(&mut self, path: &str, compare: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        compare(&mut inner);
        self.0.extend(inner.0.into_iter().map(|field| FieldChange {
            path: format!("{path}.{}", field.path),
            ..field
        }));
    }

    /// Adds what `added` says beyond its kind.
    fn beyond_its_kind(&mut self, added: &PolicySpec, to: &ExperimentSpec) {
        let usual = defaults::policy_for(added.kind.clone(), &to.reward.outcome);
        let mut said = Self::default();
        policy(&mut said, &usual, added);
        self.0.extend(said.0.into_iter().map(|field| FieldChange {
            from: NONE.to_owned(),
            ..field
        }));
    }

    /// Adds a field that differs.
    pub(super) fn push(&mut self, path: impl Into<String>, from: &str, to: &str) {
        let (from, to) = words::cut(from, to);
        self.0.push(FieldChange {
            path: path.into(),
            from,
            to,
        });
    }
}

/// What differs between two specs of one experiment. The declared state is no field: it leads to a verb or to nothing.
pub(super) fn diff(from: &ExperimentSpec, to: &ExperimentSpec) -> Vec<FieldChange> {
    let ExperimentSpec {
        key: _,
        name,
        description,
        owner,
        state: _,
        salt,
        traffic,
        holdback,
        on_outage,
        on_quarantine,
        arms: arms_before,
        targeting: targeting_before,
        policy: policy_before,
        lanes: _,
        reward: reward_before,
        guardrails: guardrails_before,
        decision: decision_before,
        schedule: schedule_before,
    } = from;
    let mut fields = Fields::default();
    fields.option("name", name.as_ref(), to.name.as_ref());
    fields.option("description", description.as_ref(), to.description.as_ref());
    fields.option("owner", owner.as_ref(), to.owner.as_ref());
    fields.text("salt", salt, &to.salt);
    fields.text("traffic", traffic, &to.traffic);
    fields.text("holdback", holdback, &to.holdback);
    fields.compare("on_outage", on_outage, &to.on_outage, |it| {
        it.word().to_owned()
    });
    fields.compare("on_quarantine", on_quarantine, &to.on_quarantine, |it| {
        it.word().to_owned()
    });
    policy(&mut fields, policy_before, &to.policy);
    lanes::compare(&mut fields, from, to);
    reward(&mut fields, reward_before, &to.reward);
    arms::compare(&mut fields, arms_before, &to.arms);
    targeting(&mut fields, targeting_before, &to.targeting);
    guardrails(&mut fields, guardrails_before, &to.guardrails);
    decision(&mut fields, decision_before.as_ref(), to.decision.as_ref());
    schedule(&mut fields, schedule_before.as_ref(), to.schedule.as_ref());
    fields.0
}

/// The state before and after a verb.
pub(super) fn of_state(before: &RunState, verb: Verb) -> FieldChange {
    FieldChange {
        path: "state".to_owned(),
        from: before.name().to_owned(),
        to: state_after(verb).to_owned(),
    }
}

/// A quarantined arm before and after its release.
pub(super) fn of_release(arm: &ArmName) -> FieldChange {
    FieldChange {
        path: format!("arm \"{arm}\""),
        from: "quarantined".to_owned(),
        to: "open".to_owned(),
    }
}

fn state_after(verb: Verb) -> &'static str {
    match verb {
        Verb::Start | Verb::Resume => "running",
        Verb::Pause => "paused",
        Verb::Stop => "stopped",
        Verb::Rollback => "rolled_back",
        Verb::Archive => "archived",
    }
}

/// The main features of a new experiment, and what its policies say beyond their kind.
pub(super) fn of_new(spec: &ExperimentSpec, verb: Option<Verb>) -> Vec<FieldChange> {
    let mut fields = Fields::default();
    let names: Vec<&str> = spec.arms.iter().map(|arm| arm.name.as_str()).collect();
    fields.push("state", NONE, verb.map_or("draft", state_after));
    fields.push("arms", NONE, &names.join(", "));
    fields.push("control", NONE, &spec.control().name.to_string());
    fields.push("policy", NONE, &spec.describe_policies());
    fields.push("reward", NONE, &spec.reward.describe());
    fields.push("traffic", NONE, &spec.traffic.to_string());
    if spec.lanes.is_empty() {
        fields.beyond_its_kind(&spec.policy, spec);
    }
    for lane in &spec.lanes {
        fields.within(&lanes::path(lane), |inner| {
            inner.beyond_its_kind(&lane.policy, spec);
        });
    }
    for (attribute, matcher) in &spec.targeting.0 {
        fields.push("targeting", NONE, &format!("{attribute}: {matcher}"));
    }
    for guardrail in &spec.guardrails {
        let limit = format!("{}: {}", guardrail.name, guardrail.describe_limit());
        fields.push("guardrail", NONE, &limit);
    }
    fields.0
}
