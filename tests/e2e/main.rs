//! End-to-end tests, in one binary so that they link once.

mod alerts;
mod architecture;
mod backup;
mod campaigns;
mod console;
mod demo;
mod fleet;
mod lanes;
mod learning;
mod operating;
mod outage;
mod pgbouncer;
mod readme;
mod real_input;
mod replica;
mod services;
mod stories;
