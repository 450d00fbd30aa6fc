//! The arms of an experiment: names, the one control, weights.

use std::collections::BTreeMap;

use crate::experiment::{ARMS, ArmName};
use crate::spec::config;
use crate::spec::lane::InForce;
use crate::spec::model::{ArmSpec, PolicyKind};
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

/// The keys of an arm.
pub(super) const KEYS: &[&str] = &["name", "control", "weight", "config", "config_json"];

const HOW: &str =
    "add [[experiment.arm]] sections with a name each, or arms = [\"today\", \"new\"]";
const ONE_CONTROL: &str = "write control = true on the one arm that is what users have today, or control = \"NAME\" on the experiment";

/// An arm and where it is, before the control is settled.
struct Draft<'a> {
    slot: Slot<'a>,
    name: ArmName,
    control: Option<bool>,
    config: serde_json::Value,
    weight: f64,
}

/// Reads `arm` (or `arms`) and `control` of an experiment. `policies` are those that lanes learn by, none where one
/// cannot be read.
pub(super) fn read(experiment: &Reader<'_>, policies: &[InForce<'_>]) -> Option<Vec<ArmSpec>> {
    let Some(list) = experiment.either("arm", "arms") else {
        experiment.problem("has no arms", HOW);
        return None;
    };
    let items = list.list(HOW)?;
    if !ARMS.contains(&items.len()) {
        list.problem_named(
            format!(
                "lists {}; an experiment has {} to {} arms",
                items.len(),
                ARMS.start(),
                ARMS.end()
            ),
            HOW,
        );
        return None;
    }
    let count = items.len();
    let drafts: Vec<Draft<'_>> = items
        .into_iter()
        .enumerate()
        .filter_map(|(index, slot)| read_arm(slot, index, policies))
        .collect();
    check_unique(&drafts);
    let complete = drafts.len() == count;
    let control = find_control(experiment, &drafts, complete);
    check_weights(experiment, &drafts, policies);
    for policy in policies {
        check_floor(experiment, count, policy);
    }
    let control = control.filter(|_| complete)?;
    Some(
        drafts
            .into_iter()
            .map(|draft| ArmSpec {
                control: draft.name == control,
                name: draft.name,
                config: draft.config,
                weight: draft.weight,
            })
            .collect(),
    )
}

fn read_arm<'a>(slot: Slot<'a>, index: usize, policies: &[InForce<'_>]) -> Option<Draft<'a>> {
    let slot = slot.inside(format!("arm {}", index + 1));
    if slot.value().is_str() {
        return Some(Draft {
            name: slot.parsed("rename it")?,
            control: None,
            config: serde_json::Value::Object(serde_json::Map::new()),
            weight: 1.0,
            slot,
        });
    }
    let table = slot.table("write an arm as a name in quotes or as a table with a `name`")?;
    let called = match table
        .slot("name")
        .as_ref()
        .and_then(|name| name.value().as_str())
    {
        Some(name) => format!("arm \"{}\"", name.chars().take(40).collect::<String>()),
        None => format!("arm {}", index + 1),
    };
    let table = table.inside(called.clone());
    table.only(KEYS);
    let name = table
        .required("name", "add a name such as name = \"blue\"")
        .and_then(|name| name.parsed("rename it"));
    let control = table.slot("control").and_then(|slot| slot.flag());
    let config = config::read(&table);
    let weight = table
        .slot("weight")
        .and_then(|slot| read_weight(&slot, policies));
    Some(Draft {
        slot: slot.inside(called),
        name: name?,
        control,
        config: config?,
        weight: weight.unwrap_or(1.0),
    })
}

fn read_weight(slot: &Slot<'_>, policies: &[InForce<'_>]) -> Option<f64> {
    let weight = slot.number()?;
    if weight < 0.0 {
        slot.problem(format!("is {weight}"), "write a number of at least 0");
        return None;
    }
    let learns = !policies.is_empty() && !policies.iter().any(is_fixed);
    #[expect(
        clippy::float_cmp,
        reason = "1 is exactly what an undeclared weight is"
    )]
    if learns && weight != 1.0 {
        slot.problem_named(
            "has no effect under a policy that learns",
            "remove it, or write policy = \"fixed\"",
        );
        return None;
    }
    Some(weight)
}

