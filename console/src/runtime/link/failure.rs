//! Why there is no link, in a sentence, with the way out.

use std::path::Path;

use protocol::control::{PROTOCOL, Welcome};
use protocol::refusal::{Code, Refusal};
use protocol::transport::ConnectError;
use tarpc::client::RpcError;

use crate::model::link::Failure;

/// Why a connection could not be made or did not last.
#[derive(Debug, thiserror::Error)]
pub(in crate::runtime) enum LinkFailure {
    /// There is none.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It broke, or the daemon was too slow.
    #[error("{}", broken(.0))]
    Broken(#[from] RpcError),
    /// The daemon said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The versions do not fit.
    #[error("the versions do not fit")]
    Version(Box<Welcome>),
    /// The daemon answered something that this build does not know.
    #[error("the daemon answered something that this build does not know; it is newer")]
    NotUnderstood,
}

fn broken(error: &RpcError) -> &'static str {
    match error {
        RpcError::Shutdown | RpcError::Channel(_) | RpcError::Send(_) => {
            "the daemon closed the connection; it has stopped or is restarting"
        }
        RpcError::DeadlineExceeded => "the daemon did not answer in time",
        RpcError::Server(_) => "the daemon gave up on the request; its log says why",
    }
}

impl LinkFailure {
    /// Whether only another version mends it.
    pub(super) fn is_version(&self) -> bool {
        match self {
            Self::Version(_) | Self::NotUnderstood => true,
            Self::Refused(refusal) => refusal.code == Code::Version,
            Self::Connect(_) | Self::Broken(_) => false,
        }
    }

    /// For the screen.
    pub(super) fn in_words(&self, socket: &Path) -> Failure {
        let sentence = match self {
            Self::Version(welcome) => format!(
                "This console speaks protocol {}.{} and the daemon ({}) speaks {}.{}: use a console of the daemon's version.",
                PROTOCOL.major,
                PROTOCOL.minor,
                welcome.build,
                welcome.protocol.major,
                welcome.protocol.minor
            ),
            // How it broke is in the sentence; what tarpc calls it helps nobody.
            Self::Broken(error) => broken(error).to_owned(),
            other => chain(other),
        };
        Failure {
            sentence,
            advice: self.advice(socket),
        }
    }

    fn advice(&self, socket: &Path) -> Vec<String> {
        let socket = socket.display();
        match self {
            Self::Connect(_) => vec![
                "Is the daemon running?   systemctl status pitbossd, or start pitbossd".to_owned(),
                format!("Is this its socket?      {socket}"),
                "Another one:             pitboss --socket PATH, or PITBOSS_CONTROL_SOCKET=PATH"
                    .to_owned(),
                format!("May you use it?          ls -l {socket}"),
                "Only looking around?     pitboss demo".to_owned(),
            ],
            _ if self.is_version() => vec![
                "Which console is this?   pitboss --version".to_owned(),
                "Which daemon is that?    pitbossd --version".to_owned(),
            ],
            _ => vec![
                "What does the daemon say?  its application.log, and pitbossd doctor".to_owned(),
            ],
        }
    }
}

/// The sentence with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
