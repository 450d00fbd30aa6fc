//! Seats: how many connections there may be, in all and for one user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many at once.
#[derive(Debug, Clone, Copy)]
pub struct SeatLimits {
    /// Connections in all: with 1 MiB frames this bounds what unread requests can hold to 64 MiB.
    pub total: usize,
    /// Connections of one user: eight consoles, each with one for commands and one for its watch.
    /// Operators often share one login, so fewer would lock colleagues out.
    pub per_uid: usize,
}

impl Default for SeatLimits {
    fn default() -> Self {
        Self {
            total: 64,
            per_uid: 16,
        }
    }
}

/// Hands out seats.
#[derive(Debug)]
pub(super) struct Admission {
    limits: SeatLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_uid: HashMap<u32, usize>,
}

/// A connection's seat, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    admission: Arc<Admission>,
    uid: u32,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoSeat {
    #[error("all {0} connections are taken")]
    Full(usize),
    #[error("this user has {0} connections already")]
    UserFull(usize),
}

impl Admission {
    pub(super) fn new(limits: SeatLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            taken: Mutex::default(),
        })
    }

    pub(super) fn admit(self: &Arc<Self>, uid: u32) -> Result<Seat, NoSeat> {
        let mut taken = self.taken();
        if taken.total >= self.limits.total {
            return Err(NoSeat::Full(taken.total));
        }
        let of_user = taken.by_uid.entry(uid).or_default();
        if *of_user >= self.limits.per_uid {
            return Err(NoSeat::UserFull(*of_user));
        }
        *of_user += 1;
        taken.total += 1;
        metrics::gauge!("pitboss_control_connections").set(taken.total as f64);
        Ok(Seat {
            admission: Arc::clone(self),
            uid,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.admission.taken();
        taken.total -= 1;
        if let Some(of_user) = taken.by_uid.get_mut(&self.uid) {
            *of_user -= 1;
            if *of_user == 0 {
                taken.by_uid.remove(&self.uid);
            }
        }
        metrics::gauge!("pitboss_control_connections").set(taken.total as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_limited_per_user_and_in_all_and_come_back() {
        let admission = Admission::new(SeatLimits {
            total: 3,
            per_uid: 2,
        });
        let first = admission.admit(1).unwrap();
        let _second = admission.admit(1).unwrap();
        assert_eq!(admission.admit(1).unwrap_err(), NoSeat::UserFull(2));
        let _third = admission.admit(2).unwrap();
        assert_eq!(admission.admit(3).unwrap_err(), NoSeat::Full(3));
        drop(first);
        assert!(admission.admit(1).is_ok());
        assert_eq!(admission.taken().by_uid.len(), 2);
    }
}
