//! What is wrong with the platform itself: a worker that fails, a database that was away, a spool that fills. Every
//! daemon looks at its own.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::ingest::Standing;
use crate::store::alerts::{self, Report, Severity};
use crate::store::{Store, StoreError, TxFuture, fold};
use crate::workers::Reports;
use crate::workers::runner::{LastRun, Outcome};

/// 10 s: what has to last for a minute is not worth a closer look.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// 1 min: a restart, a failover or a lost connection is over by then, and nobody has to know.
const LASTS: TimeDelta = TimeDelta::minutes(1);

/// What a daemon watches of itself.
#[derive(Debug)]
pub struct Platform {
    /// The database.
    pub store: Store,
    /// For how long something lasts.
    pub clock: Clock,
    /// How the workers' newest runs went.
    pub reports: Reports,
    /// How the data path stands.
    pub standing: Standing,
    /// How much the spool may hold, in bytes.
    pub spool_limit: u64,
    /// Which daemon this is, of several.
    pub place: String,
}

/// What was seen in one look.
#[derive(Debug, Clone, Default)]
struct Seen {
    workers: Vec<(&'static str, LastRun)>,
    away_since: Option<DateTime<Utc>>,
    spool_bytes: u64,
}

/// One thing that may be wrong.
#[derive(Debug, Default)]
struct Condition {
    bad_since: Option<DateTime<Utc>>,
    /// What was written last; `None`: not known, another daemon may have written.
    said_bad: Option<bool>,
}

/// What a look at one thing showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Bad,
    Good,
    /// It is somebody else's to judge.
    NotOurs,
}

/// What is to be written of it.
#[derive(Debug, Clone, PartialEq)]
enum Say {
    Bad {
        identity: String,
        severity: Severity,
        summary: String,
        detail: serde_json::Value,
    },
    Over {
        identity: String,
    },
}

impl Condition {
    /// Says since when it is bad once that has lasted for `lasts`, or that it is over if that was not said yet.
    fn judge(
        &mut self,
        look: Look,
        lasts: TimeDelta,
        now: DateTime<Utc>,
    ) -> Option<Result<DateTime<Utc>, ()>> {
        match look {
            Look::Bad => {
                let since = *self.bad_since.get_or_insert(now);
                (now - since >= lasts).then_some(Ok(since))
            }
            Look::Good => {
                self.bad_since = None;
                (self.said_bad != Some(false)).then_some(Err(()))
            }
            Look::NotOurs => {
                *self = Self::default();
                None
            }
        }
    }
}

/// What is remembered from look to look.
#[derive(Debug, Default)]
struct Watch {
    conditions: BTreeMap<String, Condition>,
    /// Since when the database is away, until that it was has been written.
    away: Option<DateTime<Utc>>,
    /// When it came back, or this daemon began to look, until it has been written that this is over.
    back_at: Option<DateTime<Utc>>,
    /// Whether this is not the first look.
    looked: bool,
}

impl Watch {
    /// What is to be written, as of `now`.
    fn judge(&mut self, seen: &Seen, platform: &str, limit: u64, now: DateTime<Utc>) -> Vec<Say> {
        let away = seen.away_since.is_some();
        let mut say: Vec<Say> = seen
            .workers
            .iter()
            .filter_map(|(role, run)| self.worker(role, run, away, now))
            .collect();
        say.extend(self.spool(seen.spool_bytes, limit, platform, now));
        say.extend(self.database(seen.away_since, now));
        say
    }

    /// While the database is away no worker can be well, and that is told of the database.
    fn worker(&mut self, role: &str, run: &LastRun, away: bool, now: DateTime<Utc>) -> Option<Say> {
        let identity = format!("platform/worker/{role}");
        let look = match run.outcome {
            _ if away => Look::NotOurs,
            Outcome::Failed(_) => Look::Bad,
            Outcome::Done(_) => Look::Good,
            Outcome::NotYet | Outcome::Standby => Look::NotOurs,
        };
        let condition = self.conditions.entry(identity.clone()).or_default();
        Some(match condition.judge(look, LASTS, now)? {
            Ok(since) => Say::Bad {
                identity,
                severity: Severity::Critical,
                summary: format!("the worker {role} fails: {}", run.detail()),
                detail: json!({ "worker": role, "since": since }),
            },
            Err(()) => Say::Over { identity },
        })
    }

