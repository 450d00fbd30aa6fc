//! A plain HTTP/1.1 client as a service would have: one connection, kept alive, opened again when it breaks.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A service that waits longer has lost its visitor.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// No connection.
    #[error("cannot connect to the data port")]
    Connect(#[from] std::io::Error),
    /// The connection broke.
    #[error("the data port closed the connection")]
    Broken(#[from] hyper::Error),
    /// Nothing came.
    #[error("the data port did not answer within {PATIENCE:?}")]
    Late,
}

/// One connection to the data port.
#[derive(Debug)]
pub(super) struct Http {
    address: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Http {
    /// To `address`, such as `127.0.0.1:7400`; connects with the first request.
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            sender: None,
        }
    }

    /// `POST path` with a JSON body. After an error the next request connects anew.
    pub(super) async fn post(
        &mut self,
        path: &str,
        body: String,
    ) -> Result<(StatusCode, Bytes), HttpError> {
        let sender = self.sender.take();
        let answered = tokio::time::timeout(PATIENCE, self.exchange(sender, path, body)).await;
        let (sender, status, body) = answered.map_err(|_| HttpError::Late)??;
        self.sender = Some(sender);
        Ok((status, body))
    }

    async fn exchange(
        &self,
        sender: Option<SendRequest<Full<Bytes>>>,
        path: &str,
        body: String,
    ) -> Result<(SendRequest<Full<Bytes>>, StatusCode, Bytes), HttpError> {
        let mut sender = match sender.filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => connect(&self.address).await?,
        };
        sender.ready().await?;
        let request = Request::post(path)
            .header(header::HOST, &self.address)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("paths are made of experiment keys, addresses of digits");
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((sender, status, body))
    }
}

/// The connection's own task ends with its sender.
async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, HttpError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
