//! What end-to-end tests stand on: the real binaries, real sockets, a real database of their own.

pub mod binaries;
pub mod campaign;
pub mod fleet;
pub mod http;
pub mod installation;
pub mod limits;
pub mod pgbouncer;
pub mod refuser;
pub mod replica;
pub mod rpc;
pub mod sustained;
pub mod terminal;
pub mod wait;
