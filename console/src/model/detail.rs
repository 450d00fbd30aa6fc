//! The detail screen's own state.

use serde::{Deserialize, Serialize};

use super::LocalMs;

/// What the detail screen keeps besides the data.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DetailView {
    /// The experiment's key.
    pub key: Option<String>,
    /// Which part is shown.
    pub pane: Pane,
    /// How the posterior is drawn.
    pub table: bool,
    /// The lane that is shown, where an operator chose one; else the row's.
    #[serde(default)]
    pub lane: Option<String>,
    /// First line shown of a part that is longer than the screen.
    pub scroll: usize,
    /// When the detail was last asked for.
    pub asked_at_ms: LocalMs,
    /// Why it could not be read, if so.
    pub failure: Option<String>,
}

/// The parts of the detail screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pane {
    /// All that fit; on a small screen the posterior.
    #[default]
    All,
    /// The posterior.
    Posterior,
    /// The allocation over time.
    Allocation,
    /// The guardrails.
    Guardrails,
    /// What is recommended, and why.
    Decision,
    /// What happened.
    Events,
    /// The spec as a file.
    File,
}

impl Pane {
    /// Every part, as tab goes through them.
    pub const ALL: [Self; 7] = [
        Self::All,
        Self::Posterior,
        Self::Allocation,
        Self::Guardrails,
        Self::Decision,
        Self::Events,
        Self::File,
    ];

    /// The word on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Posterior => "posterior",
            Self::Allocation => "allocation",
            Self::Guardrails => "guardrails",
            Self::Decision => "decision",
            Self::Events => "events",
            Self::File => "file",
        }
    }

    /// The parts on a screen of this size: a small one shows one at a time.
    pub fn on(size: (u16, u16)) -> &'static [Self] {
        if size.0 < 72 || size.1 < 20 {
            return &Self::ALL[1..];
        }
        &Self::ALL
    }

    /// What is shown at this size.
    #[must_use]
    pub fn shown(self, size: (u16, u16)) -> Self {
        let panes = Self::on(size);
        if panes.contains(&self) {
            self
        } else {
            panes[0]
        }
    }

    /// The next part at this size.
    #[must_use]
    pub fn next(self, size: (u16, u16)) -> Self {
        let panes = Self::on(size);
        let shown = self.shown(size);
        let at = panes.iter().position(|pane| *pane == shown).unwrap_or(0);
        panes[(at + 1) % panes.len()]
    }
}
