//! From a report to a receiver: a real database, real sockets, and a clock that only the test moves.

mod alertmanager;
mod channels;
mod delivering;
mod official;
mod sink;
mod site;
