//! The experiment file: text -> typed -> valid, with all problems at once.

pub mod model;
