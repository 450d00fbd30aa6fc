//! `pitboss`: the operator's side of Pitboss, a terminal console and its scriptable twin.
//!
//! The console is a loop: something happens ([`msg`]), [`update`] changes the [`model`] and says what is
//! wanted ([`effect`]), the [`runtime`] does it, and answers with the next message. [`view`] draws the model.
//! `update` and `view` are pure: no clock, no IO; every test drives them with plain data.
//!
//! What both say alike is in [`calendar`] and [`units`].
//!
//! The twin is [`cli`] (what can be typed), [`cmd`] (one module a command), [`demo`] and [`output`] (the only place that
//! prints).

pub mod calendar;
pub mod cli;
pub mod cmd;
pub mod command;
pub mod demo;
pub mod effect;
pub mod keymap;
pub mod model;
pub mod msg;
pub mod output;
pub mod runtime;
pub mod theme;
pub mod units;
pub mod update;
pub mod view;
