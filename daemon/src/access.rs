//! Who may do what. One function decides; everything else asks it.
//!
//! On the control socket the kernel vouches for the caller: the peer's uid is read before its first byte.
//! The socket's file mode (0660) is the outer gate; the role is the inner one, so that an administrator
//! who opens the socket further (`chmod o+rw`) lets people look, not act.

mod identity;

pub use identity::{Peer, SocketOwner};

use bandit::experiment::{ArmVerb, Verb};
use protocol::refusal::{Code, Refusal};

/// Who calls, as far as it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// For the audit log and for the caller: `ana (uid 1000)`.
    pub name: String,
    /// The proven user id.
    pub uid: u32,
    /// What it may do.
    pub role: Role,
}

/// What a principal may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything: root, the daemon's own user, and members of the socket's group.
    Operator,
    /// Look at everything, change nothing: anyone else the socket's file mode lets in.
    Observer,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Any call that changes nothing, `plan` included.
    Look,
    /// Carry out a plan.
    Apply,
    /// Change one experiment's state.
    Do(Verb),
    /// Ack or silence an alert, or have it sent again.
    Answer,
    /// Change what one arm gets.
    DoToArm(ArmVerb),
    /// Keep a guardrail from acting, or arm it again.
    Override,
}

/// Whether `principal` may do `action`.
pub fn authorize(principal: &Principal, action: Action) -> Result<(), Refusal> {
    let allowed = match (principal.role, action) {
        (Role::Operator, _) | (Role::Observer, Action::Look) => true,
        (
            Role::Observer,
            Action::Answer | Action::Apply | Action::Do(_) | Action::DoToArm(_) | Action::Override,
        ) => false,
    };
    if allowed {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Forbidden,
        format!(
            "{} may look but not {}; ask for membership of the control socket's group",
            principal.name,
            action.as_str()
        ),
    ))
}

impl Action {
    /// The word in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Apply => "apply",
            Self::Do(verb) => verb.as_str(),
            Self::Answer => "answer alerts",
            Self::DoToArm(verb) => verb.as_str(),
            Self::Override => "override a guardrail",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observers_look_and_operators_do_everything() {
        let all: Vec<Action> = [
            Action::Answer,
            Action::Apply,
            Action::Look,
            Action::Override,
        ]
        .into_iter()
        .chain(Verb::ALL.map(Action::Do))
        .chain(ArmVerb::ALL.map(Action::DoToArm))
        .collect();
        for role in [Role::Operator, Role::Observer] {
            let principal = Principal {
                name: "ana (uid 1000)".into(),
                uid: 1000,
                role,
            };
            for action in &all {
                let expected = role == Role::Operator || *action == Action::Look;
                let answer = authorize(&principal, *action);
                assert_eq!(answer.is_ok(), expected, "{role:?} {action:?}");
                if let Err(refusal) = answer {
                    assert_eq!(refusal.code, Code::Forbidden);
                    assert!(refusal.message.contains(action.as_str()), "{refusal}");
                }
            }
        }
    }
}
