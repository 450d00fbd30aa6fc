//! The daemon's HTTP front ends: the admin port for machines that watch, the data port for services.

pub mod admin;
