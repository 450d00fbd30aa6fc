//! `pitbossd verify`: everything that is derived is computed again from the ledgers and compared exactly.
//!
//! It reads inside one snapshot, page by page, so it may run beside the daemon, on its own, or on a restored
//! backup, and it changes nothing.

mod draws;
mod events;
mod progress;
mod publications;
mod report;
mod units;

use std::collections::BTreeMap;

use bandit::experiment::ExperimentId;
use bandit::posterior::ArmStats;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub use progress::{Step, Watch, unwatched};
pub use report::{Difference, ExperimentReport, Report};

use crate::store::retention::{self, Gone};
use crate::store::state::StateKey;
use crate::store::verification::{self, PageSize, Subject, state_key};
use crate::store::{Store, StoreError, audit, experiments, sweep};
use draws::Draws;
use events::Events;
use report::Differences;
use units::UnitCheck;

/// How much is read in one statement.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// A page of units: a few megabytes, whatever the ledgers hold.
    page: PageSize,
    /// Blocks of the events ledger, 70 events each. 8 MiB, so that a disk that looks up 5,000 units a second needs
    /// 15 s, half of what a statement may take.
    blocks: i64,
}

const USUAL: Pace = Pace {
    page: PageSize {
        units: 5_000,
        events: 50_000,
    },
    blocks: 1_024,
};

/// Computes everything again and says what differs.
pub async fn verify(store: &Store, watch: Watch<'_>) -> Result<Report, StoreError> {
    verify_at(store, USUAL, watch).await
}

async fn verify_at(store: &Store, pace: Pace, watch: Watch<'_>) -> Result<Report, StoreError> {
    let mut view = experiments::snapshot(store).await?;
    sweep::hold(&mut view).await?;
    let mut report = Report::default();
    let subjects = verification::subjects(&mut view).await?;
    let readable = subjects
        .iter()
        .filter_map(|(_, subject)| subject.as_ref().ok());
    let readable: BTreeMap<ExperimentId, &Subject> =
        readable.map(|subject| (subject.id, subject)).collect();
    let events = Events::sweep(&mut view, &readable, pace, watch).await?;
    for (id, subject) in &subjects {
        let one = match subject {
            Ok(subject) => one(&mut view, subject, &events, pace, watch).await?,
            Err(error) => ExperimentReport::unreadable(*id, error),
        };
        report.experiments.push(one);
    }
    drop(view);
    report.audit(&audit::verify(store).await?);
    Ok(report)
}

async fn one(
    view: &mut PgConnection,
    subject: &Subject,
    events: &Events,
    pace: Pace,
    watch: Watch<'_>,
) -> Result<ExperimentReport, StoreError> {
    let mut differences = Differences::default();
    let mut report = ExperimentReport::new(&subject.key);
    report.versions = publications::check(view, subject, &mut differences).await?;
    let mut draws = Draws::default();
    let gone = retention::gone(view, subject.id).await?;
    check_gone(&gone, &mut differences);
    report.dropped = gone.events;
    report.kept_since = gone.kept_since;
    let check = UnitCheck::new(&subject.spec.reward, gone.kept_since);
    let mut recomputed = Recomputed::new(subject.id, check.default_micro);
    let (mut after, mut units) = (None, 0);
    loop {
        let (page, next) = verification::page(view, subject.id, after, pace.page).await?;
        for (key, ledger) in &page {
            check.check(*key, ledger, &mut differences);
            if let Some(assigned) = &ledger.assigned {
                draws
                    .check(view, subject, *key, assigned.drawn, &mut differences)
                    .await?;
            }
            recomputed.add(ledger);
            report.add(ledger);
        }
        units += page.len() as u64;
        watch(Step::Units {
            experiment: &subject.key,
            units,
        });
        after = next;
        if after.is_none() {
            break;
        }
    }
    report.events += events.check(view, subject, &mut differences).await?;
    let (state, uncounted) = verification::state(view, subject.id).await?;
    report.uncounted = uncounted;
    report.state_rows = state.len() as u64;
    recomputed.compare(&state, &mut differences);
    report.close(differences);
    Ok(report)
}

/// What retention dropped is what its audit rows say.
fn check_gone(gone: &Gone, differences: &mut Differences) {
    let told = |(events, kept_since): (i64, Option<DateTime<Utc>>)| {
        let since = kept_since.map_or("ever".to_owned(), |since| since.to_rfc3339());
        format!("{events}, kept since {since}")
    };
    let recorded = (gone.events, gone.kept_since);
    if recorded != gone.audited {
        differences.add(
            "events that were dropped by retention",
            told(recorded),
            format!("{} by the audit log", told(gone.audited)),
        );
    }
}

/// The state that the ledgers give.
struct Recomputed {
    experiment: ExperimentId,
    default_micro: i32,
    state: BTreeMap<StateKey, ArmStats>,
}

impl Recomputed {
    fn new(experiment: ExperimentId, default_micro: i32) -> Self {
        Self {
            experiment,
            default_micro,
            state: BTreeMap::new(),
        }
    }

    fn add(&mut self, ledger: &verification::UnitLedger) {
        if let Some(assigned) = &ledger.assigned {
            let key = state_key(self.experiment, assigned.drawn);
            let stats = self.state.entry(key).or_default();
            stats.assigned += 1;
            stats.exposed += u64::from(assigned.exposed_at.is_some());
            if let (true, Some(newest)) = (assigned.open, ledger.entries.last()) {
                let default = self.default_micro;
                *stats += ArmStats::of_early_change(default, default, newest.reward_micro);
            }
        }
        for entry in &ledger.entries {
            if entry.kind == Some(crate::store::rewards::EntryKind::Closed) {
                let key = state_key(self.experiment, entry.drawn);
                *self.state.entry(key).or_default() += ArmStats::of_reward(entry.reward_micro);
            }
        }
    }

    fn compare(&self, stored: &BTreeMap<StateKey, ArmStats>, differences: &mut Differences) {
        let keys: std::collections::BTreeSet<&StateKey> =
            self.state.keys().chain(stored.keys()).collect();
        let nothing = ArmStats::default();
        for key in keys {
            let ours = self.state.get(key).unwrap_or(&nothing);
            let theirs = stored.get(key).unwrap_or(&nothing);
            if ours != theirs {
                let what = format!(
                    "state of lane {}, arm {}, version {}",
                    key.lane, key.arm, key.version
                );
                differences.add(what, describe(theirs), describe(ours));
            }
        }
    }
}

fn describe(stats: &ArmStats) -> String {
    let ArmStats {
        assigned,
        exposed,
        resolved,
        reward_sum_micro,
        reward_sq_sum_micro,
        early,
        early_sum_micro,
        early_sq_sum_micro,
    } = stats;
    format!(
        "assigned {assigned}, exposed {exposed}, resolved {resolved}, sum {reward_sum_micro}, squares {reward_sq_sum_micro}, \
         early {early}, early sum {early_sum_micro}, early squares {early_sq_sum_micro}"
    )
}

#[cfg(test)]
mod tests;
