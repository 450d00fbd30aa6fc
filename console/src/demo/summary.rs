//! What a headless demo says at the end, and whether everything was as it must be.

use std::collections::BTreeMap;

use protocol::experiments::{Results, Row};
use serde::Serialize;
use serde_json::Value;

use super::installation::Verified;
use super::tally::Counts;

/// Everything that is known at the end.
#[derive(Debug)]
pub(super) struct Ending {
    pub seed: u64,
    pub seconds: u64,
    /// When the checkout's better arm had 80 % of the new units.
    pub found_after: Option<f64>,
    pub counts: Counts,
    pub rows: Vec<Row>,
    pub results: Vec<Results>,
    pub verified: Verified,
}

/// The JSON object on standard output. Its fields stay.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Whether everything was as it must be.
    pub ok: bool,
    seed: u64,
    seconds: u64,
    experiments: Vec<Experiment>,
    /// Events that the data port acknowledged.
    acknowledged: u64,
    /// Events in the ledgers.
    ledger: u64,
    /// Events that were received and not folded within the waiting time; must be 0.
    unfolded: u64,
    /// When the checkout's better arm had 80 % of the new units, if it had.
    checkout_found_after_seconds: Option<f64>,
    services: Counts,
    /// `ok`, or `differs`.
    verify: &'static str,
    verify_report: Value,
}

#[derive(Debug, Serialize)]
struct Experiment {
    key: String,
    state: String,
    assignments: u64,
    exposures: u64,
    events: u64,
    duplicates: u64,
    late: u64,
    rewards: u64,
    pending: u64,
    versions: u64,
    allocation: BTreeMap<String, f64>,
}

impl Summary {
    pub(super) fn new(ending: Ending) -> Self {
        let Ending {
            seed,
            seconds,
            found_after,
            counts,
            rows,
            results,
            verified,
        } = ending;
        let mut summary = Self {
            ok: false,
            seed,
            seconds,
            acknowledged: counts.acknowledged,
            ledger: results.iter().map(|results| results.events).sum(),
            unfolded: results.iter().map(|results| results.unfolded).sum(),
            checkout_found_after_seconds: found_after.map(|s| (s * 10.0).round() / 10.0),
            experiments: experiments(results, &rows),
            services: counts,
            verify: if verified.ok { "ok" } else { "differs" },
            verify_report: verified.report,
        };
        summary.ok = summary.complaint().is_empty();
        summary
    }

    /// What is not as it must be, in one line; empty if nothing is.
    pub(super) fn complaint(&self) -> String {
        let Counts {
            rejected,
            unanswered,
            arm_changes,
            ..
        } = &self.services;
        // An event that was sent and never answered may be in the ledger or not.
        let possible = self.acknowledged..=self.acknowledged + unanswered;
        let (taken, ledger) = (self.acknowledged, self.ledger);
        let complaints = [
            (
                !possible.contains(&ledger),
                format!("{taken} events were acknowledged and the ledger has {ledger}"),
            ),
            (
                self.unfolded > 0,
                format!("{} events were not folded in time", self.unfolded),
            ),
            (*rejected > 0, format!("{rejected} events were refused")),
            (
                *arm_changes > 0,
                format!("{arm_changes} units were told another arm than before"),
            ),
            (
                self.verify != "ok",
                "the posteriors differ from what the ledgers give".to_owned(),
            ),
        ];
        let said = complaints.into_iter().filter(|(wrong, _)| *wrong);
        said.map(|(_, words)| words).collect::<Vec<_>>().join("; ")
    }
}

/// In key order.
fn experiments(results: Vec<Results>, rows: &[Row]) -> Vec<Experiment> {
    let all = results.into_iter();
    let mut all: Vec<Experiment> = all.map(|results| experiment(results, rows)).collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

fn experiment(results: Results, rows: &[Row]) -> Experiment {
    let row = rows.iter().find(|row| row.key == results.experiment);
    let arms = row.map_or_else(Vec::new, |row| row.arms.clone());
    Experiment {
        key: results.experiment,
        state: results.state,
        assignments: results.assignments,
        exposures: results.exposures,
        events: results.events,
        duplicates: results.duplicates,
        late: results.late,
        rewards: results.rewards,
        pending: results.pending,
        versions: results.versions,
        allocation: arms.into_iter().map(|arm| (arm.name, arm.share)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(counts: Counts, verified: bool) -> Ending {
        Ending {
            seed: 1,
            seconds: 30,
            found_after: Some(21.04),
            counts,
            rows: vec![],
            results: vec![],
            verified: Verified {
                ok: verified,
                report: Value::Null,
            },
        }
    }

    #[test]
    fn a_demo_is_fine_when_the_ledger_has_what_was_acknowledged() {
        let fine = Counts::default();
        let unanswered = Counts {
            unanswered: 3,
            ..fine
        };
        let lost = Counts {
            acknowledged: 1,
            ..fine
        };
        let refused = Counts {
            rejected: 1,
            ..fine
        };
        let moved = Counts {
            arm_changes: 1,
            ..fine
        };
        for (counts, verified, wanted) in [
            (fine, true, ""),
            (unanswered, true, ""),
            (
                lost,
                true,
                "1 events were acknowledged and the ledger has 0",
            ),
            (refused, true, "1 events were refused"),
            (moved, true, "1 units were told another arm than before"),
            (
                fine,
                false,
                "the posteriors differ from what the ledgers give",
            ),
        ] {
            let summary = Summary::new(ending(counts, verified));
            assert_eq!(summary.complaint(), wanted);
            assert_eq!(summary.ok, wanted.is_empty());
        }
    }
}
