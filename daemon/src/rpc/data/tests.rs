//! The data calls over tarpc, over real sockets and on a real database: beside HTTP, under hostile peers, and
//! when one side goes away.

mod beside_http;
mod hostile;
mod leaving;

use std::net::SocketAddr;
use std::time::Duration;

use protocol::client::Client;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{DataRpc, TimeLimits};
use crate::http::tests::CHECKOUT;
use crate::http::tests::site::Site;

/// Longer than anything here takes, shorter than a hung test.
const PATIENCE: Duration = Duration::from_secs(20);

/// A database, its HTTP port, and the same calls over tarpc.
struct Doors {
    site: Site,
    address: SocketAddr,
    stop: CancellationToken,
    port: JoinHandle<()>,
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Doors {
    async fn open(times: TimeLimits) -> Self {
        let site = Site::with(CHECKOUT).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, port) = serve(&site, listener, times);
        Self {
            site,
            address,
            stop,
            port,
        }
    }

    async fn client(&self) -> Client {
        let client = Client::connect(self.address.to_string()).await.unwrap();
        client.with_patience(PATIENCE)
    }

    async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Everything else goes on: a client that was there, and a new one.
    async fn still_serves(&self, before: &Client) {
        for client in [before, &self.client().await] {
            let assigned = client.assign("checkout", "somebody").await.unwrap();
            assert_eq!(assigned.experiment, "checkout");
        }
    }

    /// Keeps new assignments from being written until the transaction ends.
    async fn block(&self) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let mut in_the_way = self.site.database.store.pool.begin().await.unwrap();
        sqlx::query("lock table experiment_assignments in share mode")
            .execute(&mut *in_the_way)
            .await
            .unwrap();
        in_the_way
    }

    /// Waits until a writer waits for [`Doors::block`].
    async fn until_blocked(&self) {
        self.site
            .until("select count(*) from pg_locks where not granted", 1)
            .await;
    }
}

fn serve(
    site: &Site,
    listener: TcpListener,
    times: TimeLimits,
) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let rpc = DataRpc::new(listener, site.port.calls.clone(), times);
    let port = tokio::spawn(rpc.run(stop.clone()));
    (stop, port)
}

#[tokio::test]
async fn an_answer_that_is_known_does_not_wait_for_one_that_is_not() {
    let doors = Doors::open(TimeLimits::SERVICE).await;
    let client = doors.client().await;
    client.assign("checkout", "known").await.unwrap();
    let in_the_way = doors.block().await;
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.assign("checkout", "new").await }
    });
    doors.until_blocked().await;
    let known = client.assign("checkout", "known").await.unwrap();
    assert_eq!(known.reason, "sticky");
    in_the_way.rollback().await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap().experiment, "checkout");
}
