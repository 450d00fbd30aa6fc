//! What the service manager is told about the daemon's life: systemd's protocol, one datagram a state. Without one
//! that asks, nothing.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Names the manager's socket: a path, or after `@` a name in the abstract namespace.
pub(super) const VARIABLE: &str = "NOTIFY_SOCKET";

/// 10 s: a manager gives up on a start of 90 s unless it hears that it goes on, and a schema may take minutes.
const STILL_STARTING: Duration = Duration::from_secs(10);

/// Asks for 60 s more: six times that.
const MORE_TIME: &str = "EXTEND_TIMEOUT_USEC=60000000";

/// Who started the daemon and wants to know.
#[derive(Debug)]
pub(super) struct ServiceManager(Option<(UnixDatagram, SocketAddr)>);

impl ServiceManager {
    /// The one behind the socket `named`, if any.
    pub(super) fn new(named: Option<&OsStr>) -> Self {
        let manager = named.and_then(|name| match reach(name) {
            Ok(manager) => Some(manager),
            Err(error) => {
                tracing::warn!(%error, "{VARIABLE} is not a socket: the service manager is told nothing");
                None
            }
        });
        Self(manager)
    }

    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// Says again and again that the start goes on. Cancel-safe.
    pub(super) async fn starting(&self) -> Infallible {
        loop {
            tokio::time::sleep(STILL_STARTING).await;
            self.tell(MORE_TIME);
        }
    }

    pub(super) fn reloading(&self) {
        self.tell("RELOADING=1");
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        let Some((socket, address)) = &self.0 else {
            return;
        };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            tracing::warn!(%error, state, "the service manager was not told");
        }
    }
}

fn reach(name: &OsStr) -> std::io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold up its daemon.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
