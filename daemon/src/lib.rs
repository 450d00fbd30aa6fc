//! The shell around the decisions of `bandit`: everything of `pitbossd` that touches the world.
//!
//! Read it in this order: `config` and `clock` (what comes in from outside), `postgres` (the private
//! cluster), `store` (all SQL), `http` and the other front ends, `app` (which builds every part in order,
//! owns every task and drains them in reverse).

mod accept;
pub mod access;
pub mod alerts;
pub mod app;
pub mod breaker;
pub mod calls;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod durable;
pub mod http;
pub mod ingest;
pub mod learning;
pub mod operations;
pub mod postgres;
pub mod publication;
pub mod reading;
pub mod replica;
pub mod rpc;
pub mod spool;
pub mod sticky;
pub mod store;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod unit_secret;
pub mod verify;
pub mod workers;
pub mod world;
