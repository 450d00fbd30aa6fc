//! What the daemon does by itself: who it is in the audit log, and ids that several leaders make alike.

use uuid::Uuid;

use super::Caller;

impl Caller {
    /// The daemon itself, in this role: `pitbossd (schedule)`.
    pub fn machine(role: &str) -> Self {
        Self {
            actor: format!("pitbossd ({role})"),
            via: "pitbossd".to_owned(),
        }
    }
}

/// The id of a request that a machine makes, from what it does: two leaders that do the same have one effect, because
/// the second finds the first's answer in the audit log. `which` tells it from every other time, such as the instant
/// at which it was due.
pub(super) fn request_id(role: &str, experiment: &str, what: &str, which: &str) -> Uuid {
    let mut hasher = blake3::Hasher::new();
    for part in [role, experiment, what, which] {
        // With their lengths: no two lists of parts give the same bytes.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_deed_has_the_same_id_and_another_one_has_another() {
        let id = request_id("schedule", "checkout", "stop", "2030");
        assert_eq!(id, request_id("schedule", "checkout", "stop", "2030"));
        assert_eq!(id.get_version_num(), 8);
        for other in [
            request_id("guardrail", "checkout", "stop", "2030"),
            request_id("schedule", "checkouts", "top", "2030"),
            request_id("schedule", "checkout", "stop", "2031"),
        ] {
            assert_ne!(id, other);
        }
    }
}
