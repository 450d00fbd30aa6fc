//! The alert inbox's own state.

use protocol::alerts::Alert;
use serde::{Deserialize, Serialize};

use super::{Data, LocalMs, Model};

/// What the inbox keeps besides the alerts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AlertsView {
    /// The selected alert's number.
    pub selected: Option<u64>,
    /// First row shown.
    pub offset: usize,
    /// Why they could not be read, if so.
    pub failure: Option<String>,
    /// When they were last asked for.
    pub asked_at_ms: LocalMs,
}

impl AlertsView {
    /// The alerts on screen, the worst open ones first.
    pub fn visible<'a>(&self, data: &'a Data) -> &'a [Alert] {
        data.alerts.as_ref().map_or(&[], |page| &page.alerts)
    }

    /// The selected alert.
    pub fn selected<'a>(&self, model: &'a Model) -> Option<&'a Alert> {
        let alerts = self.visible(model.shown());
        let chosen = alerts
            .iter()
            .find(|alert| Some(alert.number) == self.selected);
        chosen.or(alerts.first())
    }
}
