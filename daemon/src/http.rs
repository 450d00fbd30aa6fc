//! The daemon's HTTP front ends: the admin port for machines that watch, the data port for services.
//!
//! The data port, from outside to inside: `serve` accepts connections, `patience` gives up on slow ones,
//! `routes` says where a request goes, `data` reads it and calls `crate::calls`.

pub mod admin;
mod answers;
mod body;
mod data;
mod json;
mod patience;
mod reads;
mod requests;
pub mod routes;
mod serve;
#[cfg(test)]
pub(crate) mod tests;

pub use data::{DataPort, OPENAPI};
pub use serve::{DataServer, Leaving};
