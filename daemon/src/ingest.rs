//! What services send: assigns, exposures and events.

mod meters;

pub use meters::Meters;
