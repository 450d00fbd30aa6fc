//! Campaigns: real daemons on a real database under load, harmed on purpose, and judged by an oracle that knows
//! what was promised (RELIABILITY section 9).
//!
//! Read `issued` (what services do), `oracle` and `journal` (what was promised), `judge` (whether it was
//! kept), `driver` (the load), `fleet`, `database` and `proxy` (what can be harmed), then any of `runs`.

pub mod client;
pub mod database;
pub mod disk;
pub mod driver;
pub mod fleet;
pub mod flood;
pub mod issued;
pub mod journal;
pub mod judge;
pub mod ledger;
pub mod operator;
pub mod oracle;
pub mod proxy;
pub mod report;
pub mod runs;
pub mod site;
pub mod tally;
pub mod vitals;

use std::io::Write;
use std::time::Duration;

use daemon::clock::Stopwatch;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;

use driver::Driver;
use operator::Operator;
use report::Report;
use site::Site;
use tally::{Asked, Tally, Went};

/// How it is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Of everything that is random.
    pub seed: u64,
    /// The big column, or the small one of every change.
    pub full: bool,
}

impl Options {
    /// The figure of the column.
    pub fn size<T>(self, small: T, full: T) -> T {
        if self.full { full } else { small }
    }
}

/// A campaign that is over.
pub struct Finished {
    /// Its report.
    pub report: Report,
    /// What it played with, if that is more than this process.
    pub site: Option<Site>,
}

/// What every campaign has.
pub struct Frame {
    /// What it plays with.
    pub site: Site,
    /// Its chances.
    pub rng: StdRng,
    /// Its report.
    pub report: Report,
    /// The share of assigns that must have been answered with an arm.
    pub needs_available: Option<f64>,
    /// Whether no request may have failed.
    pub needs_no_failure: bool,
    /// The longest that any answered request may have taken.
    pub needs_answers_within: Option<Duration>,
    started: Stopwatch,
}

impl Frame {
    /// A site of `daemons` daemons, and an empty report.
    pub async fn open(options: Options, daemons: usize) -> anyhow::Result<Self> {
        Ok(Self::around(
            options,
            Site::open(options.seed, daemons).await?,
        ))
    }

    /// The same, and every daemon has `arguments` as well.
    pub async fn open_with(
        options: Options,
        daemons: usize,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let mut frame = Self::open(options, daemons).await?;
        for daemon in &mut frame.site.fleet.daemons {
            daemon.arguments = arguments.iter().map(ToString::to_string).collect();
            daemon.terminate().await?;
        }
        frame.site.fleet.start().await?;
        Ok(frame)
    }

    /// An empty report around a site.
    pub fn around(options: Options, site: Site) -> Self {
        Self {
            site,
            rng: StdRng::seed_from_u64(options.seed),
            report: Report::default(),
            needs_available: None,
            needs_no_failure: false,
            needs_answers_within: None,
            started: Stopwatch::start(),
        }
    }

    /// The end of all faults: everything runs again, and a fresh visit works soon.
    pub async fn heal(&mut self) -> anyhow::Result<()> {
        self.site.heal().await?;
        let recovered = self.site.recovery().await;
        self.report
            .must("recovers when the database is back", recovered.is_some());
        Ok(())
    }

    /// Says how far it is, now and then.
    pub fn progress(&self, done: u64, of: u64) {
        if done.is_multiple_of((of / 20).max(1)) {
            let seconds = self.started.elapsed().as_secs();
            say(&format!("{done} of {of} after {seconds} s"));
        }
    }

    /// Ends the faults, lets the load run on until a fresh visit works, ends the load, judges.
    pub async fn finish(
        mut self,
        driver: Driver,
        operator: Option<Operator>,
    ) -> anyhow::Result<Finished> {
        self.site.heal().await?;
        let recovered = self.site.recovery().await;
        self.report.must(
            "I7 a fresh visit works at every daemon within 10 s after the faults",
            recovered.is_some(),
        );
        let seconds = recovered.map(|recovered| recovered.as_secs_f64());
        self.report.figure("recovery_seconds", seconds);
        if let Some(operator) = operator {
            self.report
                .figure("changes_asked_for", operator.stop().await);
        }
        let tally = driver.stop().await;
        self.conclude(tally).await
    }

    /// Looks at what the load has counted, and judges.
    pub async fn conclude(mut self, mut tally: Tally) -> anyhow::Result<Finished> {
        if let Some(share) = self.needs_available {
            let answered = tally.assigns_answered() >= share;
            self.report.must("assigns are answered in 99.9 %", answered);
        }
        if self.needs_no_failure {
            self.report.must("no request failed", tally.failed() == 0);
        }
        if let Some(limit) = self.needs_answers_within {
            self.report
                .must("no request was stuck", tally.slowest() <= limit);
        }
        let wrong = tally.count(None, &[Went::Wrong, Went::RefusedBadly]);
        self.report.must("every answer makes sense", wrong == 0);
        self.report
            .figure("assigns", tally.all(Some(Asked::Assign)));
        self.report.figure("traffic", tally.json());
        self.judge().await
    }

    /// Waits until what was acknowledged had time to be folded, and judges.
    async fn judge(mut self) -> anyhow::Result<Finished> {
        say("judging");
        self.site.settle().await?;
        let verdict = self.site.judge().await?;
        self.report.must(
            "I3 every sum of the state is what the ledgers give",
            verdict.state_is_as_the_ledgers_say(),
        );
        self.report
            .must("I6 the audit chain is whole", verdict.audit_is_whole());
        self.report.figure("verified", verdict.verified.clone());
        self.report.judged(verdict.judgement);
        Ok(Finished {
            report: self.report,
            site: Some(self.site),
        })
    }
}

/// Runs one campaign: its report, and whether everything holds. What did not hold can be looked at: its
/// directory is kept.
pub async fn run(campaign: &runs::Campaign, options: Options) -> anyhow::Result<(Value, bool)> {
    let started = Stopwatch::start();
    let Finished { report, site } = (campaign.run)(options).await?;
    let seconds = started.elapsed().as_secs_f64();
    let json = report.json(campaign.name, options.seed, options.full, seconds);
    let holds = report.holds();
    if let (false, Some(site)) = (holds, site) {
        say(&format!("kept: {}", site.keep().display()));
    }
    Ok((json, holds))
}

/// A line of progress, on standard error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
