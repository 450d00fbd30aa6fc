//! Alerts that reach people: what becomes of one (`lifecycle`), how much is told at once (`storm`), when it is told
//! again (`schedule`), where it may go (`guard`), in which words (`message`), and one file for each kind of channel.
//!
//! Whoever finds something wrong writes it with `store::alerts::report` in its own transaction, on any daemon. The one
//! that leads the role `alerts` turns what was written into deliveries and sends them ([`Alerts`]).

pub mod guard;
pub mod lifecycle;
pub mod message;
pub mod schedule;
pub mod storm;

mod alertmanager;
mod mail;
mod platform;
mod post;
mod role;
mod sender;
mod slack;
mod teams;
mod webhook;
mod worker;

#[cfg(test)]
mod tests;

pub use platform::Platform;
pub use role::Role;
pub use worker::Alerts;
