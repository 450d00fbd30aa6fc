//! What verification found, for people and for programs.

use std::fmt;

use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::store::StoreError;
use crate::store::audit::ChainCheck;
use crate::store::verification::UnitLedger;

/// Differences that are told apart per experiment; the others are counted. One fault often shows in every unit.
pub(super) const MOST_TOLD: usize = 50;

/// The whole report.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Every started experiment.
    pub experiments: Vec<ExperimentReport>,
    /// Rows of the audit chain.
    pub audit_rows: u64,
    /// The audit chain's newest hash, to be compared with the one kept outside the database.
    pub audit_head: String,
    /// What is wrong with the audit chain.
    pub audit_fault: Option<String>,
}

/// One experiment's part.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ExperimentReport {
    /// Its key.
    pub key: String,
    /// Assignments drawn again.
    pub assignments: u64,
    /// Of these, exposed ones.
    pub exposures: u64,
    /// Events of the ledger.
    pub events: u64,
    /// Entries of the rewards ledger.
    pub rewards: u64,
    /// Policy versions computed again.
    pub versions: u64,
    /// Rows of the state.
    pub state_rows: u64,
    /// Assignments that the fold has yet to count into the state.
    pub uncounted: u64,
    /// Events that retention dropped.
    pub dropped: i64,
    /// The events ledger has what was received from here on; absent: everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_since: Option<DateTime<Utc>>,
    /// How much differs.
    pub differences: u64,
    /// What differs, the first few.
    pub told: Vec<Difference>,
}

/// One thing that is not as the ledgers say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What.
    pub what: String,
    /// As stored.
    pub stored: String,
    /// As computed.
    pub computed: String,
}

/// The differences of one experiment, as they are found.
#[derive(Debug, Default)]
pub(super) struct Differences {
    count: u64,
    told: Vec<Difference>,
}

impl Differences {
    pub(super) fn add(
        &mut self,
        what: impl Into<String>,
        stored: impl Into<String>,
        computed: impl Into<String>,
    ) {
        self.count += 1;
        if self.told.len() < MOST_TOLD {
            self.told.push(Difference {
                what: what.into(),
                stored: stored.into(),
                computed: computed.into(),
            });
        }
    }
}

impl ExperimentReport {
    pub(super) fn new(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn unreadable(id: ExperimentId, error: &StoreError) -> Self {
        let mut differences = Differences::default();
        let source = std::error::Error::source(error).map(ToString::to_string);
        differences.add(error.to_string(), source.unwrap_or_default(), "");
        let mut report = Self::new(&format!("experiment {id}"));
        report.close(differences);
        report
    }

    pub(super) fn add(&mut self, ledger: &UnitLedger) {
        self.assignments += u64::from(ledger.assigned.is_some());
        let exposed = ledger.assigned.is_some_and(|of| of.exposed_at.is_some());
        self.exposures += u64::from(exposed);
        self.events += ledger.events.len() as u64;
        self.rewards += ledger.entries.len() as u64;
    }

    pub(super) fn close(&mut self, differences: Differences) {
        self.differences = differences.count;
        self.told = differences.told;
    }
}

impl Report {
    /// Whether nothing differs.
    pub fn is_clean(&self) -> bool {
        self.audit_fault.is_none() && self.experiments.iter().all(|one| one.differences == 0)
    }

    pub(super) fn audit(&mut self, check: &ChainCheck) {
        self.audit_rows = check.rows;
        self.audit_head = check.head.hex();
        self.audit_fault = check.fault.as_ref().map(ToString::to_string);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.experiments {
            writeln!(f, "{one}")?;
        }
        match &self.audit_fault {
            Some(fault) => writeln!(f, "audit chain: {fault}")?,
            None => writeln!(
                f,
                "audit chain: {} rows, head {}",
                self.audit_rows, self.audit_head
            )?,
        }
        let differences: u64 = self.experiments.iter().map(|one| one.differences).sum();
        if self.is_clean() {
            return write!(f, "ok: everything is as the ledgers say");
        }
        write!(f, "NOT OK: {differences} differences")
    }
}

impl fmt::Display for ExperimentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.differences == 0 {
            "ok"
        } else {
            "DIFFERS"
        };
        write!(
            f,
            "{}: {verdict}: {} assignments ({} exposed, {} to be counted), {} events, {} rewards, {} versions, {} state rows",
            self.key,
            self.assignments,
            self.exposures,
            self.uncounted,
            self.events,
            self.rewards,
            self.versions,
            self.state_rows
        )?;
        if let Some(since) = self.kept_since {
            write!(
                f,
                "; {} events were dropped by retention, ledger kept since {}",
                self.dropped,
                since.format("%F")
            )?;
        }
        for difference in &self.told {
            write!(f, "\n    {difference}")?;
        }
        let untold = self.differences - self.told.len() as u64;
        if untold > 0 {
            write!(f, "\n    and {untold} more")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            stored,
            computed,
        } = self;
        write!(f, "{what}: stored {stored}; the ledgers give {computed}")
    }
}