    fn spool(&mut self, bytes: u64, limit: u64, place: &str, now: DateTime<Utc>) -> Option<Say> {
        let identity = format!("platform/spool/{place}");
        let look = if bytes > limit / 2 {
            Look::Bad
        } else {
            Look::Good
        };
        let condition = self.conditions.entry(identity.clone()).or_default();
        Some(match condition.judge(look, TimeDelta::zero(), now)? {
            Ok(_) => Say::Bad {
                identity,
                severity: Severity::Critical,
                summary: format!(
                    "the spool of {place} is {} % full: when it is full, tracks are refused",
                    bytes * 100 / limit.max(1)
                ),
                detail: json!({ "bytes": bytes, "limit": limit }),
            },
            Err(()) => Say::Over { identity },
        })
    }

    /// While it is away nothing can be written: it is told when it is back, and over a minute later, by when every
    /// daemon has seen it.
    fn database(&mut self, away: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Say> {
        let identity = "platform/database".to_owned();
        if away.is_some() {
            self.away = away;
            return None;
        }
        if !std::mem::replace(&mut self.looked, true) {
            // What another run of this daemon told may not be over yet.
            self.back_at = Some(now);
        }
        if let Some(since) = self.away.filter(|since| now - *since >= LASTS) {
            self.back_at = Some(now);
            return Some(Say::Bad {
                identity,
                severity: Severity::Critical,
                summary: format!(
                    "the database was away for {} s, since {}",
                    (now - since).num_seconds(),
                    since.format("%Y-%m-%d %H:%M:%S UTC")
                ),
                detail: json!({ "since": since, "seconds": (now - since).num_seconds() }),
            });
        }
        self.away = None;
        let over = self.back_at.is_some_and(|back| now - back >= LASTS);
        over.then_some(Say::Over { identity })
    }

    /// What was written is known; what was not is written the next time.
    fn said(&mut self, say: &[Say]) {
        for say in say {
            let (identity, bad) = match say {
                Say::Bad { identity, .. } => (identity, true),
                Say::Over { identity } => (identity, false),
            };
            if let Some(condition) = self.conditions.get_mut(identity) {
                condition.said_bad = Some(bad);
            } else if bad {
                self.away = None;
            } else {
                self.back_at = None;
            }
        }
    }
}

impl Platform {
    /// Looks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watch = Watch::default();
        loop {
            // Both are cancel-safe.
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // A look that is dropped writes nothing, and this daemon looks no more.
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look(&mut watch) => {}
            }
        }
    }

    async fn look(&self, watch: &mut Watch) {
        let seen = Seen {
            workers: self.reports.newest(),
            away_since: self.standing.away_since(),
            spool_bytes: self.standing.spool().bytes,
        };
        let say = watch.judge(&seen, &self.place, self.spool_limit, self.clock.now());
        if seen.away_since.is_some() {
            return;
        }
        if let Err(error) = write(&self.store, &say).await {
            tracing::debug!(%error, "alerts of the platform not written");
            return;
        }
        watch.said(&say);
        if let Ok(counts) = alerts::counts(&self.store).await {
            for (severity, count) in [("critical", counts.critical), ("warning", counts.warning)] {
                metrics::gauge!("pitboss_alerts_firing", "severity" => severity).set(count as f64);
            }
        }
    }
}

async fn write(store: &Store, say: &[Say]) -> Result<(), StoreError> {
    if say.is_empty() {
        return Ok(());
    }
    store
        .run_tx("alerts of the platform", |tx| {
            TxFuture::new(async move {
                let at = fold::now(tx).await?;
                for say in say {
                    write_one(tx, say, at).await?;
                }
                Ok(())
            })
        })
        .await
}

