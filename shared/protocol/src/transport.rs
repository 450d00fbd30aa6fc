//! How a console reaches a daemon: where the control socket is.

mod default_socket;

pub use default_socket::{SOCKET_NAME, default_socket};
