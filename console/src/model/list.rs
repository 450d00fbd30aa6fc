//! The list's own state: selection by key, filter, sort.

use std::cmp::Ordering;

use protocol::experiments::Row;
use serde::{Deserialize, Serialize};

use super::filter::{Filter, FilterError};
use super::{Data, reading};

/// What the list keeps besides the data.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ListView {
    /// The selected experiment's key.
    pub selected: Option<String>,
    /// First row shown.
    pub offset: usize,
    /// The filter's text.
    pub filter: String,
    /// What is sorted by.
    pub sort: Sort,
    /// The other way round.
    pub inverted: bool,
}

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// By key.
    #[default]
    Name,
    /// What needs attention first.
    State,
    /// Busiest first.
    Decisions,
    /// Surest leader first.
    PBest,
    /// Worst guardrail first.
    Guard,
}

impl Sort {
    /// Every order, as `s` goes through them.
    pub const ALL: [Self; 5] = [
        Self::Name,
        Self::State,
        Self::Decisions,
        Self::PBest,
        Self::Guard,
    ];

    /// The word after `:sort`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Decisions => "decisions",
            Self::PBest => "p",
            Self::Guard => "guard",
        }
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    fn compare(self, a: &Row, b: &Row) -> Ordering {
        let p = |row: &Row| reading::leader(row).map_or(-1.0, |leader| leader.arm.p_best);
        match self {
            Self::Name => Ordering::Equal,
            Self::State => urgency(&a.state).cmp(&urgency(&b.state)),
            Self::Decisions => b.decisions_per_sec.total_cmp(&a.decisions_per_sec),
            Self::PBest => p(b).total_cmp(&p(a)),
            Self::Guard => reading::guard(b).cmp(&reading::guard(a)),
        }
    }
}

fn urgency(state: &str) -> usize {
    ["rolled_back", "paused", "running", "draft", "stopped"]
        .iter()
        .position(|known| *known == state)
        .unwrap_or(9)
}

impl ListView {
    /// Why the filter's text is not understood, if so.
    pub fn filter_error(&self) -> Option<FilterError> {
        Filter::parse(&self.filter).1
    }

    /// The rows on screen, in order. A part of the filter that is not understood hides nothing.
    pub fn visible<'a>(&self, data: &'a Data) -> Vec<&'a Row> {
        let (filter, _) = Filter::parse(&self.filter);
        let mut rows: Vec<&Row> = data.rows.values().filter(|row| filter.shows(row)).collect();
        rows.sort_by(|a, b| {
            let order = self.sort.compare(a, b).then_with(|| a.key.cmp(&b.key));
            if self.inverted {
                order.reverse()
            } else {
                order
            }
        });
        rows
    }

    /// The place of the selection among the visible rows.
    pub fn position(&self, data: &Data) -> Option<usize> {
        let selected = self.selected.as_deref()?;
        self.visible(data)
            .iter()
            .position(|row| row.key == selected)
    }
}
