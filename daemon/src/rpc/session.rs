//! What is known of the other end of one connection: who it is, and whether it has said hello.

use std::sync::OnceLock;

use bandit::experiment::Verb;
use protocol::control::{Hello, PROTOCOL};
use protocol::refusal::{Code, Refusal};

use crate::access::{Action, Principal, authorize};
use crate::operations::Caller;

/// Longest build or host name that is kept.
const MAX_NAME: usize = 64;

/// One connection's session.
#[derive(Debug)]
pub(super) struct Session {
    principal: Principal,
    via: OnceLock<String>,
}

impl Session {
    pub(super) fn new(principal: Principal) -> Self {
        Self {
            principal,
            via: OnceLock::new(),
        }
    }

    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Notes who calls, if its version fits.
    pub(super) fn greet(&self, hello: &Hello) -> Result<(), Refusal> {
        if hello.protocol.major != PROTOCOL.major {
            let message = format!(
                "{} speaks protocol {}.{} and this daemon speaks {}.{}; use the pitboss that came with the daemon",
                tidy(&hello.build),
                hello.protocol.major,
                hello.protocol.minor,
                PROTOCOL.major,
                PROTOCOL.minor
            );
            return Err(Refusal::new(Code::Version, message));
        }
        // A second hello changes nothing: who asked through what is settled by the first.
        let _ = self.via.set(via(hello));
        Ok(())
    }

    /// Whether this connection may do `action`, and as whom.
    pub(super) fn allow(&self, action: Action) -> Result<Caller, Refusal> {
        let Some(via) = self.via.get() else {
            return Err(Refusal::new(
                Code::Invalid,
                "say hello first: the versions must be known to fit",
            ));
        };
        authorize(&self.principal, action).inspect_err(|refusal| {
            metrics::counter!("pitboss_control_forbidden_total").increment(1);
            tracing::warn!(who = %self.principal.name, action = action.as_str(), %refusal, "forbidden");
        })?;
        Ok(Caller {
            actor: self.principal.name.clone(),
            via: via.clone(),
        })
    }

    pub(super) fn look(&self) -> Result<(), Refusal> {
        self.allow(Action::Look).map(|_| ())
    }

    pub(super) fn act(&self, verb: Verb) -> Result<Caller, Refusal> {
        self.allow(Action::Do(verb))
    }
}

/// `pitboss 0.1.0 on bastion-2`.
fn via(hello: &Hello) -> String {
    let (build, host) = (tidy(&hello.build), tidy(&hello.host));
    if host.is_empty() {
        return build;
    }
    format!("{build} on {host}")
}

fn tidy(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use protocol::control::ProtocolVersion;

    fn session(role: Role) -> Session {
        Session::new(Principal {
            name: "ana (uid 1000)".into(),
            uid: 1000,
            role,
        })
    }

    fn hello(major: u16) -> Hello {
        Hello {
            protocol: ProtocolVersion { major, minor: 7 },
            build: "pitboss 9.9\u{1b}[2J".into(),
            host: "bastion-2".into(),
        }
    }

    #[test]
    fn nothing_is_allowed_before_hello() {
        let session = session(Role::Operator);
        assert_eq!(session.look().unwrap_err().code, Code::Invalid);
        session.greet(&hello(PROTOCOL.major)).unwrap();
        let caller = session.act(Verb::Stop).unwrap();
        assert_eq!(caller.actor, "ana (uid 1000)");
        assert_eq!(caller.via, "pitboss 9.9[2J on bastion-2");
    }

    #[test]
    fn another_major_is_refused_with_both_versions() {
        let session = session(Role::Operator);
        let refusal = session.greet(&hello(PROTOCOL.major + 1)).unwrap_err();
        assert_eq!(refusal.code, Code::Version);
        let ours = format!("{}.{}", PROTOCOL.major, PROTOCOL.minor);
        assert!(refusal.message.contains("2.7") && refusal.message.contains(&ours));
        assert!(session.look().is_err());
    }

    #[test]
    fn observers_look_and_do_not_act() {
        let session = session(Role::Observer);
        session.greet(&hello(PROTOCOL.major)).unwrap();
        assert!(session.look().is_ok());
        let refusal = session.act(Verb::Pause).unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
    }
}
