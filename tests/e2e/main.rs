//! End-to-end tests, in one binary so that they link once.

mod architecture;
