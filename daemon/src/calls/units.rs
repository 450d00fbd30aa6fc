//! Units as callers name them, and what they were assigned.

use std::borrow::Cow;
use std::sync::Arc;

use bandit::assign::UnitKey;
use bandit::experiment::Arm;
use serde_json::value::RawValue;

use super::problem::Problem;
use crate::ingest::Assigned;
use crate::world::Live;

/// Longest unit id, in bytes: an e-mail address has at most 254, a URL-shaped id may have more.
const MAX_UNIT_LEN: usize = 512;

/// A unit's id, as the caller calls it; hashed before anything else happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit(String);

impl Unit {
    /// Checks `id`.
    pub(crate) fn new(id: impl Into<String>) -> Result<Self, Problem> {
        let id = id.into();
        if id.is_empty() {
            return Err(Problem::missing_unit());
        }
        if id.len() > MAX_UNIT_LEN {
            return Err(Problem::field(
                "unit",
                format!("`unit` has {} bytes; the most is {MAX_UNIT_LEN}", id.len()),
            ));
        }
        Ok(Self(id))
    }

    /// The id.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A unit with its arm. Lane, version, propensity and assignment are there exactly when the arm is the
/// unit's own recorded draw.
pub(crate) struct Assignment {
    /// Of what.
    pub(crate) live: Arc<Live>,
    /// Of whom.
    pub(crate) unit: UnitKey,
    /// Which, and why.
    pub(crate) assigned: Assigned,
}

impl Assignment {
    /// The experiment's key.
    pub(crate) fn experiment(&self) -> &str {
        self.live.serving.key.as_str()
    }

    /// The arm to serve.
    pub(crate) fn arm(&self) -> &Arm {
        let serving = &self.live.serving;
        serving
            .arm(self.assigned.arm)
            .unwrap_or_else(|| serving.control())
    }

    /// What the arm to serve means to its service, as JSON.
    pub(crate) fn config(&self) -> &RawValue {
        self.live.config(self.arm().id)
    }

    /// The lane of the recorded draw.
    pub(crate) fn lane(&self) -> Option<Cow<'_, str>> {
        let recorded = self.assigned.recorded.as_ref()?;
        Some(self.live.lane_name(recorded.stored.lane))
    }

    /// The policy version of the recorded draw.
    pub(crate) fn version(&self) -> Option<u32> {
        Some(self.assigned.recorded?.stored.version.0)
    }

    /// The probability of the recorded draw.
    pub(crate) fn propensity(&self) -> Option<f64> {
        Some(self.assigned.recorded?.propensity)
    }

    /// The key of the ledger's row: the unit's raw id is not in it.
    pub(crate) fn row(&self) -> Option<String> {
        self.assigned.recorded?;
        Some(format!("{}-{}", self.live.id, self.unit))
    }
}
