//! The contracts of the daemon: with its console (`control`) and with Rust services (`serve`, `client`).
//! Two tarpc services, plain wire types, a safe codec.
//!
//! Wire types are not the core's types: names are text, states are words, numbers carry their unit in
//! their name, so that a newer console can read an older daemon and the other way round. Every struct
//! ignores keys it does not know and has a default for keys it may not get.

pub mod alerts;
pub mod client;
pub mod codec;
pub mod control;
pub mod decision;
pub mod evaluation;
pub mod evidence;
pub mod experiments;
pub mod guardrails;
pub mod plans;
pub mod refusal;
pub mod serve;
pub mod source;
pub mod transport;
