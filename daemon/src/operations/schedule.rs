//! What a schedule asks for: judged again under the lock, written like the verbs by hand, but without holds.

use bandit::experiment::{RunState, Verb};
use bandit::schedule::{Action, Next, Ramp, Standing, look};
use chrono::{DateTime, Utc};
use protocol::control::Done;
use protocol::refusal::Refusal;
use sqlx::PgConnection;

use super::failure::Failure;
use super::mutate::{Answer, Change, Judgement, Request, digest};
use super::{Caller, Operations, machine, ramp};
use crate::store::experiments::Stored;
use crate::store::holds::{self, Which};
use crate::store::mutations::Mutation;
use crate::store::{ramps, revisions};

/// In the audit log.
const ROLE: &str = "schedule";

/// Something that was seen to be due.
#[derive(Debug, Clone, PartialEq)]
pub struct Errand {
    key: String,
    action: Action,
    /// When it was due, which tells it from every other time.
    which: String,
    why: String,
}

impl Errand {
    /// What a look at an experiment found.
    pub fn new(it: &Standing<'_>, action: Action) -> Self {
        let schedule = it.spec.schedule.as_ref();
        let said = |at: Option<DateTime<Utc>>| at.map_or_else(String::new, |at| at.to_string());
        let (which, why) = match action {
            Action::Start => {
                let at = said(schedule.and_then(|it| it.start));
                (at.clone(), format!("its schedule starts it at {at}"))
            }
            Action::Stop => {
                let at = said(schedule.and_then(|it| it.stop));
                (at.clone(), format!("its schedule stops it at {at}"))
            }
            Action::Archive => {
                let since = said(it.state.since());
                let after = schedule.and_then(|it| it.archive_after).unwrap_or_default();
                (since, format!("it stopped {after} ago"))
            }
            Action::Step { from, to, .. } => {
                let since = said(it.ramp.map(|ramp| ramp.since));
                (
                    format!("{to} from {from} since {since}"),
                    format!("traffic {from} -> {to}"),
                )
            }
        };
        Self {
            key: it.spec.key.to_string(),
            action,
            which,
            why,
        }
    }

    fn what(&self) -> &'static str {
        match self.action {
            Action::Start => Verb::Start.as_str(),
            Action::Stop => Verb::Stop.as_str(),
            Action::Archive => Verb::Archive.as_str(),
            Action::Step { .. } => "ramp",
        }
    }

    /// Whether both are the same thing to do, though not seen at the same instant.
    fn is(&self, other: &Self) -> bool {
        (self.what(), &self.which) == (other.what(), &other.which)
    }
}

/// An errand as a mutation.
struct Scheduled {
    errand: Errand,
    /// As of when; `None`: of the lock's instant.
    at: Option<DateTime<Utc>>,
    request: Request,
}

impl Operations {
    /// Does what was seen to be due, if it still is; `None` if it is not. A second time has no second effect.
    /// `at`: as of when, where that is not now.
    pub async fn keep_schedule(
        &self,
        errand: Errand,
        at: Option<DateTime<Utc>>,
    ) -> Result<Option<Done>, Refusal> {
        self.unless_away()?;
        let scheduled = Scheduled {
            at,
            request: Request {
                id: machine::request_id(ROLE, &errand.key, errand.what(), &errand.which),
                caller: Caller::machine(ROLE),
                action: errand.what(),
                target: super::target(&errand.key),
                reason: errand.why.clone(),
                digest: digest(&(ROLE, &errand.key, errand.what(), &errand.which)),
            },
            errand,
        };
        self.mutate(scheduled).await
    }
}

impl Scheduled {
    /// Writes what is due, and says it.
    async fn write(
        &self,
        tx: &mut PgConnection,
        stored: &Stored,
        action: Action,
        (mutation, now): (&Mutation, DateTime<Utc>),
    ) -> Result<(RunState, String), Failure> {
        let id = stored.id;
        let verb = match action {
            Action::Start => Verb::Start,
            Action::Stop => Verb::Stop,
            Action::Archive => Verb::Archive,
            Action::Step { from, to, since } => {
                let ramp = Ramp {
                    traffic: to,
                    since,
                    exposed_before: ramp::exposed(tx, id).await?,
                };
                ramps::put(tx, id, Some(ramp)).await?;
                revisions::put_state(tx, id, &stored.state, mutation.next()).await?;
                let outcome = format!(
                    "{} serves {to} of its traffic (was {from})",
                    self.errand.key
                );
                return Ok((stored.state.clone(), outcome));
            }
        };
        let Request { caller, reason, .. } = &self.request;
        let next = stored
            .state
            .after(verb, now, &caller.actor, reason)
            .map_err(|_| Failure::Illegal {
                experiment: id,
                verb,
            })?;
        revisions::put_state(tx, id, &next, mutation.next()).await?;
        if verb == Verb::Start {
            ramp::begin(tx, id, &stored.spec, now).await?;
        } else {
            // A quarantine outlasts a stop, as it does a stop by hand: it says why the arm had no units.
            let which = match verb {
                Verb::Archive => Which::All,
                _ => Which::State,
            };
            holds::release(tx, id, which, now).await?;
        }
        let (before, now) = (stored.state.name(), next.name());
        let outcome = format!("{} is {now} (was {before})", self.errand.key);
        Ok((next, outcome))
    }
}

impl Change for Scheduled {
    type Answer = Option<Done>;

    fn request(&self) -> &Request {
        &self.request
    }

    async fn carry_out<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        mutation: &'a Mutation,
    ) -> Result<Judgement<Option<Done>>, Failure> {
        let Some(found) = revisions::find(tx, &self.errand.key).await? else {
            return Ok(Judgement::Nothing(None));
        };
        let stored = ramp::stored(tx, found.id).await?;
        let standing = Standing {
            spec: &stored.spec,
            state: &stored.state,
            started_at: stored.started_at,
            ramp: stored.ramp,
            exposed: ramp::exposed(tx, found.id).await?,
            held: holds::any(tx, found.id).await?,
        };
        let now = self.at.unwrap_or(mutation.now);
        let Next::Due(action) = look(&standing, now) else {
            return Ok(Judgement::Nothing(None));
        };
        // Somebody was faster, or changed the file: the next look finds what is due then.
        if !Errand::new(&standing, action).is(&self.errand) {
            return Ok(Judgement::Nothing(None));
        }
        let before = stored.state.name();
        let (next, outcome) = self.write(tx, &stored, action, (mutation, now)).await?;
        Ok(Judgement::Done {
            detail: serde_json::json!({ "from": before, "to": next.name(), "why": self.errand.why }),
            answer: Some(Done {
                key: self.errand.key.clone(),
                state: next.name().to_owned(),
                revision: mutation.next().0,
                outcome,
                repeated: false,
            }),
        })
    }
}

impl Answer for Option<Done> {
    fn repeated(self) -> Self {
        self.map(Answer::repeated)
    }
}
