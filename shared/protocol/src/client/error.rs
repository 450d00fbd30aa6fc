//! Why a call has no answer, and when it may be asked again.

use std::sync::Arc;
use std::time::Duration;

use tarpc::client::RpcError;

use crate::refusal::Retry;
use crate::serve::{GreetingError, Problem, Reply};

/// One variant per thing the caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The daemon refuses: correct the call, or come back after [`CallError::retry_after`].
    #[error("{0}")]
    Refused(Problem),
    /// Nobody is there: nothing was asked.
    #[error(
        "no daemon answers at {address}: start pitbossd with data_rpc_listen, or name its address"
    )]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Somebody is there and it is no daemon that this build can talk to: nothing was asked.
    #[error("no data service at {address}")]
    NoGreeting {
        /// Where.
        address: String,
        /// What it did instead.
        #[source]
        source: Arc<GreetingError>,
    },
    /// The connection broke while the call was in flight: it may or may not have been carried out.
    #[error("the connection to the daemon broke; it may or may not have carried out the call")]
    Disconnected,
    /// No answer in time: it may or may not have been carried out.
    #[error("no answer within {} s; the daemon may or may not have carried out the call", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It is larger than a frame may be: it was not sent.
    #[error("{0}")]
    TooLarge(String),
    /// The daemon answers what this build does not know.
    #[error(
        "the daemon's answer is not one that this build knows; build the service with a newer protocol crate"
    )]
    UnknownAnswer,
}

impl CallError {
    /// Whether the same call may succeed later. After [`CallError::Disconnected`] and
    /// [`CallError::TimedOut`], repeat an event only if it has an id: it may be stored already.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Refused(problem) if problem.retry_after_secs.is_none() => Retry::Never,
            Self::Refused(_)
            | Self::Unreachable { .. }
            | Self::Disconnected
            | Self::TimedOut(_) => Retry::Later,
            Self::NoGreeting { source, .. } => match **source {
                GreetingError::Refused(_) | GreetingError::Foreign(_) => Retry::Never,
                GreetingError::Io(_) | GreetingError::Closed | GreetingError::TooSlow => {
                    Retry::Later
                }
            },
            Self::TooLarge(_) | Self::UnknownAnswer => Retry::Never,
        }
    }

    /// How long to wait before that; `None`: never ask again. What the daemon said, else one second.
    pub fn retry_after(&self) -> Option<Duration> {
        /// A daemon that was killed is back in about that, and who waits so long does not add to its load.
        const USUAL: Duration = Duration::from_secs(1);
        match (self.retry(), self) {
            (Retry::Never | Retry::AfterReplan, _) => None,
            (Retry::Later, Self::Refused(problem)) => problem
                .retry_after_secs
                .map(|secs| Duration::from_secs(secs.into())),
            (Retry::Later, _) => Some(USUAL),
        }
    }

    /// A refusal, or an answer to something else.
    pub(super) fn not_asked_for(reply: Reply) -> Self {
        match reply {
            Reply::Refused(problem) => Self::Refused(problem),
            _ => Self::UnknownAnswer,
        }
    }

    pub(super) fn of(error: RpcError, patience: Duration) -> Self {
        match error {
            RpcError::Shutdown | RpcError::Channel(_) => Self::Disconnected,
            RpcError::DeadlineExceeded => Self::TimedOut(patience),
            RpcError::Send(cause) => Self::TooLarge(cause.to_string()),
            RpcError::Server(error) => {
                let throttled = error.kind == std::io::ErrorKind::WouldBlock;
                Self::Refused(Problem {
                    code: if throttled { "overloaded" } else { "internal" }.to_owned(),
                    message: error.detail,
                    field: None,
                    retry_after_secs: throttled.then_some(1),
                })
            }
        }
    }
}
