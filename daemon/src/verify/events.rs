//! The events ledger as a whole: its counts, and the events that no outcome is made of.

use std::collections::BTreeMap;

use bandit::experiment::ExperimentId;
use bandit::reward::{self, EventVerdict, UnitEvent};
use bandit::spec::model::RewardSpec;
use chrono::DateTime;
use sqlx::PgConnection;

use super::Pace;
use super::progress::{Step, Watch};
use super::report::{Differences, MOST_TOLD};
use crate::store::StoreError;
use crate::store::events::Standing;
use crate::store::sweep::{self, Kind, RewardNames, Stretch, Swept};
use crate::store::verification::Subject;
use crate::workers::fold::reward_events;

/// What the ledger holds, by experiment.
#[derive(Debug, Default)]
pub(super) struct Events(BTreeMap<ExperimentId, Held>);

#[derive(Debug, Default)]
struct Held {
    counts: BTreeMap<Kind, i64>,
    unexposed: i64,
    /// Names and values that should have been judged; more than can be told are not kept.
    misplaced: Vec<(String, Option<f64>)>,
}

impl Events {
    /// Reads the ledger once, for all `subjects`.
    pub(super) async fn sweep(
        view: &mut PgConnection,
        subjects: &BTreeMap<ExperimentId, &Subject>,
        pace: Pace,
        watch: Watch<'_>,
    ) -> Result<Self, StoreError> {
        let mut names = RewardNames::default();
        for (id, subject) in subjects {
            for name in reward_events(&subject.spec.reward) {
                names.push(*id, name);
            }
        }
        let parts = sweep::parts(view).await?;
        let of = parts.iter().map(|part| part.blocks).sum();
        let mut events = Self::default();
        let mut blocks = 0;
        for part in &parts {
            let mut from = 0;
            while from < part.blocks {
                let until = (from + pace.blocks).min(part.blocks);
                let stretch = Stretch { part, from, until };
                events.add(sweep::stretch(view, stretch, &names).await?, subjects);
                blocks += until - from;
                from = until;
                watch(Step::Events { blocks, of });
            }
        }
        Ok(events)
    }

    fn add(&mut self, swept: Swept, subjects: &BTreeMap<ExperimentId, &Subject>) {
        for (id, kind, count) in swept.counts {
            *self.of(id).counts.entry(kind).or_default() += count;
        }
        for (id, count) in swept.unexposed {
            self.of(id).unexposed += count;
        }
        for (id, event, value) in swept.named {
            let misplaced = subjects
                .get(&id)
                .is_some_and(|subject| is_part(&subject.spec.reward, &event, value));
            let told = &mut self.of(id).misplaced;
            let named = (event, value);
            if misplaced && told.len() < MOST_TOLD && !told.contains(&named) {
                told.push(named);
            }
        }
    }

    fn of(&mut self, id: ExperimentId) -> &mut Held {
        self.0.entry(id).or_default()
    }

    /// Checks those of one experiment; returns how many are no part of the reward.
    pub(super) async fn check(
        &self,
        view: &mut PgConnection,
        subject: &Subject,
        differences: &mut Differences,
    ) -> Result<u64, StoreError> {
        let nothing = Held::default();
        let held = self.0.get(&subject.id).unwrap_or(&nothing);
        if held.unexposed > 0 {
            differences.add(
                "events that are no part of the reward",
                format!("{} of units that have not met an arm", held.unexposed),
                "none: those wait for the exposure",
            );
        }
        for (event, value) in &held.misplaced {
            differences.add(
                format!("standing of events `{event}` with value {value:?}"),
                "no part of the reward",
                "judged for their units' outcomes",
            );
        }
        let kept: BTreeMap<Kind, i64> = sweep::kept(view, subject.id).await?.into_iter().collect();
        compare(&kept, &held.counts, differences);
        let others = held
            .counts
            .iter()
            .filter(|(kind, _)| kind.standing == Standing::NotReward.code());
        Ok(others.map(|(_, count)| count.cast_unsigned()).sum())
    }
}

fn compare(kept: &BTreeMap<Kind, i64>, held: &BTreeMap<Kind, i64>, differences: &mut Differences) {
    let kinds: std::collections::BTreeSet<&Kind> = kept.keys().chain(held.keys()).collect();
    for kind in kinds {
        let count = |counts: &BTreeMap<Kind, i64>| counts.get(kind).copied().unwrap_or(0);
        let (kept, held) = (count(kept), count(held));
        if kept != held {
            let Kind { event, standing } = kind;
            differences.add(
                format!("count of events `{event}` with standing {standing}"),
                kept.to_string(),
                held.to_string(),
            );
        }
    }
}

fn is_part(spec: &RewardSpec, event: &str, value: Option<f64>) -> bool {
    let at = DateTime::UNIX_EPOCH;
    let event = UnitEvent {
        event,
        value,
        at,
        event_id: 0,
    };
    reward::outcome(spec, at, &[event]).verdicts != [EventVerdict::NotReward]
}