async fn write_one(tx: &mut PgConnection, say: &Say, at: DateTime<Utc>) -> Result<(), StoreError> {
    match say {
        Say::Over { identity } => alerts::resolve(tx, identity, at).await,
        Say::Bad {
            identity,
            severity,
            summary,
            detail,
        } => {
            let report = Report {
                identity: identity.clone(),
                experiment: None,
                key: None,
                source: "platform",
                arm: None,
                severity: *severity,
                summary: summary.clone(),
                detail: detail.clone(),
                at,
                pending: false,
            };
            alerts::report(tx, &report).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;
    use protocol::alerts::AlertsQuery;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn ran(outcome: Outcome) -> Seen {
        let run = LastRun { at: None, outcome };
        Seen {
            workers: vec![("fold", run)],
            ..Seen::default()
        }
    }

    fn fails() -> Seen {
        ran(Outcome::Failed("the ledger is broken".to_owned()))
    }

    /// What is written of `seen`, as `identity` or `-identity`.
    fn said(watch: &mut Watch, seen: &Seen, now: i64) -> Vec<String> {
        let say = watch.judge(seen, "host", 100, at(now));
        watch.said(&say);
        let words = say.iter().map(|say| match say {
            Say::Bad { identity, .. } => identity.clone(),
            Say::Over { identity } => format!("-{identity}"),
        });
        words.collect()
    }

    #[test]
    fn a_worker_that_fails_for_a_minute_is_an_alert_until_it_is_well() {
        let mut watch = Watch::default();
        let well = ran(Outcome::Done("well".to_owned()));
        assert_eq!(
            said(&mut watch, &well, 0),
            ["-platform/worker/fold", "-platform/spool/host"],
            "a daemon that starts does not know what another one left"
        );
        assert!(said(&mut watch, &fails(), 10).is_empty());
        assert_eq!(said(&mut watch, &fails(), 60), ["-platform/database"]);
        assert_eq!(said(&mut watch, &fails(), 70), ["platform/worker/fold"]);
        assert_eq!(said(&mut watch, &well, 80), ["-platform/worker/fold"]);
        assert!(said(&mut watch, &well, 90).is_empty());
        assert!(said(&mut watch, &fails(), 100).is_empty());
        assert!(said(&mut watch, &ran(Outcome::Standby), 130).is_empty());
        assert!(said(&mut watch, &fails(), 160).is_empty(), "it led anew");
    }

    #[test]
    fn a_database_that_was_away_for_a_minute_is_told_once_it_is_back() {
        let mut watch = Watch::default();
        said(&mut watch, &Seen::default(), 0);
        let away = Seen {
            away_since: Some(at(5)),
            ..Seen::default()
        };
        assert!(said(&mut watch, &away, 10).is_empty());
        assert!(
            said(&mut watch, &Seen::default(), 20).is_empty(),
            "too short"
        );
        assert!(said(&mut watch, &away, 70).is_empty());
        let back = Seen::default();
        assert_eq!(said(&mut watch, &back, 80), ["platform/database"]);
        assert!(said(&mut watch, &back, 130).is_empty());
        assert_eq!(said(&mut watch, &back, 140), ["-platform/database"]);
        assert!(said(&mut watch, &back, 150).is_empty());
    }

    #[tokio::test]
    async fn a_spool_that_is_over_half_full_is_written_down_and_taken_back() {
        let database = database().await;
        let mut watch = Watch::default();
        let state = async |watch: &mut Watch, bytes| {
            let seen = Seen {
                spool_bytes: bytes,
                ..Seen::default()
            };
            let say = watch.judge(&seen, "host", 100, at(0));
            write(&database.store, &say).await.unwrap();
            watch.said(&say);
            let query = AlertsQuery {
                all: true,
                limit: 5,
            };
            let page = alerts::page(&database.store, &query).await.unwrap();
            let states: Vec<String> = page.alerts.into_iter().map(|it| it.state).collect();
            states
        };
        assert!(state(&mut watch, 50).await.is_empty());
        assert_eq!(state(&mut watch, 51).await, ["firing"]);
        assert_eq!(state(&mut watch, 80).await, ["firing"]);
        assert_eq!(state(&mut watch, 10).await, ["resolved"]);
    }
}
