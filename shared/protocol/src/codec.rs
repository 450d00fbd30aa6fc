//! Frames: a length, then a message in one of two formats, with every limit checked before it can hurt.
//!
//! The control socket speaks JSON: it describes itself, so a newer console can talk to an older daemon, and
//! its parser stops at a depth of 128. The data service speaks protocol buffers, which may grow as well
//! ([`crate::serve`]). Tarpc's own transports would do neither of the two things that are done here: bound
//! the frames of each direction, and clamp a request's deadline while it is still a length of time. Tarpc
//! turns it into an instant while decoding, where `u64::MAX` seconds overflow, and puts it into a timer
//! wheel that panics beyond 2.18 years.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};
use tarpc::{ClientMessage, Request, Response, ServerError, context, trace};
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

/// The greatest frame a daemon reads: a plan's file, or 1,000 events of 1 KiB.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// The greatest frame a daemon writes: a page of 100 rows of 64 arms is below 4 MiB.
pub const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;

/// The longest a caller may let the daemon work on one request. Ten times what the slowest read needs.
pub const MAX_DEADLINE: Duration = Duration::from_mins(5);

/// What a request without a deadline gets; tarpc's own default.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// The length in front of each frame.
const LENGTH_BYTES: usize = size_of::<u32>();

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Reading or writing failed, or a frame was over its limit.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A frame was not what the contract says.
    #[error("the frame is not a message of this protocol")]
    Json(#[from] serde_json::Error),
    /// A frame was not what the contract says.
    #[error("the frame is not a message of this protocol")]
    Binary(#[from] prost::DecodeError),
    /// A message cannot be written.
    #[error("the message cannot be written")]
    Unwritable(#[from] prost::EncodeError),
    /// A message is too large for a frame: it was not sent.
    #[error("the message of {bytes} bytes is over the limit of {limit}; send less at once")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most.
        limit: usize,
    },
    /// Tarpc has a kind of message that this build does not know.
    #[error("tarpc wants a message sent that this protocol does not have")]
    Unknown,
}

/// How messages are written inside frames.
pub trait Format {
    /// What is asked.
    type Request;
    /// What is answered.
    type Response;
    /// Reads a request, its deadline clamped.
    fn read_request(frame: &[u8]) -> Result<ClientMessage<Self::Request>, CodecError>;
    /// Writes a request at the end of `out`.
    fn write_request(
        message: ClientMessage<Self::Request>,
        out: &mut BytesMut,
    ) -> Result<(), CodecError>;
    /// Reads a response.
    fn read_response(frame: &[u8]) -> Result<Response<Self::Response>, CodecError>;
    /// Writes a response at the end of `out`.
    fn write_response(
        response: Response<Self::Response>,
        out: &mut BytesMut,
    ) -> Result<(), CodecError>;
}

/// JSON, with tarpc's own shape of a message around it.
#[derive(Debug)]
pub struct Json<Req, Resp>(PhantomData<fn(Req) -> Resp>);

/// The daemon's side: reads requests, writes responses.
#[derive(Debug)]
pub struct ServerCodec<F> {
    incoming: LengthDelimitedCodec,
    in_frame: bool,
    format: PhantomData<fn() -> F>,
}

/// The caller's side: writes requests, reads responses.
#[derive(Debug)]
pub struct ClientCodec<F> {
    incoming: LengthDelimitedCodec,
    format: PhantomData<fn() -> F>,
}

impl<F> Default for ServerCodec<F> {
    fn default() -> Self {
        Self {
            incoming: frames_up_to(MAX_REQUEST_BYTES),
            in_frame: false,
            format: PhantomData,
        }
    }
}

impl<F> Default for ClientCodec<F> {
    fn default() -> Self {
        Self {
            incoming: frames_up_to(MAX_RESPONSE_BYTES),
            format: PhantomData,
        }
    }
}

impl<F> ServerCodec<F> {
    /// Whether a frame has begun and is not complete: a peer that falls silent now is cut sooner.
    pub fn is_in_frame(&self) -> bool {
        self.in_frame
    }
}

impl<F: Format> Decoder for ServerCodec<F> {
    type Item = ClientMessage<F::Request>;
    type Error = CodecError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, CodecError> {
        self.in_frame |= !bytes.is_empty();
        let Some(frame) = self.incoming.decode(bytes)? else {
            return Ok(None);
        };
        self.in_frame = false;
        F::read_request(&frame).map(Some)
    }
}

impl<F: Format> Encoder<Response<F::Response>> for ServerCodec<F> {
    type Error = CodecError;

    fn encode(
        &mut self,
        response: Response<F::Response>,
        out: &mut BytesMut,
    ) -> Result<(), CodecError> {
        let request_id = response.request_id;
        let written = write_frame(out, MAX_RESPONSE_BYTES, |out| {
            F::write_response(response, out)
        });
        match written {
            Err(CodecError::TooLarge { bytes, .. }) => {
                write_frame(out, MAX_RESPONSE_BYTES, |out| {
                    F::write_response(too_large(request_id, bytes), out)
                })
            }
            done_or_broken => done_or_broken,
        }
    }
}

impl<F: Format> Decoder for ClientCodec<F> {
    type Item = Response<F::Response>;
    type Error = CodecError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, CodecError> {
        match self.incoming.decode(bytes)? {
            Some(frame) => F::read_response(&frame).map(Some),
            None => Ok(None),
        }
    }
}

impl<F: Format> Encoder<ClientMessage<F::Request>> for ClientCodec<F> {
    type Error = CodecError;

    fn encode(
        &mut self,
        message: ClientMessage<F::Request>,
        out: &mut BytesMut,
    ) -> Result<(), CodecError> {
        write_frame(out, MAX_REQUEST_BYTES, |out| F::write_request(message, out))
    }
}

fn frames_up_to(bytes: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .max_frame_length(bytes)
        .new_codec()
}

/// Writes a message and then its length in front of it. What cannot be sent leaves nothing behind.
fn write_frame(
    out: &mut BytesMut,
    limit: usize,
    message: impl FnOnce(&mut BytesMut) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let start = out.len();
    out.put_bytes(0, LENGTH_BYTES);
    let written = message(out).and_then(|()| {
        let bytes = out.len() - start - LENGTH_BYTES;
        match u32::try_from(bytes) {
            Ok(length) if bytes <= limit => Ok(length),
            _ => Err(CodecError::TooLarge { bytes, limit }),
        }
    });
    match written {
        Ok(length) => {
            out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// A caller that asked for too much learns so, and keeps its connection.
fn too_large<Resp>(request_id: u64, bytes: usize) -> Response<Resp> {
    let detail = format!(
        "the answer of {bytes} bytes is over the limit of {MAX_RESPONSE_BYTES}; ask for less"
    );
    Response {
        request_id,
        message: Err(ServerError::new(std::io::ErrorKind::FileTooLarge, detail)),
    }
}

impl<Req, Resp> Format for Json<Req, Resp>
where
    Req: Serialize + for<'de> Deserialize<'de>,
    Resp: Serialize + for<'de> Deserialize<'de>,
{
    type Request = Req;
    type Response = Resp;

    fn read_request(frame: &[u8]) -> Result<ClientMessage<Req>, CodecError> {
        let message: WireMessage<Req> = serde_json::from_slice(frame)?;
        Ok(message.into())
    }

    fn write_request(message: ClientMessage<Req>, out: &mut BytesMut) -> Result<(), CodecError> {
        Ok(serde_json::to_writer(out.writer(), &message)?)
    }

    fn read_response(frame: &[u8]) -> Result<Response<Resp>, CodecError> {
        Ok(serde_json::from_slice(frame)?)
    }

    fn write_response(response: Response<Resp>, out: &mut BytesMut) -> Result<(), CodecError> {
        Ok(serde_json::to_writer(out.writer(), &response)?)
    }
}

/// [`ClientMessage`] as it is on the wire, where a deadline is still a length of time.
#[derive(Deserialize)]
enum WireMessage<T> {
    Request(WireRequest<T>),
    Cancel {
        #[serde(default)]
        trace_context: trace::Context,
        request_id: u64,
    },
}

#[derive(Deserialize)]
struct WireRequest<T> {
    context: WireContext,
    id: u64,
    message: T,
}

#[derive(Deserialize)]
struct WireContext {
    #[serde(default = "default_deadline")]
    deadline: Duration,
    trace_context: trace::Context,
}

fn default_deadline() -> Duration {
    DEFAULT_DEADLINE
}

impl<T> From<WireMessage<T>> for ClientMessage<T> {
    fn from(message: WireMessage<T>) -> Self {
        match message {
            WireMessage::Request(request) => Self::Request(Request {
                context: clamped(&request.context),
                id: request.id,
                message: request.message,
            }),
            WireMessage::Cancel {
                trace_context,
                request_id,
            } => Self::Cancel {
                trace_context,
                request_id,
            },
        }
    }
}

fn clamped(wire: &WireContext) -> context::Context {
    let mut context = context_lasting(wire.deadline.min(MAX_DEADLINE));
    context.trace_context = wire.trace_context;
    context
}

/// A call context whose deadline is `length` from now.
#[expect(
    clippy::disallowed_methods,
    reason = "tarpc's deadline is an instant of the monotonic clock"
)]
pub(crate) fn context_lasting(length: Duration) -> context::Context {
    let mut context = context::current();
    context.deadline = std::time::Instant::now() + length;
    context
}

/// How long a call may still take.
#[expect(
    clippy::disallowed_methods,
    reason = "tarpc's deadline is an instant of the monotonic clock"
)]
pub(crate) fn time_left(context: &context::Context) -> Duration {
    context
        .deadline
        .saturating_duration_since(std::time::Instant::now())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    type Server = ServerCodec<Json<String, String>>;
    type Client = ClientCodec<Json<String, String>>;

    fn request_with_deadline(secs: u64) -> String {
        let trace = serde_json::to_string(&trace::Context::default()).unwrap();
        format!(
            r#"{{"Request":{{"context":{{"deadline":{{"secs":{secs},"nanos":0}},"trace_context":{trace}}},"id":7,"message":"x"}}}}"#
        )
    }

    fn framed(json: &str) -> BytesMut {
        let mut bytes = BytesMut::new();
        let frame = Bytes::copy_from_slice(json.as_bytes());
        frames_up_to(usize::MAX >> 1)
            .encode(frame, &mut bytes)
            .unwrap();
        bytes
    }

    fn decode(json: &str) -> Result<Option<ClientMessage<String>>, CodecError> {
        Server::default().decode(&mut framed(json))
    }

    #[test]
    fn absurd_deadlines_are_clamped() {
        let three_years = 3 * 365 * 86_400;
        for secs in [MAX_DEADLINE.as_secs() + 1, three_years, u64::MAX] {
            let Ok(Some(ClientMessage::Request(request))) = decode(&request_with_deadline(secs))
            else {
                panic!("a deadline of {secs} s is refused");
            };
            let latest = context_lasting(MAX_DEADLINE).deadline;
            assert!(request.context.deadline <= latest, "{secs}");
        }
    }

    #[test]
    fn ordinary_messages_pass_both_ways() {
        let mut bytes = BytesMut::new();
        let request = ClientMessage::Request(Request {
            context: context_lasting(Duration::from_secs(5)),
            id: 3,
            message: "hello".to_owned(),
        });
        Client::default().encode(request, &mut bytes).unwrap();
        let decoded = Server::default().decode(&mut bytes).unwrap();
        let Some(ClientMessage::Request(request)) = decoded else {
            panic!("not a request: {decoded:?}");
        };
        assert_eq!((request.id, request.message.as_str()), (3, "hello"));

        let answer = Response {
            request_id: 3,
            message: Ok("you".to_owned()),
        };
        Server::default()
            .encode(answer.clone(), &mut bytes)
            .unwrap();
        let decoded = Client::default().decode(&mut bytes).unwrap();
        assert_eq!(decoded, Some(answer));
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_by_its_length_alone() {
        let mut bytes = BytesMut::new();
        let length = u32::try_from(2 * MAX_REQUEST_BYTES).unwrap();
        bytes.extend_from_slice(&length.to_be_bytes());
        assert!(matches!(
            Server::default().decode(&mut bytes),
            Err(CodecError::Io(_))
        ));
    }

    #[test]
    fn deep_json_is_refused_or_ignored_and_never_overflows() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(matches!(decode(&deep), Err(CodecError::Json(_))));
        let in_message = request_with_deadline(1).replace("\"x\"", &deep);
        assert!(matches!(decode(&in_message), Err(CodecError::Json(_))));
        let in_unknown_key =
            request_with_deadline(1).replace("\"id\"", &format!("\"z\":{deep},\"id\""));
        assert!(matches!(
            decode(&in_unknown_key),
            Ok(Some(_)) | Err(CodecError::Json(_))
        ));
    }

    #[test]
    fn an_answer_over_the_limit_becomes_an_error_on_the_same_connection() {
        let mut bytes = BytesMut::new();
        let answer = Response {
            request_id: 9,
            message: Ok("x".repeat(MAX_RESPONSE_BYTES)),
        };
        Server::default().encode(answer, &mut bytes).unwrap();
        let response = Client::default().decode(&mut bytes).unwrap().unwrap();
        assert_eq!(response.request_id, 9);
        assert!(
            response
                .message
                .unwrap_err()
                .detail
                .contains("ask for less")
        );
    }

    #[test]
    fn knows_when_it_is_inside_a_frame() {
        let mut codec = Server::default();
        let whole = framed(&request_with_deadline(1));
        for cut in [1, 3, 4, 5, whole.len() - 1] {
            let mut bytes = BytesMut::from(&whole[..cut]);
            assert!(codec.decode(&mut bytes).unwrap().is_none());
            assert!(codec.is_in_frame(), "after {cut} bytes");
            bytes.extend_from_slice(&whole[cut..]);
            assert!(codec.decode(&mut bytes).unwrap().is_some());
            assert!(!codec.is_in_frame());
        }
    }
}
