//! The control port over real sockets: hostile peers lose their own connection, and consoles see what changes.

mod consoles;
mod hostile;

use std::path::PathBuf;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use protocol::control::{ControlClient, Hello, PROTOCOL, PartHealth, ProtocolVersion};
use protocol::transport::{connect, within};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{About, ControlPort, Limits, PartCheck, SeatLimits, Service, TimeLimits};
use crate::breaker::Breaker;
use crate::changes::{Feed, Feeder};
use crate::clock::Clock;
use crate::operations::Operations;
use crate::reading::Reading;
use crate::testing::{TestDatabase, database};
use crate::world::WorldHandle;

const FILE: &str = r#"
[[experiment]]
key = "checkout"
state = "running"
reward = "purchase"
arms = ["green", "blue"]
control = "green"
"#;

/// Longer than anything here takes, shorter than a hung test.
const PATIENCE: Duration = Duration::from_secs(20);

/// A daemon's control side on a database of its own.
struct Daemon {
    database: TestDatabase,
    breaker: Breaker,
    directory: TempDir,
    stop: CancellationToken,
    port: Option<JoinHandle<()>>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn daemon(limits: Limits) -> Daemon {
    let database = database().await;
    let store = database.store.clone();
    let stop = CancellationToken::new();
    let clock = Clock::system();
    let (world, refresher) = WorldHandle::open(store.clone()).await.unwrap();
    tokio::spawn(refresher.run(stop.clone()));
    let feed = Feed::new("this run");
    let breaker = Breaker::closed(clock.clone());
    let feeder = Feeder::new(feed.clone(), world.clone(), store.clone(), breaker.clone());
    tokio::spawn(feeder.run(stop.clone()));
    let service = Service {
        about: About {
            build: "pitbossd test".into(),
            environment: "test".into(),
            production: false,
            data_address: "127.0.0.1:1".into(),
            started_at: clock.now(),
        },
        operations: Operations::new(store.clone(), world.clone()),
        reading: Reading::new(store.clone(), world.clone(), clock.clone(), [7; 32])
            .with_breaker(breaker.clone()),
        health: PartCheck::new(all_well),
        clock,
        store,
        world,
        feed,
    };
    let directory = tempfile::tempdir().unwrap();
    let port = ControlPort::bind(&directory.path().join("control.sock"), limits).unwrap();
    let port = tokio::spawn(port.serve(service, stop.clone()));
    Daemon {
        database,
        breaker,
        directory,
        stop,
        port: Some(port),
    }
}

fn all_well() -> BoxFuture<'static, Vec<PartHealth>> {
    let part = PartHealth {
        name: "database".into(),
        ok: true,
        detail: String::new(),
        last_run: None,
    };
    std::future::ready(vec![part]).boxed()
}

fn hello(major: u16) -> Hello {
    Hello {
        protocol: ProtocolVersion { major, minor: 0 },
        build: "pitboss test".into(),
        host: "bastion".into(),
    }
}

impl Daemon {
    fn path(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    async fn raw(&self) -> UnixStream {
        UnixStream::connect(self.path()).await.unwrap()
    }

    /// A console that has said hello.
    async fn console(&self) -> ControlClient {
        let client = connect(&self.path()).await.unwrap();
        let welcome = client.hello(within(PATIENCE), hello(PROTOCOL.major)).await;
        assert_eq!(welcome.unwrap().unwrap().environment, "test");
        client
    }

    /// Everything else goes on: a console that was there, and a new one.
    async fn still_serves(&self, before: &ControlClient) {
        for client in [before, &self.console().await] {
            let health = client.health(within(PATIENCE)).await.unwrap().unwrap();
            assert!(health.ok);
        }
    }
}
