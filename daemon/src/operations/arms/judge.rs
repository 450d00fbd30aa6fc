//! Which arms may be quarantined or shipped, and the refusals of those that may not.

use bandit::experiment::{Arm, ArmId, IllegalTransition};
use protocol::refusal::{Code, Refusal};

use crate::store::experiments::Stored;

/// The control is what everyone gets when something is wrong, so that it stays open.
pub(super) fn quarantine(stored: &Stored, id: ArmId) -> Result<(), Refusal> {
    let arm = declared(stored, id)?;
    let legal = stored.state.check_quarantine();
    legal.map_err(|illegal| self::illegal(stored, &illegal))?;
    if !arm.control {
        return Ok(());
    }
    Err(not_so(
        stored,
        format!(
            "{} is the control, and everyone may need it; pause the experiment or roll it back instead",
            arm.name
        ),
    ))
}

/// Nobody is to be given for ever what nobody may be given today.
pub(super) fn ship(stored: &Stored, id: ArmId) -> Result<(), Refusal> {
    let arm = declared(stored, id)?;
    if !arm.quarantined {
        return Ok(());
    }
    Err(not_so(
        stored,
        format!(
            "{} is quarantined and cannot be shipped; release it first",
            arm.name
        ),
    ))
}

/// The arm under this name, declared or not.
pub(super) fn named<'a>(stored: &'a Stored, name: &str) -> Result<&'a Arm, Refusal> {
    let found = stored.arms.iter().find(|arm| arm.name.as_str() == name);
    found.ok_or_else(|| unknown(stored, name))
}

pub(super) fn illegal(stored: &Stored, illegal: &IllegalTransition) -> Refusal {
    not_so(stored, illegal.to_string())
}

fn declared(stored: &Stored, id: ArmId) -> Result<&Arm, Refusal> {
    let arm = stored.arms.iter().find(|arm| arm.id == id);
    let arm = arm.ok_or_else(|| unknown(stored, &id.to_string()))?;
    if arm.retired {
        let message = format!("{} is no longer declared: nobody new gets it", arm.name);
        return Err(not_so(stored, message));
    }
    Ok(arm)
}

fn unknown(stored: &Stored, name: &str) -> Refusal {
    let open = stored.arms.iter().filter(|arm| !arm.retired);
    let open: Vec<&str> = open.map(|arm| arm.name.as_str()).collect();
    let (key, name) = (&stored.spec.key, crate::operations::target(name));
    let message = format!("{key} has no arm `{name}`; it has {}", open.join(", "));
    Refusal::new(Code::NotFound, message)
}

fn not_so(stored: &Stored, why: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::IllegalState, format!("{}: {why}", stored.spec.key))
}
