//! Leading on a real database: gained, kept, lost, gained again, given back.

use tokio::sync::mpsc;

use super::*;
use crate::testing::{TestDatabase, database};

/// Tells when it is begun and when it ends, however it ends; begins and does not end by itself.
struct Endless(mpsc::UnboundedSender<&'static str>);

struct Ending(mpsc::UnboundedSender<&'static str>);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.send("ended");
    }
}

impl Work for Endless {
    async fn run(&mut self, _: &Lease) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        let _ending = Ending(self.0.clone());
        let _ = self.0.send("begun");
        std::future::pending().await
    }
}

struct Bench {
    database: TestDatabase,
    news: mpsc::UnboundedReceiver<&'static str>,
    report: watch::Receiver<LastRun>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn start() -> Self {
        let database = database().await;
        let (sender, news) = mpsc::unbounded_channel();
        let (reports, report) = watch::channel(LastRun::default());
        let stop = CancellationToken::new();
        let runner = Runner {
            role: "test",
            holder: "a".to_owned(),
            every: Duration::from_millis(50),
            wake: Arc::default(),
            clock: Clock::system(),
            store: database.store.clone(),
        };
        let running = tokio::spawn(runner.run(Endless(sender), reports, stop.clone()));
        Self {
            database,
            news,
            report,
            stop,
            running,
        }
    }

    async fn lease(&self, holder: &str, from_now: &str) {
        sqlx::query("update leases set holder = $1, term = term + 1, expires_at = now() + $2::text::interval")
            .bind(holder)
            .bind(from_now)
            .execute(&self.database.store.pool)
            .await
            .unwrap();
    }

    async fn reported(&mut self, outcome: &Outcome) {
        let told = self.report.wait_for(|last| last.outcome == *outcome);
        told.await.unwrap();
    }
}

#[tokio::test]
async fn a_leader_that_is_deposed_drops_its_work_and_begins_again_when_it_leads_again() {
    let mut bench = Bench::start().await;
    assert_eq!(bench.news.recv().await, Some("begun"));

    bench.lease("b", "1 hour").await;
    assert_eq!(bench.news.recv().await, Some("ended"));
    bench.reported(&Outcome::Standby).await;

    bench.lease("b", "-1 second").await;
    assert_eq!(bench.news.recv().await, Some("begun"));
    bench.stop.cancel();
    bench.lease("b", "1 hour").await;
    bench.running.await.unwrap();
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_the_work_takes() {
    let mut bench = Bench::start().await;
    assert_eq!(bench.news.recv().await, Some("begun"));
    let expiry = || async {
        let read = "select extract(epoch from expires_at)::float8 from leases";
        let read = sqlx::query_scalar::<_, f64>(read).fetch_one(&bench.database.store.pool);
        read.await.unwrap()
    };
    let first = expiry().await;
    while expiry().await <= first {}
    assert!(bench.news.try_recv().is_err(), "the work goes on");
    bench.running.abort();
}

/// Ends at once.
struct Short;

impl Work for Short {
    async fn run(
        &mut self,
        lease: &Lease,
    ) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Round {
            detail: format!("term {}", lease.term),
            again: false,
        })
    }
}

#[tokio::test]
async fn a_daemon_that_stops_gives_its_lease_back() {
    let database = database().await;
    let store = &database.store;
    let (reports, mut report) = watch::channel(LastRun::default());
    let stop = CancellationToken::new();
    let runner = Runner {
        role: "test",
        holder: "a".to_owned(),
        every: Duration::from_millis(50),
        wake: Arc::default(),
        clock: Clock::system(),
        store: store.clone(),
    };
    let running = tokio::spawn(runner.run(Short, reports, stop.clone()));
    let done = Outcome::Done("term 1".to_owned());
    report.wait_for(|last| last.outcome == done).await.unwrap();
    assert_eq!(store.take_lease("test", "b").await.unwrap(), None);
    stop.cancel();
    running.await.unwrap();
    let next = store.take_lease("test", "b").await.unwrap().unwrap();
    assert_eq!(next.term, 2);
}
