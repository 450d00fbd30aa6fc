//! What a round knows from the rounds before it, to look at less than everything.

use chrono::{DateTime, Utc};

use super::openings::Openings;
use crate::store::front::Front;

/// What a round knows; without it a round does the same and takes longer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// When windows began.
    pub(super) openings: Openings,
    /// Where the assignment counts begin.
    pub(super) counts: Front,
    /// Where the landing table begins.
    pub(super) landing: Front,
}

impl Known {
    /// This daemon begins to lead: another one may have led since.
    pub fn doubt(&mut self) {
        let Self {
            openings,
            counts,
            landing,
        } = self;
        *openings = Openings::default();
        counts.doubt();
        landing.doubt();
    }

    /// The round that was to go on from here has failed by `now`.
    pub fn failed(&mut self, now: DateTime<Utc>) {
        self.counts.failed(now);
        self.landing.failed(now);
    }
}
