//! The same as mutations that somebody asks for: judged, audited, answered in a sentence.

use bandit::experiment::{Arm, ArmVerb};
use bandit::spec::model::OnQuarantine;
use protocol::control::{ArmRequest, Done, ReleaseRequest};
use protocol::refusal::Refusal;
use serde::Serialize;
use sqlx::PgConnection;

use super::{judge, quarantine, release, ship};
use crate::operations::failure::Failure;
use crate::operations::mutate::{Change, Judgement, Request, digest};
use crate::operations::ramp::stored;
use crate::operations::verb::as_seen;
use crate::operations::{Caller, found, reason, target};
use crate::store::experiments::Stored;
use crate::store::holds::Hold;
use crate::store::mutations::Mutation;
use crate::store::revisions::Found;

/// Something that is to be done to an arm.
pub(in crate::operations) struct ArmChange {
    what: What,
    key: String,
    expect_revision: Option<u64>,
    request: Request,
}

/// To which arm, by its name.
#[derive(Serialize)]
enum What {
    Quarantine(String),
    /// `None`: every hold on the experiment.
    Release(Option<String>),
    Ship(String),
}

/// What came of it.
struct Came {
    state: &'static str,
    /// Goes on after the key.
    outcome: String,
    detail: serde_json::Value,
}

impl ArmChange {
    pub(in crate::operations) fn quarantine(
        asked: ArmRequest,
        caller: Caller,
    ) -> Result<Self, Refusal> {
        Self::of_arm(What::Quarantine, ArmVerb::Quarantine, asked, caller)
    }

    pub(in crate::operations) fn ship(asked: ArmRequest, caller: Caller) -> Result<Self, Refusal> {
        Self::of_arm(What::Ship, ArmVerb::Ship, asked, caller)
    }

    fn of_arm(
        what: impl Fn(String) -> What,
        verb: ArmVerb,
        asked: ArmRequest,
        caller: Caller,
    ) -> Result<Self, Refusal> {
        let ArmRequest {
            key,
            arm,
            reason,
            request_id,
            expect_revision,
        } = asked;
        let asked = ReleaseRequest {
            key,
            arm: None,
            reason,
            request_id,
            expect_revision,
        };
        Self::of(what(arm), verb, asked, caller)
    }

    pub(in crate::operations) fn release(
        mut asked: ReleaseRequest,
        caller: Caller,
    ) -> Result<Self, Refusal> {
        let what = What::Release(asked.arm.take());
        Self::of(what, ArmVerb::Release, asked, caller)
    }

    fn of(
        what: What,
        verb: ArmVerb,
        asked: ReleaseRequest,
        caller: Caller,
    ) -> Result<Self, Refusal> {
        let reason = reason::checked(&asked.reason)?;
        let digest = digest(&(&what, &asked.key, &reason, asked.expect_revision));
        Ok(Self {
            what,
            expect_revision: asked.expect_revision,
            request: Request {
                id: asked.request_id,
                caller,
                action: verb.as_str(),
                target: target(&asked.key),
                reason,
                digest,
            },
            key: asked.key,
        })
    }

    /// The experiment, if it is still what the caller saw.
    async fn find(&self, tx: &mut PgConnection) -> Result<(Found, Stored), Failure> {
        let found = found(tx, &self.key).await?;
        as_seen(&self.key, &found, self.expect_revision)?;
        let stored = stored(tx, found.id).await?;
        Ok((found, stored))
    }

    async fn act(
        &self,
        tx: &mut PgConnection,
        mutation: &Mutation,
    ) -> Result<Judgement<Done>, Failure> {
        let (found, stored) = self.find(tx).await?;
        let came = match &self.what {
            What::Quarantine(name) => {
                let arm = judge::named(&stored, name)?;
                if arm.quarantined {
                    let outcome = format!("keeps {name} in quarantine: it was there already");
                    return Ok(self.nothing(&found, mutation, &outcome));
                }
                quarantine(tx, &found, arm.id, &self.hold(), mutation).await?;
                quarantined(&found, &stored, name)
            }
            What::Release(name) => {
                let arm = name.as_ref().map(|name| judge::named(&stored, name));
                let arm = arm.transpose()?;
                let holds = release(tx, &found, arm.map(|arm| arm.id), mutation).await?;
                if holds.is_empty() {
                    let what = arm.map_or("it", |arm| arm.name.as_str());
                    let outcome = format!("is as it was: nothing holds {what}");
                    return Ok(self.nothing(&found, mutation, &outcome));
                }
                released(&found, &stored.arms, &holds, name.as_deref())
            }
            What::Ship(name) => {
                let arm = judge::named(&stored, name)?;
                ship(tx, &found, arm.id, &self.hold(), mutation).await?;
                shipped(&found, name)
            }
        };
        Ok(Judgement::Done {
            answer: self.done(mutation.next().0, came.state, &came.outcome),
            detail: came.detail,
        })
    }

    /// Of the kind and the arm that the operation puts in.
    fn hold(&self) -> Hold {
        Hold {
            kind: String::new(),
            arm: None,
            reason: self.request.reason.clone(),
            placed_by: self.request.caller.actor.clone(),
        }
    }

    fn nothing(&self, found: &Found, mutation: &Mutation, outcome: &str) -> Judgement<Done> {
        Judgement::Nothing(self.done(mutation.base.0, found.state.name(), outcome))
    }

    fn done(&self, revision: u64, state: &str, outcome: &str) -> Done {
        Done {
            key: self.key.clone(),
            state: state.to_owned(),
            revision,
            outcome: format!("{} {outcome}", self.key),
            repeated: false,
        }
    }
}

impl Change for ArmChange {
    type Answer = Done;

    fn request(&self) -> &Request {
        &self.request
    }

    async fn carry_out<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        mutation: &'a Mutation,
    ) -> Result<Judgement<Done>, Failure> {
        self.act(tx, mutation).await
    }
}

fn quarantined(found: &Found, stored: &Stored, name: &str) -> Came {
    let control = stored.spec.control().name.as_str();
    let its_units = match stored.spec.on_quarantine {
        OnQuarantine::Keep => "its own keep it".to_owned(),
        OnQuarantine::Control => format!("its own get {control}"),
    };
    Came {
        state: found.state.name(),
        outcome: format!("has {name} in quarantine: no new units, {its_units}"),
        detail: serde_json::json!({ "arm": name }),
    }
}

/// What was held, and that a state does not change with its hold.
fn released(found: &Found, arms: &[Arm], holds: &[Hold], asked: Option<&str>) -> Came {
    let words: Vec<String> = holds.iter().map(|hold| hold.in_words(arms)).collect();
    let state = found.state.name();
    let stays = if holds.iter().any(|hold| hold.arm.is_none()) {
        format!(
            "; it stays {} until that is changed",
            state.replace('_', " ")
        )
    } else {
        String::new()
    };
    Came {
        state,
        outcome: format!("is released: {}{stays}", words.join("; ")),
        detail: serde_json::json!({ "arm": asked, "released": words }),
    }
}

fn shipped(found: &Found, name: &str) -> Came {
    let before = found.state.name();
    Came {
        state: "stopped",
        outcome: format!("is stopped (was {before}), and everyone gets {name}"),
        detail: serde_json::json!({ "from": before, "to": "stopped", "arm": name }),
    }
}
