//! The campaigns, by name.

mod both_killed;
mod daemon_kills;
mod database_kills;
mod disk_full;
mod failing_syncs;
mod frozen_leader;
mod network;
mod overload;
mod rolling_restart;
mod soak;
mod spool_files;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Finished, Options};

/// One campaign.
#[derive(Debug)]
pub struct Campaign {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Does it.
    pub run: fn(Options) -> BoxFuture<'static, anyhow::Result<Finished>>,
}

/// All of them.
pub const CAMPAIGNS: &[Campaign] = &[
    Campaign {
        name: "k1",
        what: "kill -9 of a random daemon of three, again and again (50 times; full: 1,000)",
        run: |options| daemon_kills::run(options).boxed(),
    },
    Campaign {
        name: "k2",
        what: "PostgreSQL killed for seconds at a time (4 times; full: 100)",
        run: |options| database_kills::run(options).boxed(),
    },
    Campaign {
        name: "k3",
        what: "PostgreSQL and daemons killed together, started again in any order (4 times; full: 50)",
        run: |options| both_killed::run(options).boxed(),
    },
    Campaign {
        name: "k4",
        what: "rolling restart by SIGTERM behind a balancer: no request may fail (2 cycles; full: 50)",
        run: |options| rolling_restart::run(options).boxed(),
    },
    Campaign {
        name: "k5",
        what: "the leader of a role frozen by SIGSTOP (3 times; full: 100, up to 60 s)",
        run: |options| frozen_leader::run(options).boxed(),
    },
    Campaign {
        name: "n1",
        what: "a bad network to the database: cut, half-open, slow, 1 byte/s, answers lost (10 times; full: 200)",
        run: |options| network::run(options).boxed(),
    },
    Campaign {
        name: "d1",
        what: "the spool's disk is full: a tmpfs of 4 MiB, which takes root (2 times; full: 20)",
        run: |options| disk_full::run(options).boxed(),
    },
    Campaign {
        name: "d2",
        what: "fsync fails under the spool, and writes come short, which takes root and fiu-run (2 outages of each; full: 40)",
        run: |options| failing_syncs::run(options).boxed(),
    },
    Campaign {
        name: "d3",
        what: "segments of the spool truncated, flipped, doubled, lost, reordered (64 KiB; full: 1 MiB)",
        run: |options| spool_files::damage(options).boxed(),
    },
    Campaign {
        name: "d4",
        what: "power cuts under the spool on a model disk (500 sequences; full: 10,000)",
        run: |options| spool_files::power_cuts(options).boxed(),
    },
    Campaign {
        name: "l4",
        what: "steady load, and whether anything grows (2 minutes; full: an hour)",
        run: |options| soak::run(options).boxed(),
    },
    Campaign {
        name: "l5",
        what: "five times the events that one daemon takes (5 seconds; full: a minute)",
        run: |options| overload::run(options).boxed(),
    },
];

/// The campaign called `name`.
pub fn find(name: &str) -> Option<&'static Campaign> {
    CAMPAIGNS.iter().find(|campaign| campaign.name == name)
}
