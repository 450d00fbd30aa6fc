//! `[[experiment.lane]]`: the learning lanes, each with its share and its policy.

use std::collections::BTreeMap;

use crate::experiment::{LaneName, Share};
use crate::lanes::HOLDBACK;
use crate::spec::describe::Percent;
use crate::spec::limits::MAX_LANES;
use crate::spec::model::{LaneSpec, OutcomeSpec, PolicySpec};
use crate::spec::policy;
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

/// The keys of a lane.
pub(super) const KEYS: &[&str] = &["name", "share", "policy"];

/// How far the shares may sum from 1: the rounding of decimals, and nothing that a person would write.
const SUM_TOLERANCE: f64 = 1e-10;

const HOW_SHARES: &str = "write shares that sum to 100%: they are parts of the participants outside the holdback; without any `share` the lanes are equal";

/// A policy that a lane learns by.
pub(super) struct InForce<'a> {
    /// How a message about it begins: empty, or such as `lane \"ucb\" `.
    pub lane: String,
    pub policy: &'a PolicySpec,
}

/// The policies that lanes learn by; none where they cannot be read.
pub(super) fn policies_in_force<'a>(
    experiment: Option<&'a PolicySpec>,
    lanes: Option<&'a Vec<LaneSpec>>,
) -> Vec<InForce<'a>> {
    match (experiment, lanes.map(Vec::as_slice)) {
        (Some(policy), Some([])) => vec![InForce {
            lane: String::new(),
            policy,
        }],
        (_, Some(lanes)) => lanes
            .iter()
            .map(|lane| InForce {
                lane: format!("lane \"{}\" ", lane.name),
                policy: &lane.policy,
            })
            .collect(),
        (_, None) => Vec::new(),
    }
}

/// A lane and where it is, before the shares are settled.
struct Draft<'a> {
    table: Reader<'a>,
    name: LaneName,
    share: Option<Share>,
    policy: PolicySpec,
}

/// Reads `lane` (or `lanes`). A lane without a policy has the experiment's. `None` if one of them cannot be read.
pub(super) fn read_all(
    experiment: &Reader<'_>,
    policy: Option<&PolicySpec>,
    outcome: Option<&OutcomeSpec>,
) -> Option<Vec<LaneSpec>> {
    let Some(slot) = experiment.either("lane", "lanes") else {
        return Some(Vec::new());
    };
    let tables = slot.list_of_tables("write [[experiment.lane]] with two brackets")?;
    if tables.len() > MAX_LANES {
        slot.problem_named(
            format!("is there {} times; at most {MAX_LANES} fit", tables.len()),
            "remove some: each lane needs units enough to learn from alone",
        );
        return None;
    }
    let count = tables.len();
    let drafts: Vec<Draft<'_>> = tables
        .into_iter()
        .enumerate()
        .filter_map(|(index, table)| read(&table, index, policy, outcome))
        .collect();
    check_unique(&drafts);
    let complete = drafts.len() == count;
    let shares = complete.then(|| settle_shares(&slot, &drafts))??;
    let lanes = drafts.into_iter().zip(shares);
    Some(
        lanes
            .map(|(draft, share)| LaneSpec {
                name: draft.name,
                share,
                policy: draft.policy,
            })
            .collect(),
    )
}

fn read<'a>(
    table: &Reader<'a>,
    index: usize,
    experiment: Option<&PolicySpec>,
    outcome: Option<&OutcomeSpec>,
) -> Option<Draft<'a>> {
    let called = match table.slot("name").and_then(|name| name.value().as_str()) {
        Some(name) => format!("lane \"{}\"", name.chars().take(40).collect::<String>()),
        None => format!("lane {}", index + 1),
    };
    let table = table.clone().inside(called);
    table.only(KEYS);
    let name = table
        .required("name", "add a name such as name = \"thompson\"")
        .and_then(|slot| read_name(&slot));
    let share = table.slot("share").map(|slot| slot.share());
    let policy = if table.has("policy") {
        policy::read(&table, outcome)
    } else {
        experiment.cloned()
    };
    Some(Draft {
        share: match share {
            Some(share) => Some(share?),
            None => None,
        },
        name: name?,
        policy: policy?,
        table,
    })
}

fn read_name(slot: &Slot<'_>) -> Option<LaneName> {
    let name: LaneName = slot.parsed("rename it")?;
    if name.as_str() == HOLDBACK {
        slot.problem(
            "is the name of the lane that never learns",
            "rename it; the share of the holdback is the experiment's own `holdback`",
        );
        return None;
    }
    Some(name)
}

fn check_unique(drafts: &[Draft<'_>]) {
    let mut first_lines = BTreeMap::new();
    for draft in drafts {
        if let Some(first) = first_lines.get(&draft.name) {
            draft.table.problem(
                format!("has the name of the one on line {first}"),
                "give one of the two another name",
            );
        } else {
            first_lines.insert(&draft.name, draft.table.line());
        }
    }
}

/// Each lane's share: as written if every lane says one and they sum to 1, equal if none does.
fn settle_shares(slot: &Slot<'_>, drafts: &[Draft<'_>]) -> Option<Vec<Share>> {
    let written: Vec<Share> = drafts.iter().filter_map(|draft| draft.share).collect();
    if written.is_empty() {
        let equal = Share::new(1.0 / drafts.len().max(1) as f64).ok()?;
        return Some(vec![equal; drafts.len()]);
    }
    if written.len() < drafts.len() {
        for draft in drafts.iter().filter(|draft| draft.share.is_none()) {
            draft
                .table
                .problem("has no `share`, and other lanes have one", HOW_SHARES);
        }
        return None;
    }
    let sum: f64 = written.iter().map(|share| share.get()).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        slot.problem_named(
            format!("shares sum to {}, not to 100%", Percent(sum)),
            HOW_SHARES,
        );
        return None;
    }
    Some(written)
}
