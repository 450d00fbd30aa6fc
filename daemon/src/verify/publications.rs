//! Every policy version is computed again from what it says it was computed from, bit for bit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bandit::allocation::Allocation;
use bandit::experiment::{Arm, ArmId, LaneId, Revision, Version};
use bandit::policy::Evidence;
use bandit::spec::model::{Credit, ExperimentSpec, PolicyKind, PolicySpec};
use sqlx::PgConnection;

use super::report::Differences;
use crate::publication::{LaneEvidence, next_publication};
use crate::store::StoreError;
use crate::store::verification::Subject;
use crate::store::versions::{self, PolicyVersion};

/// The last bits of a sum of scaled rewards move a probability by far less than this.
const ROUNDING: f64 = 1e-9;

/// Versions a page.
const PAGE: i64 = 1_000;

/// Checks all versions of one experiment; returns how many.
pub(super) async fn check(
    view: &mut PgConnection,
    subject: &Subject,
    differences: &mut Differences,
) -> Result<u64, StoreError> {
    let mut specs: HashMap<Revision, ExperimentSpec> = HashMap::new();
    let mut after = (LaneId(0), Version(0));
    let mut count = 0;
    loop {
        let page = versions::page(view, subject.id, after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(count);
        };
        let last = *last;
        for (number, version) in page {
            count += 1;
            check_number(after, number, differences);
            after = number;
            let version = match version {
                Ok(version) => version,
                Err(error) => {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    differences.add(name(number), source.unwrap_or_default(), "an allocation");
                    continue;
                }
            };
            let spec = match specs.entry(version.revision) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(slot) => {
                    slot.insert(versions::spec_at(view, subject.id, version.revision).await?)
                }
            };
            check_one(spec, subject, &version, differences);
        }
        after = last;
    }
}

fn name((lane, version): (LaneId, Version)) -> String {
    format!("version {version} of lane {lane}")
}

/// The numbers of a lane are 1, 2, 3, ...
fn check_number(
    before: (LaneId, Version),
    number: (LaneId, Version),
    differences: &mut Differences,
) {
    let expected = if before.0 == number.0 {
        before.1.0 + 1
    } else {
        1
    };
    if number.1.0 != expected {
        let what = format!("versions of lane {}", number.0);
        differences.add(
            what,
            format!("{} after a gap", number.1),
            format!("{expected} before it"),
        );
    }
}

fn check_one(
    spec: &ExperimentSpec,
    subject: &Subject,
    version: &PolicyVersion,
    differences: &mut Differences,
) {
    let open: Vec<Arm> = subject
        .arms
        .iter()
        .filter(|arm| version.allocation.arms().any(|open| open == arm.id))
        .map(|arm| Arm {
            retired: false,
            quarantined: false,
            ..arm.clone()
        })
        .collect();
    let known: LaneEvidence = version
        .allocation
        .arms()
        .zip(version.evidence.iter().copied())
        .collect();
    let what = name((version.lane, version.version));
    let lanes = subject.lanes.lanes_of(spec);
    let Some(lane) = lanes.iter().find(|lane| lane.id == version.lane) else {
        differences.add(what, "published", "nothing: its spec has no such lane");
        return;
    };
    if spec.reward.credit == Credit::Matured && lane.policy.memory.is_none() {
        check_learned(&what, version, differences);
    }
    match next_publication(spec, &open, lane, &known, version.running_for) {
        Ok(again) => {
            let expected = of_its_edition(&lane.policy, version, again.allocation);
            if !same(version, &expected) {
                differences.add(
                    format!("allocation of {what}"),
                    in_words(&version.allocation),
                    in_words(&expected),
                );
            }
            if again.burn_in != version.burn_in {
                differences.add(
                    format!("burn-in of {what}"),
                    version.burn_in.as_deref().unwrap_or("over"),
                    again.burn_in.as_deref().unwrap_or("over"),
                );
            }
        }
        Err(error) => differences.add(what, in_words(&version.allocation), error.to_string()),
    }
}

/// Where a unit counts once, when its window has closed, the policy learned from the whole counts.
fn check_learned(what: &str, version: &PolicyVersion, differences: &mut Differences) {
    for ((arm, _), known) in version.allocation.iter().zip(&version.evidence) {
        let whole = Evidence::from(known.stats).learned;
        if (known.learned.n, known.learned.sum) != (whole.n, whole.sum) {
            differences.add(
                format!("what {what} learned of arm {arm}"),
                format!("{} in {} rewards", known.learned.sum, known.learned.n),
                format!("{} in {}", whole.sum, whole.n),
            );
        }
    }
}

/// What the edition that published `version` made of its evidence, where today's edition gives `today`.
fn of_its_edition(policy: &PolicySpec, version: &PolicyVersion, today: Allocation) -> Allocation {
    let had_engine = matches!(policy.kind, PolicyKind::Thompson | PolicyKind::Fixed);
    if version.edition > 0 || had_engine {
        return today;
    }
    let open: Vec<ArmId> = version.allocation.arms().collect();
    Allocation::even(&open).unwrap_or(today)
}

/// Bit for bit; versions of edition 0 within the rounding of sums that they did not store.
fn same(version: &PolicyVersion, expected: &Allocation) -> bool {
    if version.edition == 0 {
        return version.allocation.distance(expected) < ROUNDING;
    }
    bits(expected) == bits(&version.allocation)
}

fn bits(allocation: &Allocation) -> Vec<(u16, u64)> {
    allocation
        .iter()
        .map(|(arm, share)| (arm.0, share.to_bits()))
        .collect()
}

fn in_words(allocation: &Allocation) -> String {
    let shares: Vec<String> = allocation
        .iter()
        .map(|(arm, share)| format!("arm {arm} {share}"))
        .collect();
    shares.join(", ")
}
