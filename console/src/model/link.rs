//! The state of the link to the daemon, in words an operator can act on.

use chrono::{DateTime, Utc};
use protocol::control::Welcome;
use protocol::experiments::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::LocalMs;

/// 20 s: an empty watch answer comes every 15 s, so silence for longer means that something is wrong.
pub const STALE_AFTER_MS: u64 = 20_000;

/// The link.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Link {
    /// What it is doing.
    pub state: LinkState,
    /// The daemon's words at hello.
    pub welcome: Option<Welcome>,
    /// When the daemon was last heard, by the local clock.
    pub heard_at_ms: Option<LocalMs>,
    /// The daemon's clock at that time.
    pub daemon_now: Option<DateTime<Utc>>,
    /// When the daemon was last heard before the link was lost.
    pub lost_since_ms: Option<LocalMs>,
    /// Pages of a snapshot that is not complete yet.
    pub incoming: BTreeMap<String, Row>,
    /// Whether there ever was a complete snapshot.
    pub loaded: bool,
    /// Updates that the daemon merged before it sent them.
    pub coalesced: u64,
}

/// What the link is doing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum LinkState {
    /// Nothing yet.
    #[default]
    Starting,
    /// Connecting, for the n-th time since it last worked.
    Connecting {
        /// From 1.
        attempt: u32,
    },
    /// Connected, the snapshot is coming.
    Loading,
    /// Watching.
    Live,
    /// Waiting for the next attempt.
    Waiting {
        /// Attempts that failed.
        attempt: u32,
        /// When the next begins.
        retry_at_ms: LocalMs,
        /// Why the last one failed.
        failure: Failure,
    },
}

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// One sentence.
    pub sentence: String,
    /// What to do, line by line.
    pub advice: Vec<String>,
}

/// How fresh the data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// There is none yet.
    Nothing,
    /// Heard of lately.
    Live,
    /// Connected, but silent for too long.
    Stale,
    /// Not connected: the last known state.
    Old,
}

impl Link {
    /// Whether calls can be made.
    pub fn is_up(&self) -> bool {
        matches!(self.state, LinkState::Live | LinkState::Loading)
    }

    /// Milliseconds since the daemon was heard.
    pub fn age_ms(&self, now_ms: LocalMs) -> Option<u64> {
        self.heard_at_ms.map(|heard| now_ms.saturating_sub(heard))
    }

    /// How fresh the data is.
    pub fn freshness(&self, now_ms: LocalMs) -> Freshness {
        match (self.loaded, self.is_up(), self.age_ms(now_ms)) {
            (false, ..) | (_, _, None) => Freshness::Nothing,
            (_, false, _) => Freshness::Old,
            (_, true, Some(age)) if age > STALE_AFTER_MS => Freshness::Stale,
            (_, true, Some(_)) => Freshness::Live,
        }
    }

    /// The environment's name.
    pub fn environment(&self) -> Option<&str> {
        self.welcome
            .as_ref()
            .map(|welcome| welcome.environment.as_str())
    }

    /// Whether mistakes hurt here.
    pub fn production(&self) -> bool {
        self.welcome
            .as_ref()
            .is_some_and(|welcome| welcome.production)
    }
}
