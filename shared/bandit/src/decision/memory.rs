//! What a look has to know of the looks before it.

use serde::{Deserialize, Serialize};

use super::{Check, Choice, Evidence, Rules};
use crate::experiment::{ArmId, Millis};

/// The memory after a look; the default before the first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// What was recommended.
    pub choice: Choice,
    /// The name of the check that spoke for it first; `None` in memories of before it was kept.
    #[serde(default)]
    pub finding: Option<String>,
    /// The time since the start at which that was first recommended.
    pub since: Millis,
    /// Whole cycles whose end has been looked at: each end is one chance to be wrong, not one an hour.
    pub cycles: u64,
    /// The day, in days of the rules, that was counted last.
    pub day: u64,
    /// On how many days in a row an arm has looked worse than control.
    pub against: Vec<(ArmId, u32)>,
}

impl Memory {
    /// Whether `choice` was recommended for this finding: only then is less enough for the finding to stay. An end for
    /// another reason lends it nothing.
    pub(super) fn stands(&self, choice: Choice, finding: &str) -> bool {
        let found = self.finding.as_deref();
        self.choice == choice && found.is_none_or(|found| found == finding)
    }

    /// Days in a row on which `arm` has looked worse than control.
    pub(super) fn days_against(&self, arm: ArmId) -> u32 {
        let found = self.against.iter().find(|(id, _)| *id == arm);
        found.map_or(0, |(_, days)| *days)
    }

    /// The memory after a look that ended with `choice`, for these reasons.
    pub(super) fn after(
        &self,
        rules: &Rules,
        evidence: &Evidence,
        (choice, reasons): (Choice, &[Check]),
    ) -> Self {
        let since = if choice == self.choice {
            self.since
        } else {
            evidence.running_for
        };
        Self {
            choice,
            finding: reasons.first().map(|reason| reason.name.clone()),
            since,
            cycles: rules.cycles(evidence.matured_for),
            day: rules.days(evidence.matured_for),
            against: self.counted(rules, evidence),
        }
    }

    /// The days in a row as of this look. A second look on a day adds none, but an arm that has recovered starts anew.
    pub(super) fn counted(&self, rules: &Rules, evidence: &Evidence) -> Vec<(ArmId, u32)> {
        let fresh = u32::from(rules.days(evidence.matured_for) > self.day);
        evidence
            .treatments()
            .filter(|(_, versus)| 1.0 - versus.p_better > rules.p_harm_daily)
            .map(|(arm, _)| {
                let before = self.days_against(arm.arm);
                // the first look on which it is seen counts, whichever of the day it is
                (arm.arm, if before == 0 { 1 } else { before + fresh })
            })
            .collect()
    }
}
