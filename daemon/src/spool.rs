//! The spool: what is acknowledged while the database is away, on the daemon's own disk until it is back.
//!
//! Records are appended to segment files, many with one sync, and a caller is answered after the sync. When
//! the database answers again they are read back, oldest first, written there, and their segment removed. A
//! crash in between only means that they are written twice, which an event's id makes harmless.
//!
//! Nothing here needs a person: torn ends are cut off, damaged records are skipped, counted and kept aside
//! in `damaged` files, a file that cannot be read is left out, and a disk that is full or breaks refuses new
//! records until it does not.

pub mod inspect;
pub mod item;
mod keeper;
mod log;
mod record;
mod replay;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
pub mod trials;

pub use keeper::{Ended, Refused, Spool};
pub use log::{Found, Limits, NotKept, Usage};
pub use replay::Replay;
