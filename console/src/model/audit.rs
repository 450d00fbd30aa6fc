//! The audit screen's own state.

use protocol::control::AuditEntry;
use serde::{Deserialize, Serialize};

use super::{Data, Model};

/// What the audit screen keeps besides the rows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AuditView {
    /// Only of this experiment.
    pub key: Option<String>,
    /// Only rows that hold this text.
    pub filter: String,
    /// The selected row's sequence number.
    pub selected: Option<u64>,
    /// First row shown.
    pub offset: usize,
    /// Why it could not be read, if so.
    pub failure: Option<String>,
}

impl AuditView {
    /// The rows on screen, newest first.
    pub fn visible<'a>(&self, data: &'a Data) -> Vec<&'a AuditEntry> {
        let wanted = self.filter.to_lowercase();
        let holds = |entry: &AuditEntry| {
            [
                &entry.actor,
                &entry.via,
                &entry.action,
                &entry.target,
                &entry.result,
                &entry.reason,
            ]
            .iter()
            .any(|text| text.to_lowercase().contains(&wanted))
        };
        let entries = data.audit.iter().flat_map(|page| &page.entries);
        entries.filter(|entry| holds(entry)).collect()
    }

    /// The selected row.
    pub fn selected<'a>(&self, model: &'a Model) -> Option<&'a AuditEntry> {
        let rows = self.visible(model.shown());
        rows.iter()
            .find(|entry| Some(entry.seq) == self.selected)
            .or(rows.first())
            .copied()
    }
}
