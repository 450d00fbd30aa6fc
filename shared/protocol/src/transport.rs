//! How a console reaches a daemon: the Unix socket, and a client that speaks the safe codec over it.

mod default_socket;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tarpc::{client, context};
use tokio::net::UnixStream;
use tokio_util::codec::Framed;

use crate::codec::{ClientCodec, Json, ServerCodec, context_lasting};
use crate::control::{ControlClient, ControlRequest, ControlResponse};

pub use default_socket::{SOCKET_NAME, default_socket};

/// The daemon's end of a connection, before limits in time are put around it.
pub type ServerFrames = Framed<UnixStream, ServerCodec<ControlFormat>>;

/// How control messages are written.
pub type ControlFormat = Json<ControlRequest, ControlResponse>;

/// Why there is no connection, and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No socket file.
    #[error(
        "there is no control socket at {}: start pitbossd, or name its socket with --socket or PITBOSS_CONTROL_SOCKET",
        .path.display()
    )]
    NoSocket {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A socket file, and nobody behind it.
    #[error("nobody listens at {}: pitbossd has stopped or is starting", .path.display())]
    NotListening {
        /// The socket.
        path: PathBuf,
    },
    /// The file's permissions.
    #[error(
        "no permission to use {}: ask for membership of the socket's group",
        .path.display()
    )]
    NotPermitted {
        /// The socket.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot connect to {}", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Connect to the daemon at `path`. The client's dispatch task ends with the last clone of the client.
/// Call `hello` first: the daemon refuses everything else before it.
pub async fn connect(path: &Path) -> Result<ControlClient, ConnectError> {
    let stream = UnixStream::connect(path)
        .await
        .map_err(|source| connect_error(path, source))?;
    let frames = Framed::new(stream, ClientCodec::<ControlFormat>::default());
    Ok(ControlClient::new(client::Config::default(), frames).spawn())
}

/// A call context whose deadline is `length` from now; the daemon cuts it at
/// [`MAX_DEADLINE`](crate::codec::MAX_DEADLINE). Without it tarpc gives a call ten seconds, which is
/// less than a `watch` waits.
pub fn within(length: Duration) -> context::Context {
    context_lasting(length)
}

/// Put the daemon's codec around an accepted connection.
pub fn server_frames(stream: UnixStream) -> ServerFrames {
    Framed::new(stream, ServerCodec::default())
}

fn connect_error(path: &Path, source: std::io::Error) -> ConnectError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound => ConnectError::NoSocket { path },
        ErrorKind::ConnectionRefused => ConnectError::NotListening { path },
        ErrorKind::PermissionDenied => ConnectError::NotPermitted { path },
        _ => ConnectError::Io { path, source },
    }
}
