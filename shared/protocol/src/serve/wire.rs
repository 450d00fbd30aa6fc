//! Requests and responses of the data service as they are in their frames.

use std::time::Duration;

use bytes::BytesMut;
use prost::Message;
use tarpc::{ClientMessage, Request, RequestName, Response, ServerError, trace};

use super::{Call, Reply, Unanswerable};
use crate::codec::{CodecError, Format, context_lasting, time_left};

/// The longest that a caller may let the daemon work on one call: three times its slowest write.
const MAX_DEADLINE: Duration = Duration::from_secs(30);

/// What a request without a deadline gets: above the 5 s after which the daemon gives up by itself.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// The greatest request other than a batch, as on the HTTP port: an assign with 64 attributes of 1 KiB would
/// not fit, one that means it does.
const MAX_SINGLE_BYTES: usize = 64 * 1024;

/// Protocol buffers.
#[derive(Debug)]
pub struct DataFormat;

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    call: Option<Call>,
    bytes: usize,
}

/// An answer as it arrives; `None` if this build does not know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered(pub Option<Reply>);

impl Asked {
    /// What is asked for, if it is to be answered.
    pub(super) fn call(self) -> Result<Call, Unanswerable> {
        match self.call {
            None => Err(Unanswerable::UnknownCall),
            Some(call @ Call::TrackBatch(_)) => Ok(call),
            Some(_) if self.bytes > MAX_SINGLE_BYTES => {
                Err(Unanswerable::TooLarge(MAX_SINGLE_BYTES))
            }
            Some(call) => Ok(call),
        }
    }
}

impl From<Call> for Asked {
    fn from(call: Call) -> Self {
        Self {
            call: Some(call),
            bytes: 0,
        }
    }
}

impl RequestName for Asked {
    fn name(&self) -> &'static str {
        match self.call {
            Some(Call::Assign(_)) => "Serve.assign",
            Some(Call::Expose(_)) => "Serve.expose",
            Some(Call::Track(_)) => "Serve.track",
            Some(Call::TrackBatch(_)) => "Serve.track_batch",
            None => "Serve.unknown",
        }
    }
}

/// A frame to the daemon.
#[derive(Clone, PartialEq, Message)]
struct RequestFrame {
    /// Of the connection; the answer has it, too.
    #[prost(uint64, tag = "1")]
    id: u64,
    /// How long the caller waits.
    #[prost(uint32, optional, tag = "2")]
    deadline_ms: Option<u32>,
    #[prost(oneof = "Call", tags = "3, 4, 5, 6")]
    call: Option<Call>,
    /// The caller waits no longer for the request of this id.
    #[prost(bool, tag = "15")]
    cancelled: bool,
}

/// A frame from the daemon.
#[derive(Clone, PartialEq, Message)]
struct ResponseFrame {
    #[prost(uint64, tag = "1")]
    id: u64,
    /// There is no reply: this went wrong between the call and the service.
    #[prost(message, optional, tag = "2")]
    failure: Option<Failure>,
    #[prost(oneof = "Reply", tags = "3, 4, 5, 6, 7, 8")]
    reply: Option<Reply>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Failure {
    #[prost(string, tag = "1")]
    detail: String,
    /// Too many requests on this connection: the same one may succeed later.
    #[prost(bool, tag = "2")]
    throttled: bool,
}

impl Format for DataFormat {
    type Request = Asked;
    type Response = Answered;

    fn read_request(frame: &[u8]) -> Result<ClientMessage<Asked>, CodecError> {
        let RequestFrame {
            id,
            deadline_ms,
            call,
            cancelled,
        } = RequestFrame::decode(frame)?;
        if cancelled {
            return Ok(ClientMessage::Cancel {
                trace_context: trace::Context::default(),
                request_id: id,
            });
        }
        let deadline = deadline_ms.map_or(DEFAULT_DEADLINE, |ms| Duration::from_millis(ms.into()));
        Ok(ClientMessage::Request(Request {
            context: context_lasting(deadline.min(MAX_DEADLINE)),
            id,
            message: Asked {
                call,
                bytes: frame.len(),
            },
        }))
    }

    fn write_request(message: ClientMessage<Asked>, out: &mut BytesMut) -> Result<(), CodecError> {
        let frame = match message {
            ClientMessage::Request(request) => RequestFrame {
                id: request.id,
                deadline_ms: Some(millis(time_left(&request.context))),
                call: request.message.call,
                cancelled: false,
            },
            ClientMessage::Cancel { request_id, .. } => RequestFrame {
                id: request_id,
                cancelled: true,
                ..RequestFrame::default()
            },
            _ => return Err(CodecError::Unknown),
        };
        Ok(frame.encode(out)?)
    }

    fn read_response(frame: &[u8]) -> Result<Response<Answered>, CodecError> {
        let ResponseFrame { id, failure, reply } = ResponseFrame::decode(frame)?;
        let message = match failure {
            None => Ok(Answered(reply)),
            Some(failure) => Err(failure.into()),
        };
        Ok(Response {
            request_id: id,
            message,
        })
    }

    fn write_response(response: Response<Answered>, out: &mut BytesMut) -> Result<(), CodecError> {
        let (failure, reply) = match response.message {
            Ok(Answered(reply)) => (None, reply),
            Err(error) => (Some(error.into()), None),
        };
        let frame = ResponseFrame {
            id: response.request_id,
            failure,
            reply,
        };
        Ok(frame.encode(out)?)
    }
}

fn millis(length: Duration) -> u32 {
    u32::try_from(length.as_millis()).unwrap_or(u32::MAX)
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Self {
            throttled: error.kind == std::io::ErrorKind::WouldBlock,
            detail: error.detail,
        }
    }
}

impl From<Failure> for ServerError {
    fn from(failure: Failure) -> Self {
        let kind = if failure.throttled {
            std::io::ErrorKind::WouldBlock
        } else {
            std::io::ErrorKind::Other
        };
        Self::new(kind, failure.detail)
    }
}
