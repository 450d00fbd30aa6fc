//! The first frame of each side, before tarpc sees a byte: which versions meet, and whether they fit.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::{DataFormat, PROTOCOL, Problem};
use crate::codec::{ClientCodec, ServerCodec};
use crate::control::ProtocolVersion;

/// A greeting is some 30 bytes; this leaves room for a token one day.
const MAX_BYTES: usize = 8 * 1024;

/// 3 s: a greeting fits into one packet, and who needs longer only holds a place.
const WITHIN: Duration = Duration::from_secs(3);

/// Longest build name that is looked at.
const MAX_BUILD: usize = 64;

/// What a caller says first.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Hello {
    /// The caller's [`PROTOCOL`].
    #[prost(uint32, tag = "1")]
    pub major: u32,
    /// Of the same.
    #[prost(uint32, tag = "2")]
    pub minor: u32,
    /// The caller's build, such as `protocol 0.1.0`.
    #[prost(string, tag = "3")]
    pub build: String,
}

/// What a daemon says to it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Welcome {
    /// The daemon's [`PROTOCOL`].
    #[prost(uint32, tag = "1")]
    pub major: u32,
    /// Of the same.
    #[prost(uint32, tag = "2")]
    pub minor: u32,
    /// The daemon's build, such as `pitbossd 0.1.0`.
    #[prost(string, tag = "3")]
    pub build: String,
    /// Why they cannot talk; the connection ends here then.
    #[prost(message, optional, tag = "4")]
    pub refused: Option<Problem>,
}

/// Why there is no conversation.
#[derive(Debug, thiserror::Error)]
pub enum GreetingError {
    /// The connection broke, or a frame was over its limit.
    #[error("the connection ended during the greeting")]
    Io(#[from] std::io::Error),
    /// The peer closed before it had greeted.
    #[error("the peer closed the connection without a greeting")]
    Closed,
    /// The peer said nothing, or too slowly.
    #[error("no greeting within {} s", WITHIN.as_secs())]
    TooSlow,
    /// The peer speaks something else.
    #[error("the peer does not speak this protocol")]
    Foreign(#[from] prost::DecodeError),
    /// The versions do not fit.
    #[error("{0}")]
    Refused(Problem),
}

/// A caller's side: greets, and is welcomed.
pub async fn greet<S>(
    stream: S,
) -> Result<(Framed<S, ClientCodec<DataFormat>>, Welcome), GreetingError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let hello = Hello {
        major: PROTOCOL.major.into(),
        minor: PROTOCOL.minor.into(),
        build: concat!("protocol ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let mut frames = frames(stream);
    let exchange = async {
        frames.send(Bytes::from(hello.encode_to_vec())).await?;
        Ok(Welcome::decode(next(&mut frames).await?)?)
    };
    let welcome: Welcome = in_time(exchange).await?;
    match welcome.refused {
        Some(problem) => Err(GreetingError::Refused(problem)),
        None => Ok((frames.map_codec(|_| ClientCodec::default()), welcome)),
    }
}

/// A daemon's side: is greeted, and welcomes, or says why not.
pub async fn welcome<S>(
    stream: S,
    build: &str,
) -> Result<Framed<S, ServerCodec<DataFormat>>, GreetingError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut frames = frames(stream);
    let exchange = async {
        let hello = Hello::decode(next(&mut frames).await?)?;
        let refused = misfit(&hello, PROTOCOL);
        let welcome = Welcome {
            major: PROTOCOL.major.into(),
            minor: PROTOCOL.minor.into(),
            build: build.to_owned(),
            refused: refused.clone(),
        };
        frames.send(Bytes::from(welcome.encode_to_vec())).await?;
        refused.map_or(Ok(()), |problem| Err(GreetingError::Refused(problem)))
    };
    in_time(exchange).await?;
    Ok(frames.map_codec(|_| ServerCodec::default()))
}

fn frames<S: AsyncRead + AsyncWrite>(stream: S) -> Framed<S, LengthDelimitedCodec> {
    let codec = LengthDelimitedCodec::builder()
        .max_frame_length(MAX_BYTES)
        .new_codec();
    Framed::new(stream, codec)
}

async fn next<S: AsyncRead + AsyncWrite + Unpin>(
    frames: &mut Framed<S, LengthDelimitedCodec>,
) -> Result<BytesMut, GreetingError> {
    Ok(frames.next().await.ok_or(GreetingError::Closed)??)
}

async fn in_time<T>(
    exchange: impl Future<Output = Result<T, GreetingError>>,
) -> Result<T, GreetingError> {
    tokio::time::timeout(WITHIN, exchange)
        .await
        .unwrap_or(Err(GreetingError::TooSlow))
}

fn misfit(hello: &Hello, ours: ProtocolVersion) -> Option<Problem> {
    if hello.major == u32::from(ours.major) {
        return None;
    }
    let build: String = hello
        .build
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_BUILD)
        .collect();
    Some(Problem {
        code: "version".to_owned(),
        message: format!(
            "{build} speaks data protocol {}.{} and this daemon speaks {}.{}; build the service with the protocol crate of the daemon's release",
            hello.major, hello.minor, ours.major, ours.minor
        ),
        field: None,
        retry_after_secs: None,
    })
}
