//! A database with experiments and as many data ports on it as a test wants, and a client for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderMap;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use protocol::control::{ArmRequest, ReleaseRequest};
use protocol::plans::{ApplyRequest, PlanRequest};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::contract;
use crate::breaker::Probe;
use crate::calls::Calls;
use crate::clock::Clock;
use crate::http::{DataPort, DataServer};
use crate::ingest::{Ingest, Outage, Writers};
use crate::operations::{Caller, Operations};
use crate::reading::Reading;
use crate::spool::Replay;
use crate::sticky::Sticky;
use crate::store::Store;
use crate::testing::{TestDatabase, database};
use crate::world::WorldHandle;

const SECRET: [u8; 32] = [7; 32];

/// Room for about 2,500 events.
const SPOOL_BYTES: u64 = 1024 * 1024;

/// One daemon's worth: a database, a world, a data port.
pub(crate) struct Site {
    pub(crate) database: TestDatabase,
    pub(crate) port: Port,
}

/// A data port on a database, with a world and a cache of its own.
pub(crate) struct Port {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) world: WorldHandle,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) calls: Arc<Calls>,
    pub(crate) outage: Outage,
    _spool_dir: TempDir,
    _writers: Writers,
    pub(super) stop: CancellationToken,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Site {
    /// The experiments of `file`, and a data port that serves them.
    pub(crate) async fn with(file: &str) -> Self {
        let database = database().await;
        let port = Port::open(&database.store).await;
        let site = Self { database, port };
        site.apply(file).await;
        site
    }

    /// Applies `file`; the data port serves it when this returns.
    pub(crate) async fn apply(&self, file: &str) {
        let operations = self.operations();
        let plan = PlanRequest {
            file: "test.toml".into(),
            text: file.into(),
            prune: false,
            release_holds: false,
        };
        let base_revision = operations.plan(&plan).await.unwrap().base_revision;
        let request = ApplyRequest {
            plan,
            base_revision,
            reason: "test".into(),
            request_id: uuid::Uuid::now_v7(),
        };
        operations.apply(request, caller()).await.unwrap();
    }

    /// Closes an arm to new units; the data port obeys when this returns.
    pub(crate) async fn quarantine(&self, experiment: &str, arm: &str) {
        let request = ArmRequest {
            key: experiment.into(),
            arm: arm.into(),
            reason: "test".into(),
            request_id: uuid::Uuid::now_v7(),
            expect_revision: None,
        };
        let done = self.operations().quarantine(request, caller()).await;
        done.unwrap();
    }

    /// Releases every hold on an experiment.
    pub(crate) async fn release(&self, experiment: &str) {
        let request = ReleaseRequest {
            key: experiment.into(),
            arm: None,
            reason: "test".into(),
            request_id: uuid::Uuid::now_v7(),
            expect_revision: None,
        };
        let done = self.operations().release(request, caller()).await;
        done.unwrap();
    }

    fn operations(&self) -> Operations {
        Operations::new(self.database.store.clone(), self.port.world.clone())
    }

    pub(crate) async fn client(&self) -> Client {
        self.port.client().await
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        self.number(&format!("select count(*) from {table}")).await
    }

    pub(crate) async fn number(&self, query: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned()))
            .fetch_one(&self.database.store.pool)
            .await
            .unwrap()
    }

    /// Waits until `query` gives `wanted`.
    pub(crate) async fn until(&self, query: &str, wanted: i64) {
        let waited = async {
            while self.number(query).await != wanted {
                tokio::task::yield_now().await;
            }
        };
        let limit = Duration::from_secs(10);
        assert!(
            tokio::time::timeout(limit, waited).await.is_ok(),
            "{query} never gave {wanted}"
        );
    }
}

fn caller() -> Caller {
    Caller {
        actor: "test".into(),
        via: "test".into(),
    }
}

impl Port {
    /// A data port on `store`, as a second daemon would open it.
    pub(crate) async fn open(store: &Store) -> Self {
        let (port, server) = Self::bound(store).await;
        tokio::spawn(server.run(port.stop.clone()));
        port
    }

    /// One that clients can connect to and that is not served yet.
    pub(crate) async fn bound(store: &Store) -> (Self, DataServer) {
        let (world, refresher) = WorldHandle::open(store.clone()).await.unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(refresher.run(stop.clone()));
        let clock = Clock::system();
        let sticky = Arc::new(Sticky::new(1024 * 1024));
        let spool_dir = tempfile::tempdir().unwrap();
        let (outage, _) = Outage::prepare(spool_dir.path(), SPOOL_BYTES, clock.clone()).unwrap();
        let database = store.pool.connect_options().as_ref().clone();
        let probe = Probe::new(outage.breaker.clone(), database);
        tokio::spawn(probe.run(stop.clone()));
        let replay = Replay::new(&outage, store.clone(), Arc::clone(&sticky));
        tokio::spawn(replay.run(stop.clone()));
        let (ingest, writers) = Ingest::start(
            store,
            world.clone(),
            clock.clone(),
            SECRET,
            sticky,
            outage.clone(),
        );
        let reading = Reading::new(store.clone(), world.clone(), clock, SECRET)
            .with_breaker(outage.breaker.clone());
        let calls = Calls::new(Arc::clone(&ingest));
        let port = DataPort::new(Arc::clone(&calls), reading);
        let server = DataServer::bind(([127, 0, 0, 1], 0).into(), port).unwrap();
        let address = server.local_addr().unwrap();
        let port = Self {
            address,
            world,
            ingest,
            outage,
            _spool_dir: spool_dir,
            calls,
            _writers: writers,
            stop,
        };
        (port, server)
    }

    pub(crate) async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Client { sender }
    }

    /// Sends `bytes` as they are and reads what comes first.
    pub(crate) async fn first_answer(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = vec![0; 4096];
        let count = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..count]).into_owned()
    }

    /// Sends `bytes` as they are and reads until the port closes the connection.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset instead of an end is as closed as it gets.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A kept-alive connection.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// `Null` if the text is not JSON.
    pub(crate) json: Value,
}

impl Client {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), Bytes::new()).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, body.to_string()).await
    }

    pub(crate) async fn post_bytes(&mut self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(Request::post(path), body.into()).await
    }

    pub(crate) async fn with_method(&mut self, method: Method, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path), Bytes::new())
            .await
    }

    pub(crate) async fn send(
        &mut self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Answer {
        let request = request
            .header("host", "pitboss")
            .body(Full::new(body))
            .unwrap();
        let (method, path) = (request.method().clone(), request.uri().to_string());
        self.sender.ready().await.unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        contract::hold(&method, &path, head.status.as_u16(), &head.headers);
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }
}
