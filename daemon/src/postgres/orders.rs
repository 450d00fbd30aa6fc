//! What the owner of the cluster tells the thread that watches it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// What the owner tells the thread.
#[derive(Debug, Default)]
pub(super) struct Control {
    orders: Mutex<Orders>,
    given: Condvar,
}

#[derive(Debug, Default)]
struct Orders {
    stop: bool,
    pid: Option<Pid>,
}

impl Control {
    pub(super) fn order_stop(&self, signal: Signal) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.stop = true;
        if let Some(pid) = orders.pid {
            let _ = kill_process(pid, signal);
        }
        self.given.notify_all();
    }

    /// Notes the postmaster; tells it to stop at once if that was ordered meanwhile.
    pub(super) fn note(&self, pid: Option<Pid>) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.pid = pid;
        if let (true, Some(pid)) = (orders.stop, pid) {
            let _ = kill_process(pid, Signal::INT);
        }
    }

    /// Waits for `pause`, or less if a stop is ordered. Returns whether it was.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let (orders, _) = self
            .given
            .wait_timeout_while(orders, pause, |orders| !orders.stop)
            .unwrap_or_else(PoisonError::into_inner);
        orders.stop
    }
}