fn check_unique(drafts: &[Draft<'_>]) {
    let mut first_lines = BTreeMap::new();
    for draft in drafts {
        if let Some(first) = first_lines.get(&draft.name) {
            draft.slot.problem(
                format!(
                    "has the name of the one on line {first}: \"{}\"",
                    draft.name
                ),
                "give one of the two another name",
            );
        } else {
            first_lines.insert(&draft.name, draft.slot.line());
        }
    }
}

fn find_control(experiment: &Reader<'_>, drafts: &[Draft<'_>], complete: bool) -> Option<ArmName> {
    let marked: Vec<&Draft<'_>> = drafts
        .iter()
        .filter(|draft| draft.control == Some(true))
        .collect();
    if let Some(slot) = experiment.slot("control") {
        return named_control(&slot, drafts, &marked, complete);
    }
    match marked.as_slice() {
        [only] => Some(only.name.clone()),
        [] => {
            // An arm that could not be read may be the one.
            if complete {
                experiment.problem("has no control", ONE_CONTROL);
            }
            None
        }
        [first, more @ ..] => {
            for draft in more {
                draft.slot.problem(
                    format!("is a second control; arm \"{}\" is one already", first.name),
                    ONE_CONTROL,
                );
            }
            None
        }
    }
}

fn named_control(
    slot: &Slot<'_>,
    drafts: &[Draft<'_>],
    marked: &[&Draft<'_>],
    complete: bool,
) -> Option<ArmName> {
    let name: ArmName = slot.parsed("write the name of one of the arms")?;
    for other in marked.iter().filter(|draft| draft.name != name) {
        other.slot.problem(
            format!("is a second control; the experiment says control = \"{name}\""),
            ONE_CONTROL,
        );
    }
    if complete && !drafts.iter().any(|draft| draft.name == name) {
        let known: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
        slot.problem(
            format!("names \"{name}\", which is none of the arms"),
            crate::spec::suggest::fix_for(name.as_str(), &known),
        );
        return None;
    }
    Some(name)
}

fn is_fixed(policy: &InForce<'_>) -> bool {
    policy.policy.kind == PolicyKind::Fixed
}

fn check_weights(experiment: &Reader<'_>, drafts: &[Draft<'_>], policies: &[InForce<'_>]) {
    let fixed = policies.iter().any(is_fixed);
    let sum: f64 = drafts.iter().map(|draft| draft.weight).sum();
    if fixed && !drafts.is_empty() && !(sum > 0.0 && sum.is_finite()) {
        experiment.problem(
            "has weights that do not sum to a number above 0",
            "give at least one arm a weight above 0",
        );
    }
}

fn check_floor(experiment: &Reader<'_>, count: usize, in_force: &InForce<'_>) {
    let InForce { lane, policy } = in_force;
    let arms = count as f64;
    let floor = policy.floor.get();
    if arms * floor >= 1.0 {
        experiment.problem(
            format!(
                "{lane}gives {count} arms a floor of {} each, which leaves nothing to learn with",
                policy.floor
            ),
            format!("write a policy.floor below {}", Rounded(1.0 / arms)),
        );
    } else if let Some(control) = policy.control_floor
        && (arms - 1.0) * floor + control.get() >= 1.0
    {
        let room = 1.0 - (arms - 1.0) * floor;
        experiment.problem(
            format!(
                "{lane}gives the control {control} and the others {} each, which leaves nothing to learn with",
                policy.floor
            ),
            format!("write a policy.control_floor below {}", Rounded(room)),
        );
    }
    if let Some(most) = policy.max_weight
        && arms * most.get() < 1.0
    {
        experiment.problem(
            format!("{lane}allows {count} arms at most {most} each, which is less than everyone"),
            format!("write a policy.max_weight above {}", Rounded(1.0 / arms)),
        );
    }
}

/// A number with three decimals at most.
struct Rounded(f64);

impl std::fmt::Display for Rounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        ((self.0 * 1_000.0).round() / 1_000.0).fmt(f)
    }
}
