//! How long to wait before the next attempt: doubling, capped, with jitter.

use std::time::Duration;

use rand::RngExt as _;

/// 500 ms first: a daemon that restarts is back by then.
const FIRST_MS: u64 = 500;

/// 15 s at most: an operator who waits for a daemon looks at the screen about as often.
const CAP_MS: u64 = 15_000;

/// 60 s after a version that does not fit: only an upgrade mends that.
const VERSION_MS: u64 = 60_000;

/// The state of the attempts.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failed: u32,
}

impl Backoff {
    /// The number of the attempt that begins now, from 1.
    pub(super) fn attempt(&self) -> u32 {
        self.failed + 1
    }

    /// Attempts that failed since it last worked.
    pub(super) fn failed(&self) -> u32 {
        self.failed
    }

    /// It works.
    pub(super) fn worked(&mut self) {
        self.failed = 0;
    }

    /// It failed: how long to wait.
    #[expect(
        clippy::disallowed_methods,
        reason = "jitter is there to differ from run to run"
    )]
    pub(super) fn next(&mut self, version: bool) -> Duration {
        let doublings = self.failed.min(10);
        self.failed = self.failed.saturating_add(1);
        let most = if version {
            VERSION_MS
        } else {
            (FIRST_MS << doublings).min(CAP_MS)
        };
        // Half of it by chance: fifty consoles must not come back in one instant.
        let jitter = rand::rng().random_range(0..=most / 2);
        Duration::from_millis(most - jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_start_again_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..20).map(|_| backoff.next(false)).collect();
        assert!(waits[0] <= Duration::from_millis(FIRST_MS));
        assert!(
            waits
                .iter()
                .all(|wait| *wait <= Duration::from_millis(CAP_MS))
        );
        assert!(waits[19] >= Duration::from_millis(CAP_MS / 2));
        backoff.worked();
        assert_eq!(backoff.attempt(), 1);
        assert!(backoff.next(false) <= Duration::from_millis(FIRST_MS));
    }
}
